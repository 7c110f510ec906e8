#include "process/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "platform/platform.h"
#include "platform/processes.h"
#include "process/callback_line.h"
#include "process/reports.h"
#include "process/request_check.h"

namespace rxp {
namespace {

// The pool is not to be mistrusted, but a handler may have written over the shared memory.
[[noreturn]] void give_up() { _exit(70); }

}  // namespace

Worker::Worker(Runtime& runtime, std::unique_ptr<Link> link)
    : runtime_(runtime),
      api_(runtime.api()),
      link_(std::move(link)),
      sink_(std::make_shared<WorkerSink>(*link_)),
      blocks_([this](uint32_t id) {
        // Those of pool.allocate() are not used again, so nobody waits for them.
        if ((id & kAllocatedBlock) == 0) sink_->say_block(MessageType::kGiveBack, id, 0);
      }),
      woken_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

HandlerDefinition Worker::handler(int32_t id) { return handlers_[id]; }

void Worker::serve() {
  for (;;) {
    runtime_.drain_reaper();
    if (stopping_) break;
    if (step()) continue;
    if (interpreter_ != nullptr && interpreter_->in_flight() > 0) {
      fly();
    } else if (!wait()) {
      _exit(0);
    }
  }
  interpreter_->close();
  interpreter_.reset();
}

bool Worker::step() {
  const bool full = interpreter_ != nullptr && interpreter_->full();
  if (!postponed_.empty() && !full) {
    std::vector<char> message = std::move(postponed_.front());
    postponed_.pop_front();
    if (!dispatch(message.data())) stopping_ = true;
    return true;
  }
  size_t size = 0;
  char* message = link_->in.peek(&size);
  if (link_->in.broken()) give_up();
  if (message == nullptr) return false;
  reading_ = true;
  if (full && waits(message, false)) {
    postponed_.emplace_back(message, message + size);
  } else if (!dispatch(message)) {
    stopping_ = true;
  }
  give_place_up();
  return true;
}

bool Worker::waits(const char* place, bool nested) const {
  if (!fits(place)) give_up();
  auto* message = reinterpret_cast<const CallMessage*>(place);
  if (message->header.type == MessageType::kStop) return nested;
  return message->header.type == MessageType::kCall && message->within == 0 &&
         !is_service(static_cast<CallKind>(message->kind));
}

void Worker::fly() {
  if (!link_->begin_wait()) return;
  std::vector<Call*> ended;
  interpreter_->run_loop(link_->socket(), ended);
  if (!link_->end_wait()) _exit(0);
  for (Call* call : ended) {
    auto found = flights_.find(call->ticket);
    Flight flight = std::move(found->second);
    flights_.erase(found);
    end(*flight.call, flight.block);
  }
}

void Worker::end(Call& call, uint32_t block) {
  for (auto& segment : call.segments) {
    if (segment.block != nullptr) segment.block->release();
  }
  if (block != 0) blocks_.drop(block);
}

// What is in a message is not looked at any more when Python's code runs, so its place may be used
// again while that waits: otherwise the ring would fill up behind it.
void Worker::give_place_up() {
  if (reading_) link_->in.advance();
  reading_ = false;
}

// In the middle of a call: runs what was made on its behalf, and keeps other calls for later.
Worker::Nested Worker::nested_step() {
  give_place_up();
  size_t size = 0;
  char* place = link_->in.peek(&size);
  if (link_->in.broken()) give_up();
  if (place == nullptr) return Nested::kNothing;
  const bool postpone = waits(place, true);
  const bool ours =
      !postpone && reinterpret_cast<MessageHeader*>(place)->type == MessageType::kCall;
  reading_ = true;
  if (postpone) {
    postponed_.emplace_back(place, place + size);
  } else if (!dispatch(place)) {
    stopping_ = true;
  }
  give_place_up();
  return ours ? Nested::kCall : Nested::kMessage;
}

bool Worker::wait(int32_t number, CallbackDesk::Clock::time_point until, bool serve) {
  if (serve && announced_ != number) sink_->say_waiting(number);
  announced_ = number;
  for (;;) {
    Nested did = serve ? nested_step() : Nested::kNothing;
    if (did == Nested::kCall) return true;
    if (did == Nested::kMessage) continue;
    auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - CallbackDesk::Clock::now());
    int milliseconds = static_cast<int>(std::clamp<int64_t>(left.count() + 1, 0, 1 << 30));
    PyThreadState* state = api_.PyEval_SaveThread();
    auto woken = Link::Woken::kOther;
    if (serve) {
      woken = link_->wait(milliseconds, woken_);
    } else {
      platform::wait_readable(woken_, milliseconds);
    }
    api_.PyEval_RestoreThread(state);
    if (woken == Link::Woken::kGone) _exit(0);
    if (woken == Link::Woken::kSocket) continue;
    uint64_t count = 0;
    (void)!read(woken_, &count, sizeof count);
    return false;
  }
}

