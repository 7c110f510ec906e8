// What a worker process says, brought to the result channel (rule P2: copied, checked, then used).
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>

#include "process/remote_interpreter.h"

namespace rxp {
namespace {

constexpr size_t kMostAsked = 1 << 16;  // callbacks of one worker that have no answer yet

// A size that a worker made up is to end that worker, and a container that cannot grow would end
// this process: large amounts are asked for first where a refusal can be heard.
bool affordable(uint64_t units, size_t unit_size) {
  constexpr uint64_t kSurelyThere = 64 << 20;
  if (units <= kSurelyThere / unit_size) return true;
  if (units > std::numeric_limits<size_t>::max() / 2 / unit_size) return false;
  void* volatile probe = std::malloc(static_cast<size_t>(units) * unit_size);
  std::free(probe);
  return probe != nullptr;
}

template <typename Message>
bool read_message(const char* place, size_t size, Message& message) {
  if (size < sizeof message) return false;
  std::memcpy(static_cast<void*>(&message), place, sizeof message);
  return true;
}

struct BodyView {
  char* data = nullptr;
  size_t size = 0;
  std::shared_ptr<SharedBlock> block;
};

bool find_body(WorkerSession& session, const char* place, size_t size, size_t message_size,
               const Body& body, BodyView& view) {
  view.size = body.size;
  if (body.block == 0) {
    view.data = const_cast<char*>(place) + message_size;
    return body.size <= size - message_size;
  }
  view.block = session.theirs(body.block);
  if (view.block == nullptr || body.size > view.block->size) return false;
  view.data = view.block->data;
  return true;
}

// Appends a text that begins at `at`. False when it does not lie in the body.
bool read_text(const BodyView& body, uint64_t at, uint64_t units, bool narrow, TextBuffer& text) {
  size_t width = narrow ? 1 : 2;
  if (at > body.size || at % width != 0 || units > (body.size - at) / width ||
      !affordable(units, width)) {
    return false;
  }
  text.append({body.data + at, static_cast<size_t>(units), narrow});
  return true;
}

// A worker's block in JavaScript's hands: the worker gets it back when JavaScript has dropped it.
struct LentBlock {
  std::shared_ptr<WorkerSession> session;
  std::shared_ptr<SharedBlock> block;
};

MemoryBlock* pin_block(WorkerSession& session, const BodyView& body, size_t from) {
  return MemoryBlock::pin(
      body.data + from, body.size - from,
      [](void* context) {
        std::unique_ptr<LentBlock> lent(static_cast<LentBlock*>(context));
        lent->session->give_back(lent->block->id);
      },
      new LentBlock{session.shared_from_this(), body.block});
}

}  // namespace

bool RemoteInterpreter::take(WorkerSession& session, const char* message, size_t size) {
  MessageType type = reinterpret_cast<const MessageHeader*>(message)->type;
  switch (type) {
    case MessageType::kText:
      return take_text(session, message, size);
    case MessageType::kBinary:
      return take_binary(session, message, size);
    case MessageType::kOutput:
      return take_output(session, message, size);
    case MessageType::kCallback:
      return take_callback(session, message, size);
    case MessageType::kInFlight:
      return take_in_flight(message, size);
    case MessageType::kCallbackWait:
      return take_callback_wait(message, size);
    case MessageType::kMap:
    case MessageType::kUnmap:
    case MessageType::kGiveBack:
      return take_block(session, message, size, type);
    default:
      return false;
  }
}

Call* RemoteInterpreter::finished(uint64_t ticket, uint64_t nanoseconds) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto one = outstanding_.begin(); one != outstanding_.end(); ++one) {
    if (one->call->ticket != ticket) continue;
    Call* call = one->call;
    remove(one);
    if (call->kind == CallKind::kText || call->kind == CallKind::kBinary) {
      auto took = static_cast<double>(nanoseconds) + 1;
      average_ = average_ >= kUnknown ? took : kOldShare * average_ + (1 - kOldShare) * took;
    }
    failures_ = 0;
    return call;
  }
  return nullptr;
}

