// The two ends of a ring of messages in shared memory (wire.h). Each end is used under one lock or
// by one thread.
#pragma once

#include "process/wire.h"

namespace rxp {

class RingWriter {
 public:
  RingWriter() = default;
  RingWriter(RingState* state, char* bytes) : state_(state), bytes_(bytes) {}

  // Room for a message of `size` bytes, its header filled in; null when the ring is too full.
  char* reserve(size_t size, MessageType type);
  // Makes what was reserved readable.
  void publish();
  // Whether the reader is to be woken now. At most once for each time that it goes to wait.
  bool reader_waits();
  // The other side has broken the rules.
  bool broken() const { return broken_; }

 private:
  RingState* state_ = nullptr;
  char* bytes_ = nullptr;
  uint64_t written_ = 0;  // our own copies: the shared ones may be overwritten
  uint64_t reserved_ = 0;
  bool broken_ = false;
};

class RingReader {
 public:
  RingReader() = default;
  RingReader(RingState* state, char* bytes) : state_(state), bytes_(bytes) {}

  // The next message, or null when there is none. `size` is the checked size of it.
  char* peek(size_t* size);
  // Gives up the place of the message that peek() returned.
  void advance();
  // Whether something has come.
  bool ready() const { return state_->written.load(std::memory_order_acquire) != read_; }
  // Announces that the reader waits; false when there is a message now.
  bool begin_wait();
  void end_wait() { state_->reader_waits.store(0, std::memory_order_relaxed); }
  bool broken() const { return broken_; }

 private:
  RingState* state_ = nullptr;
  char* bytes_ = nullptr;
  uint64_t read_ = 0;
  size_t current_ = 0;
  bool broken_ = false;
};

}  // namespace rxp