std::function<void()> Worker::waker() {
  return [descriptor = woken_] {
    uint64_t one = 1;
    (void)!write(descriptor, &one, sizeof one);
  };
}

// A moment's wait for the next message. Calls that come one by one mostly come right after the
// result of the last one, sooner than a process that sleeps would be awake again. Where nothing
// comes it is tried less and less often, so that many workers do not take the cores from others.
void Worker::linger() {
  static const bool has_cores = std::thread::hardware_concurrency() > 1;
  constexpr auto kLinger = std::chrono::microseconds(30);
  constexpr int kMostVain = 8;
  if (!has_cores) return;
  if (skip_ > 0) {
    skip_--;
    return;
  }
  const auto until = std::chrono::steady_clock::now() + kLinger;
  while (!link_->in.ready()) {
    for (int i = 0; i < 16; i++) platform::relax();
    if (std::chrono::steady_clock::now() < until) continue;
    vain_ = std::min(vain_ + 1, kMostVain);
    skip_ = (1 << vain_) - 1;
    return;
  }
  vain_ = 0;
}

// False when the pool has gone.
bool Worker::wait() {
  PyThreadState* state = api_.PyEval_SaveThread();
  linger();
  Link::Woken woken = link_->wait(-1);
  api_.PyEval_RestoreThread(state);
  // Handlers may have set up signal handlers of their own.
  if (woken == Link::Woken::kTimeout && api_.PyErr_CheckSignals() != 0) api_.PyErr_Clear();
  return woken != Link::Woken::kGone;
}

bool Worker::fits(const char* message) const {
  return blocks_.examine([message](const auto& find) { return request_fits(message, find); });
}

bool Worker::dispatch(char* message) {
  if (!fits(message)) give_up();
  auto* block = reinterpret_cast<BlockMessage*>(message);
  switch (block->header.type) {
    case MessageType::kStart:
      start(message);
      return true;
    case MessageType::kCall:
      run(message);
      return true;
    case MessageType::kDefine:
      define(message);
      return true;
    case MessageType::kMap:
      if (!blocks_.map(block->block, link_->take_descriptor(block->block), block->size)) give_up();
      return true;
    case MessageType::kUnmap:
      blocks_.unmap(block->block);
      return true;
    case MessageType::kGiveBack:
      if (!sink_->take_back(block->block)) give_up();
      return true;
    case MessageType::kCancel:
      interpreter_->cancel(reinterpret_cast<FlightMessage*>(message)->ticket);
      return true;
    case MessageType::kStop:
      return false;
    default:
      give_up();
  }
}

void Worker::start(char* place) {
  auto* message = reinterpret_cast<StartMessage*>(place);
  char* body = body_of(place, sizeof *message, message->body);
  host_options_.assign(body, message->body.size);
  pool_ = message->pool;
  interpreter_ = std::make_unique<Interpreter>(*this, runtime_, link_->state().interrupted);
  interpreter_->set_waiter(this);
  interpreter_->allow_flight();
  int line = link_->take_descriptor(kAnswerLine);
  if (line < 0) give_up();
  // Not before it is needed: Python warns of forks in a process that has threads.
  sink_->at_first_callback([owner = callbacks, line] {
    read_answers(line, [owner](int32_t number, bool ok, TextView text) {
      auto& desk = CallbackDesk::instance();
      if (number == 0) {
        desk.close(owner);
      } else {
        desk.answer(owner, number, ok, text);
      }
    });
  });
  bool open = interpreter_->open(0);
  if (message->body.block != 0) blocks_.drop(message->body.block);
  if (!open) _exit(1);
}

