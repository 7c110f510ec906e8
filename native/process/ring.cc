#include "process/ring.h"

#include <new>

namespace rxp {

char* RingWriter::reserve(size_t size, MessageType type) {
  size = aligned(size);
  uint64_t read = state_->read.load(std::memory_order_acquire);
  if (read > written_ || written_ - read > kRingSize) {
    broken_ = true;
    return nullptr;
  }
  size_t free = kRingSize - static_cast<size_t>(written_ - read);
  size_t at = static_cast<size_t>(written_ % kRingSize);
  size_t to_end = kRingSize - at;
  size_t padding = size <= to_end ? 0 : to_end;
  if (size + padding > free) return nullptr;
  if (padding > 0) {
    new (bytes_ + at) MessageHeader{static_cast<uint32_t>(padding), MessageType::kPadding};
    at = 0;
  }
  reserved_ = written_ + padding + size;
  new (bytes_ + at) MessageHeader{static_cast<uint32_t>(size), type};
  return bytes_ + at;
}

void RingWriter::publish() {
  written_ = reserved_;
  state_->written.store(written_, std::memory_order_release);
}

bool RingWriter::reader_waits() {
  // Either we see that the reader waits, or it sees our message (RingReader::begin_wait).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return state_->reader_waits.load(std::memory_order_relaxed) != 0 &&
         state_->reader_waits.exchange(0, std::memory_order_acq_rel) != 0;
}

char* RingReader::peek(size_t* size) {
  for (bool padded = false;;) {
    uint64_t written = state_->written.load(std::memory_order_acquire);
    if (written == read_) return nullptr;
    uint64_t available = written - read_;
    size_t at = static_cast<size_t>(read_ % kRingSize);
    if (written < read_ || available > kRingSize || available % kAlignment != 0) break;
    auto* header = reinterpret_cast<volatile MessageHeader*>(bytes_ + at);
    size_t length = header->size;
    MessageType type = header->type;
    if (length < sizeof(MessageHeader) || length % kAlignment != 0 || length > available ||
        length > kRingSize - at) {
      break;
    }
    current_ = length;
    if (type != MessageType::kPadding) {
      *size = length;
      return bytes_ + at;
    }
    // Only the end of the ring is padded, and a message follows: no row of paddings keeps us here.
    if (padded || length != kRingSize - at) break;
    padded = true;
    advance();
  }
  broken_ = true;
  return nullptr;
}

void RingReader::advance() {
  read_ += current_;
  state_->read.store(read_, std::memory_order_release);
}

bool RingReader::begin_wait() {
  state_->reader_waits.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (state_->written.load(std::memory_order_acquire) == read_) return true;
  end_wait();
  return false;
}

}  // namespace rxp