bool RemoteInterpreter::take_text(WorkerSession& session, const char* place, size_t size) {
  TextMessage message;
  BodyView body;
  if (!read_message(place, size, message) ||
      !find_body(session, place, size, sizeof message, message.body, body) ||
      message.lengths > body.size / sizeof(int32_t) ||
      message.lengths > std::numeric_limits<int32_t>::max() ||
      !affordable(message.lengths, sizeof(int32_t)) || message.status < 0 ||
      message.status > static_cast<int32_t>(ResultStatus::kSpecials)) {
    return false;
  }
  lengths_.resize(message.lengths);
  if (message.lengths > 0) {
    std::memcpy(lengths_.data(), body.data, message.lengths * sizeof(int32_t));
  }
  uint64_t sum = 0;
  for (int32_t length : lengths_) {
    if (length < 0) return false;
    sum += static_cast<uint64_t>(length);
  }
  text_.clear();
  if (sum != message.units ||
      !read_text(body, message.text_at, message.units, message.narrow != 0, text_)) {
    return false;
  }
  if (body.block != nullptr) session.give_back(body.block->id);
  auto status = static_cast<ResultStatus>(message.status);
  ResultChannel& channel = pool_->channel();
  if (message.ticket == kStartTicket) return take_start(status);
  Call* call = finished(message.ticket, message.nanoseconds);
  // One that was dropped meanwhile (abandon) is nobody's any more.
  if (call == nullptr) return abandoned();
  channel.post_text(pool_->pool_id(), call->id, status, text_, lengths_);
  pool_->queue().finish(seat_, call);
  return true;
}

// The answer to the start of the process; text_ and lengths_ hold it.
bool RemoteInterpreter::take_start(ResultStatus status) {
  if (ready_) return false;
  if (status == ResultStatus::kOk) {
    ready_ = true;
    pool_->counters().ready++;
    std::lock_guard<std::mutex> lock(mutex_);
    open_ = !abandoned_;
  }
  if (start_call_ == 0) return true;
  // A first process that fails says why itself; there is no second one then.
  int32_t call = start_call_;
  start_call_ = 0;
  pool_->channel().post_text(pool_->pool_id(), call, status, text_, lengths_);
  if (status != ResultStatus::kOk) pool_->queue().close_seat(seat_);
  return true;
}

bool RemoteInterpreter::take_binary(WorkerSession& session, const char* place, size_t size) {
  BinaryMessage message;
  BodyView body;
  if (!read_message(place, size, message) ||
      !find_body(session, place, size, sizeof message, message.body, body) ||
      message.items > body.size / sizeof(ItemRecord) || message.data_at > body.size ||
      message.items * sizeof(ItemRecord) > message.data_at ||
      message.items > std::numeric_limits<int32_t>::max() ||
      !affordable(message.items, sizeof(ItemRecord) + sizeof(BinaryItem))) {
    return false;
  }
  size_t data_size = body.size - message.data_at;
  std::vector<ItemRecord> records(message.items);
  if (message.items > 0) {
    std::memcpy(records.data(), body.data, message.items * sizeof(ItemRecord));
  }
  for (const ItemRecord& record : records) {
    if (record.type < 0 || record.type >= kArrayTypes) return false;
    if (record.alias < 0 &&
        (record.offset > data_size || record.size > data_size - record.offset)) {
      return false;
    }
  }
  Call* call = finished(message.ticket, message.nanoseconds);
  if (call == nullptr) return abandoned();

  MemoryBlock* block = nullptr;
  if (body.block != nullptr) {
    block = pin_block(session, body, message.data_at);
  } else if (data_size > 0) {
    block = MemoryBlock::allocate(data_size);
    if (block != nullptr) std::memcpy(block->data(), body.data + message.data_at, data_size);
  }
  bool fits = block != nullptr || data_size == 0;
  std::vector<BinaryItem> items(records.size());
  for (size_t i = 0; fits && i < records.size(); i++) {
    const ItemRecord& record = records[i];
    items[i].type = record.type;
    items[i].offset = record.offset;
    items[i].size = record.size;
    if (record.alias >= 0) {
      items[i].alias = record.alias;
      fits = static_cast<size_t>(record.alias) < call->segments.size();
      if (!fits) break;
      MemoryBlock* input = call->segments[static_cast<size_t>(record.alias)].block;
      fits = input->descriptor() >= 0 && record.offset <= input->size() &&
             record.size <= input->size() - record.offset;
    } else if (record.size > 0) {
      block->retain();
      items[i].block = block;
    } else {
      items[i].offset = 0;  // an empty item gets a buffer of its own
    }
  }
  if (block != nullptr) block->release();
  if (fits) {
    pool_->channel().post_binary(pool_->pool_id(), call->id, items);
  } else {
    for (BinaryItem& item : items) discard(item);
    post_error(call->id, no_memory_report());
  }
  pool_->queue().finish(seat_, call);
  return fits;
}

