#include "process/session.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "process/text_copy.h"

namespace rxp {
namespace {

// A worker that lets more lie has stopped reading.
constexpr size_t kMostUnsent = 1 << 20;

}  // namespace

std::shared_ptr<WorkerSession> WorkerSession::create(std::string& error) {
  std::shared_ptr<WorkerSession> session(new WorkerSession);
  session->link_ = Link::create(error);
  if (session->link_ == nullptr) return nullptr;
  for (uint32_t place = 0; place < kClaims; place++) session->free_claims_.push_back(place);
  int line = -1;
  bool passed =
      session->answers_.open(&line) && session->link_->send_descriptor(kAnswerLine, line, false);
  if (!passed) {
    error = std::string("no socket for a worker process: ") + std::strerror(errno);
    session = nullptr;
  }
  if (line >= 0) ::close(line);
  return session;
}

void WorkerSession::free_claim(uint32_t place) {
  std::lock_guard<std::mutex> lock(mutex_);
  free_claims_.push_back(place);
}

// Messages other than calls must not get lost: what finds no room is sent later.
void WorkerSession::say(const void* message, size_t size, MessageType type, const void* body,
                        size_t body_size) {
  std::vector<char> bytes(aligned(size + body_size));
  std::memcpy(bytes.data(), message, size);
  if (body_size > 0) std::memcpy(bytes.data() + size, body, body_size);
  MessageHeader header{static_cast<uint32_t>(bytes.size()), type};
  std::memcpy(bytes.data(), &header, sizeof header);
  if (closed_) return;
  if (!unsent_.empty() || !write(bytes)) unsent_.push_back(std::move(bytes));
  if (unsent_.size() > kMostUnsent) deaf_ = true;
}

bool WorkerSession::write(const std::vector<char>& message) {
  auto* header = reinterpret_cast<const MessageHeader*>(message.data());
  char* place = link_->out.reserve(message.size(), header->type);
  if (place == nullptr) return false;
  std::memcpy(place + sizeof(MessageHeader), message.data() + sizeof(MessageHeader),
              message.size() - sizeof(MessageHeader));
  link_->out.publish();
  link_->wake();
  return true;
}

bool WorkerSession::flush_locked() {
  while (!closed_ && !unsent_.empty()) {
    if (!write(unsent_.front())) return false;
    unsent_.pop_front();
  }
  return true;
}

bool WorkerSession::flush() {
  bool answered = answers_.flush();
  std::lock_guard<std::mutex> lock(mutex_);
  return flush_locked() && answered;
}

bool WorkerSession::broken() {
  std::lock_guard<std::mutex> lock(mutex_);
  return deaf_ || link_->out.broken() || link_->in.broken();
}

void WorkerSession::close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  unsent_.clear();
}

void WorkerSession::start(int32_t pool, const std::string& host_options) {
  StartMessage message{};
  message.pool = pool;
  std::lock_guard<std::mutex> lock(mutex_);
  // Long options (many folders on sys.path) go into a block like any long body.
  message.body.size = host_options.size();
  if (host_options.size() <= kInlineLimit) {
    say(&message, sizeof message, MessageType::kStart, host_options.data(), host_options.size());
    return;
  }
  SharedBlock* block = ours_.lend(host_options.size());
  if (block == nullptr || !introduce(*block)) return;
  std::memcpy(block->data, host_options.data(), host_options.size());
  message.body.block = block->id;
  say(&message, sizeof message, MessageType::kStart, nullptr, 0);
}

void WorkerSession::define(int32_t handler, const HandlerDefinition& definition) {
  DefineMessage message{};
  message.handler = handler;
  message.codec_in = static_cast<uint32_t>(definition.codecs.in);
  message.codec_out = static_cast<uint32_t>(definition.codecs.out);
  message.exact = definition.codecs.exact ? 1 : 0;
  message.async_limit = static_cast<uint32_t>(definition.async_limit);
  message.units = definition.request.size();
  const size_t size = definition.request.size() * sizeof(char16_t);
  message.body.size = size;
  std::lock_guard<std::mutex> lock(mutex_);
  if (size <= kInlineLimit) {
    say(&message, sizeof message, MessageType::kDefine, definition.request.data(), size);
    return;
  }
  SharedBlock* block = ours_.lend(size);
  if (block == nullptr || !introduce(*block)) return;
  std::memcpy(block->data, definition.request.data(), size);
  message.body.block = block->id;
  say(&message, sizeof message, MessageType::kDefine, nullptr, 0);
}

void WorkerSession::stop() {
  char message[kAlignment] = {};
  std::lock_guard<std::mutex> lock(mutex_);
  say(message, sizeof message, MessageType::kStop, nullptr, 0);
}

void WorkerSession::cancel(uint64_t ticket) {
  FlightMessage message{};
  message.ticket = ticket;
  std::lock_guard<std::mutex> lock(mutex_);
  say(&message, sizeof message, MessageType::kCancel, nullptr, 0);
}

void WorkerSession::say_block(MessageType type, uint32_t block, size_t size) {
  BlockMessage message{};
  message.block = block;
  message.size = size;
  say(&message, sizeof message, type, nullptr, 0);
}

// The worker learns of a block before the first message that names it.
bool WorkerSession::introduce(SharedBlock& block) {
  if (block.known) return true;
  if (!link_->send_descriptor(block.id, block.descriptor, false)) {
    ours_.take_back(block.id);
    return false;
  }
  block.known = true;
  say_block(MessageType::kMap, block.id, block.size);
  return true;
}