void Worker::define(char* place) {
  auto* message = reinterpret_cast<DefineMessage*>(place);
  HandlerDefinition definition;
  definition.codecs.in = static_cast<CodecKind>(message->codec_in);
  definition.codecs.out = static_cast<CodecKind>(message->codec_out);
  definition.codecs.exact = message->exact != 0;
  definition.async_limit = static_cast<int>(message->async_limit);
  const char* body = body_of(place, sizeof *message, message->body);
  definition.request.resize(message->units);
  std::memcpy(&definition.request[0], body, message->units * sizeof(char16_t));
  // Numbers are used again: what was loaded under this one was another handler's.
  if (interpreter_ != nullptr) interpreter_->forget(message->handler);
  handlers_[message->handler] = std::move(definition);
  if (message->body.block != 0) blocks_.drop(message->body.block);
}

void Worker::run(char* place) {
  auto* message = reinterpret_cast<CallMessage*>(place);
  // The pool may withdraw a call until here.
  const uint64_t ticket = message->ticket;
  const uint32_t block = message->body.block;
  uint64_t expected = claim_of(ticket, Claim::kWaiting);
  bool mine = link_->state().claims[message->claim].compare_exchange_strong(
      expected, claim_of(ticket, Claim::kTaken));
  char* body = body_of(place, sizeof *message, message->body);
  if (mine) {
    uint64_t before = link_->state().running.exchange(ticket);
    auto call = std::make_unique<Call>();
    bool done = run(place, *call, body);
    link_->state().running.store(before);
    if (done) {
      end(*call, block);
    } else {
      sink_->say_in_flight(ticket, interpreter_->full());
      flights_[ticket] = {std::move(call), block};
    }
  } else if (block != 0) {
    blocks_.drop(block);
  }
}

bool Worker::run(char* place, Call& call, char* body) {
  auto* message = reinterpret_cast<CallMessage*>(place);
  call.id = message->call;
  call.ticket = message->ticket;
  call.handler = message->handler;
  call.within = message->within;
  call.count = message->count;
  call.kind = static_cast<CallKind>(message->kind);
  if (message->lengths > 0) call.lengths = reinterpret_cast<const int32_t*>(body);
  call.text = TextView{body + message->text_at, message->units, message->narrow != 0};
  call.segments.resize(message->segments);
  auto* records = reinterpret_cast<const SegmentRecord*>(body);
  auto* layout = reinterpret_cast<const int64_t*>(records + message->segments);
  call.layout.assign(layout, layout + message->layout);
  for (size_t i = 0; i < call.segments.size(); i++) {
    const SegmentRecord& record = records[i];
    Segment& segment = call.segments[i];
    segment.type = record.type;
    segment.size = record.size;
    if (record.block != 0) {
      segment.block = blocks_.lend(record.block, nullptr, 0);
      segment.offset = record.offset;
      segment.shared = true;
    } else if (message->body.block != 0) {
      segment.block = blocks_.lend(message->body.block, body + record.offset, record.size);
    } else {
      // The ring's memory is used again, and numpy may keep what it was given.
      segment.block = MemoryBlock::allocate(record.size);
      if (segment.block != nullptr) {
        std::memcpy(segment.block->data(), body + record.offset, record.size);
      }
    }
    if (segment.block == nullptr) give_up();
  }
  WorkerSink::Place before = sink_->save();
  sink_->begin(call);
  bool done = interpreter_->run(call);
  sink_->restore(before);
  return done;
}

char* Worker::body_of(char* message, size_t message_size, const Body& body) {
  if (body.block == 0) return message + message_size;
  char* data = blocks_.use(body.block);
  if (data == nullptr) give_up();
  return data;
}

}  // namespace rxp
