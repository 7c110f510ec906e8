#include "process/worker.h"

#include <unistd.h>

#include <cstring>

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
      sink_(std::make_shared<WorkerSink>(*link_)) {}

HandlerDefinition Worker::handler(int32_t id) { return handlers_[id]; }

void Worker::serve() {
  for (;;) {
    runtime_.drain_reaper();
    size_t size = 0;
    char* message = link_->in.peek(&size);
    if (link_->in.broken()) give_up();
    if (message == nullptr) {
      if (!wait()) _exit(0);
      continue;
    }
    bool more = dispatch(message);
    link_->in.advance();
    if (!more) break;
  }
  interpreter_->close();
  interpreter_.reset();
}

// False when the pool has gone.
bool Worker::wait() {
  PyThreadState* state = api_.PyEval_SaveThread();
  Link::Woken woken = link_->wait(-1);
  api_.PyEval_RestoreThread(state);
  // Handlers may have set up signal handlers of their own.
  if (woken == Link::Woken::kTimeout && api_.PyErr_CheckSignals() != 0) api_.PyErr_Clear();
  return woken != Link::Woken::kGone;
}

bool Worker::fits(const char* message) {
  std::lock_guard<std::mutex> lock(blocks_mutex_);
  return request_fits(message, [this](uint32_t id) -> const SharedBlock* {
    auto found = blocks_.find(id);
    return found == blocks_.end() ? nullptr : found->second.block.get();
  });
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
      map_block(block->block, block->size);
      return true;
    case MessageType::kUnmap:
      unmap_block(block->block);
      return true;
    case MessageType::kGiveBack:
      if (!sink_->take_back(block->block)) give_up();
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
  bool open = interpreter_->open(0);
  if (message->body.block != 0) drop_block(message->body.block);
  if (!open) _exit(1);
}

void Worker::define(char* place) {
  auto* message = reinterpret_cast<DefineMessage*>(place);
  HandlerDefinition definition;
  definition.codecs.in = static_cast<CodecKind>(message->codec_in);
  definition.codecs.out = static_cast<CodecKind>(message->codec_out);
  definition.codecs.exact = message->exact != 0;
  const char* body = body_of(place, sizeof *message, message->body);
  definition.request.resize(message->units);
  std::memcpy(&definition.request[0], body, message->units * sizeof(char16_t));
  handlers_[message->handler] = std::move(definition);
  if (message->body.block != 0) drop_block(message->body.block);
}

void Worker::run(char* place) {
  auto* message = reinterpret_cast<CallMessage*>(place);
  // The pool may withdraw a call until here.
  Claim expected = Claim::kWaiting;
  bool mine = message->claim.compare_exchange_strong(expected, Claim::kTaken);
  char* body = body_of(place, sizeof *message, message->body);
  if (mine) {
    link_->state().running.store(message->ticket);
    Call call;
    run(place, call, body);
    for (auto& segment : call.segments) {
      if (segment.block != nullptr) segment.block->release();
    }
    link_->state().running.store(0);
  }
  if (message->body.block != 0) drop_block(message->body.block);
}

void Worker::run(char* place, Call& call, char* body) {
  auto* message = reinterpret_cast<CallMessage*>(place);
  call.id = message->call;
  call.ticket = message->ticket;
  call.handler = message->handler;
  call.count = message->count;
  call.kind = static_cast<CallKind>(message->kind);
  if (message->lengths > 0) call.lengths = reinterpret_cast<const int32_t*>(body);
  call.text = TextView{body + message->text_at, message->units, message->narrow != 0};
  call.segments.resize(message->segments);
  auto* records = reinterpret_cast<const SegmentRecord*>(body);
  for (size_t i = 0; i < call.segments.size(); i++) {
    const SegmentRecord& record = records[i];
    Segment& segment = call.segments[i];
    segment.type = record.type;
    segment.size = record.size;
    if (record.block != 0) {
      segment.block = lend(record.block, nullptr, 0);
      segment.offset = record.offset;
      segment.shared = true;
    } else if (message->body.block != 0) {
      segment.block = lend(message->body.block, body + record.offset, record.size);
    } else {
      // The ring's memory is used again, and numpy may keep what it was given.
      segment.block = MemoryBlock::allocate(record.size);
      if (segment.block == nullptr) give_up();
      std::memcpy(segment.block->data(), body + record.offset, record.size);
    }
  }
  sink_->begin(call);
  interpreter_->run(call);
}

char* Worker::body_of(char* message, size_t message_size, const Body& body) {
  return body.block == 0 ? message + message_size : use_block(body.block);
}

void Worker::map_block(uint32_t id, size_t size) {
  int descriptor = link_->take_descriptor(id);
  auto block = descriptor < 0 ? nullptr : SharedBlock::adopt(id, descriptor, size);
  if (block == nullptr) give_up();
  std::lock_guard<std::mutex> lock(blocks_mutex_);
  blocks_[id].block = std::move(block);
}

void Worker::unmap_block(uint32_t id) {
  std::lock_guard<std::mutex> lock(blocks_mutex_);
  auto found = blocks_.find(id);
  if (found == blocks_.end()) return;
  if (found->second.users == 0) {
    blocks_.erase(found);
  } else {
    found->second.doomed = true;
  }
}

char* Worker::use_block(uint32_t id) {
  std::lock_guard<std::mutex> lock(blocks_mutex_);
  auto found = blocks_.find(id);
  if (found == blocks_.end()) give_up();
  found->second.users++;
  return found->second.block->data;
}

// Any thread: whichever drops the last reference.
void Worker::drop_block(uint32_t id) {
  {
    std::lock_guard<std::mutex> lock(blocks_mutex_);
    auto found = blocks_.find(id);
    if (found == blocks_.end() || --found->second.users > 0) return;
    if (found->second.doomed) blocks_.erase(found);
  }
  // Those of pool.allocate() are not used again, so nobody waits for them.
  if ((id & kAllocatedBlock) == 0) sink_->say_block(MessageType::kGiveBack, id, 0);
}

// A part of a mapped block, or where `data` is null the whole of it, for as long as Python uses it.
MemoryBlock* Worker::lend(uint32_t id, char* data, size_t size) {
  struct Use {
    Worker* worker;
    uint32_t id;
  };
  char* base = use_block(id);
  if (data == nullptr) {
    std::lock_guard<std::mutex> lock(blocks_mutex_);
    data = base;
    size = blocks_[id].block->size;
  }
  return MemoryBlock::pin(
      data, size,
      [](void* context) {
        std::unique_ptr<Use> use(static_cast<Use*>(context));
        use->worker->drop_block(use->id);
      },
      new Use{this, id});
}

}  // namespace rxp