bool WorkerSession::introduce(MemoryBlock& block) {
  uint32_t id = kAllocatedBlock | block.number();
  if (known_.count(id) != 0) return true;
  if (!link_->send_descriptor(id, block.descriptor(), false)) return false;
  known_.insert(id);
  say_block(MessageType::kMap, id, block.size());
  block.when_gone([weak = weak_from_this(), id] {
    auto self = weak.lock();
    if (self == nullptr) return;
    std::lock_guard<std::mutex> lock(self->mutex_);
    self->known_.erase(id);
    self->say_block(MessageType::kUnmap, id, 0);
  });
  return true;
}

WorkerSession::Answer WorkerSession::place_body(size_t message_size, size_t body_size,
                                                char** message, char** body, SharedBlock** block) {
  *block = nullptr;
  if (body_size > kInlineLimit) {
    *block = ours_.lend(body_size);
    if (*block == nullptr || !introduce(**block)) return Answer::kNoMemory;
    *body = (*block)->data;
  }
  // What introduces a block must come first.
  *message = !unsent_.empty()
                 ? nullptr
                 : link_->out.reserve(message_size + (*block == nullptr ? body_size : 0),
                                      MessageType::kCall);
  if (*message == nullptr) {
    if (*block != nullptr) ours_.take_back((*block)->id);
    return Answer::kNoRoom;
  }
  if (*block == nullptr) *body = *message + message_size;
  return Answer::kSent;
}

WorkerSession::Answer WorkerSession::send(const Call& call, int32_t within, Sent& sent) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_ || free_claims_.empty() || !flush_locked()) return Answer::kNoRoom;
  const size_t lengths_size =
      call.lengths == nullptr ? 0 : static_cast<size_t>(call.count) * sizeof(int32_t);
  const size_t segments_size = call.segments.size() * sizeof(SegmentRecord);
  const size_t layout_size = call.layout.size() * sizeof(int64_t);
  const bool narrow = fits_narrow(call.text);
  size_t body_size = lengths_size + (narrow ? 1 : 2) * call.text.size;
  std::vector<SegmentRecord> records(call.segments.size());
  if (call.kind == CallKind::kBinary) {
    body_size = part_aligned(segments_size + layout_size);
    for (size_t i = 0; i < records.size(); i++) {
      const Segment& segment = call.segments[i];
      records[i].type = segment.type;
      records[i].size = segment.size;
      if (segment.block->descriptor() >= 0 && introduce(*segment.block)) {
        records[i].block = kAllocatedBlock | segment.block->number();
        records[i].offset = segment.offset;
        continue;
      }
      records[i].offset = body_size;
      body_size += part_aligned(segment.size);
    }
  }
  char* place = nullptr;
  char* body = nullptr;
  SharedBlock* block = nullptr;
  Answer answer = place_body(sizeof(CallMessage), body_size, &place, &body, &block);
  if (answer != Answer::kSent) return answer;

  if (call.kind == CallKind::kBinary) {
    std::memcpy(body, records.data(), segments_size);
    if (layout_size > 0) std::memcpy(body + segments_size, call.layout.data(), layout_size);
    for (size_t i = 0; i < records.size(); i++) {
      const Segment& segment = call.segments[i];
      if (records[i].block != 0 || segment.size == 0) continue;
      std::memcpy(body + records[i].offset, segment.block->data() + segment.offset, segment.size);
    }
  } else {
    if (lengths_size > 0) std::memcpy(body, call.lengths, lengths_size);
    copy_text(call.text, narrow, body + lengths_size);
  }
  auto* message = reinterpret_cast<CallMessage*>(place);
  message->ticket = call.ticket;
  message->claim = free_claims_.back();
  free_claims_.pop_back();
  claim(message->claim).store(claim_of(call.ticket, Claim::kWaiting), std::memory_order_relaxed);
  message->within = within;
  message->call = call.id;
  message->handler = call.handler;
  message->count = call.count;
  message->kind = static_cast<uint32_t>(call.kind);
  message->narrow = narrow ? 1 : 0;
  message->lengths = static_cast<uint32_t>(lengths_size / sizeof(int32_t));
  message->segments = static_cast<uint32_t>(records.size());
  message->layout = static_cast<uint32_t>(call.layout.size());
  message->text_at = lengths_size;
  message->units = call.text.size;
  message->body = {body_size, block == nullptr ? 0 : block->id, 0};
  sent.claim = message->claim;
  sent.bytes = body_size;
  link_->out.publish();
  link_->wake();
  return Answer::kSent;
}

bool WorkerSession::take_back(uint32_t block) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!ours_.take_back(block)) return false;
  while (uint32_t id = ours_.surplus()) say_block(MessageType::kUnmap, id, 0);
  return true;
}

bool WorkerSession::map(uint32_t id, size_t size) {
  int descriptor = link_->take_descriptor(id);
  if (descriptor < 0) return false;
  std::shared_ptr<SharedBlock> block = SharedBlock::adopt(id, descriptor, size);
  std::lock_guard<std::mutex> lock(mutex_);
  // Twice as many as an honest one makes: what was given back may still be on its way.
  return block != nullptr && theirs_.size() < 2 * BlockStore::kMost &&
         theirs_.emplace(id, std::move(block)).second;
}

bool WorkerSession::unmap(uint32_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  return theirs_.erase(id) == 1;
}

std::shared_ptr<SharedBlock> WorkerSession::theirs(uint32_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = theirs_.find(id);
  return found == theirs_.end() ? nullptr : found->second;
}

void WorkerSession::give_back(uint32_t block) {
  std::lock_guard<std::mutex> lock(mutex_);
  say_block(MessageType::kGiveBack, block, 0);
}

}  // namespace rxp