bool RemoteInterpreter::take_output(WorkerSession& session, const char* place, size_t size) {
  OutputMessage message;
  BodyView body;
  TextBuffer text;
  if (!read_message(place, size, message) ||
      !find_body(session, place, size, sizeof message, message.body, body) ||
      !read_text(body, 0, message.units, message.narrow != 0, text)) {
    return false;
  }
  if (body.block != nullptr) session.give_back(body.block->id);
  auto kind = static_cast<BlockKind>(message.kind);
  bool known = kind == BlockKind::kOutput || kind == BlockKind::kLog || kind == BlockKind::kNotice;
  if (!known) return false;
  pool_->channel().post_output(pool_->pool_id(), kind, message.stream, text);
  return true;
}

// A request to JavaScript: it goes on under a number of ours, and its answer comes back as one of
// the worker's.
bool RemoteInterpreter::take_callback(WorkerSession& session, const char* place, size_t size) {
  CallbackMessage message;
  BodyView body;
  TextBuffer text;
  if (!read_message(place, size, message) ||
      !find_body(session, place, size, sizeof message, message.body, body) ||
      !read_text(body, 0, message.units, message.narrow != 0, text) || message.number <= 0) {
    return false;
  }
  if (body.block != nullptr) session.give_back(body.block->id);
  text.specials = message.specials != 0;
  auto& desk = CallbackDesk::instance();
  const int32_t theirs = message.number;
  int32_t number = 0;
  {
    // Held until the number is known here, too: its answer may come at once.
    std::lock_guard<std::mutex> lock(mutex_);
    if (asked_.size() >= kMostAsked) return false;
    number =
        desk.forward(pool_->callbacks, seat_,
                     [weak = weak_from_this(), life = session.weak_from_this(), theirs](
                         bool ok, TextView answer) {
                       auto self = weak.lock();
                       auto target = life.lock();
                       if (self == nullptr || target == nullptr) return;
                       {
                         std::lock_guard<std::mutex> guard(self->mutex_);
                         if (self->session_ != target) return;
                         self->awaited_.erase(theirs);
                         for (auto one = self->asked_.begin(); one != self->asked_.end();) {
                           one = one->second == theirs ? self->asked_.erase(one) : std::next(one);
                         }
                       }
                       if (!target->answer(theirs, ok, answer)) self->nudge();
                     });
    if (number != 0) asked_[number] = theirs;
  }
  if (number == 0) {
    if (!session.answer(theirs, false, CallbackDesk::closed_answer())) nudge();
  } else {
    pool_->channel().post_callback(pool_->pool_id(), number, text);
  }
  return true;
}

bool RemoteInterpreter::take_in_flight(const char* place, size_t size) {
  FlightMessage message;
  if (!read_message(place, size, message)) return false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (Outstanding& one : outstanding_) {
      if (one.call->ticket != message.ticket || one.flies) continue;
      one.flies = true;
      pool_->queue().fly(seat_, one.call);
      flying_++;
      outstanding_bytes_ -= one.bytes;
      flight_full_ = message.full != 0;
    }
  }
  pool_->feed();
  return true;
}

bool RemoteInterpreter::take_callback_wait(const char* place, size_t size) {
  CallbackWaitMessage message;
  if (!read_message(place, size, message)) return false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    bool open = std::any_of(asked_.begin(), asked_.end(),
                            [&](const auto& one) { return one.second == message.number; });
    if (open) awaited_.insert(message.number);
  }
  pool_->feed();
  return true;
}

bool RemoteInterpreter::take_block(WorkerSession& session, const char* place, size_t size,
                                   MessageType type) {
  BlockMessage message;
  if (!read_message(place, size, message)) return false;
  switch (type) {
    case MessageType::kMap:
      return session.map(message.block, message.size);
    case MessageType::kUnmap:
      return session.unmap(message.block);
    default:
      return session.take_back(message.block);
  }
}

}  // namespace rxp
