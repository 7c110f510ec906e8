// The native half of a PythonPool: a queue, its interpreters and where their results go.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "interpreter/runtime.h"
#include "queue/call_queue.h"
#include "queue/result_channel.h"

namespace rxp {

struct HandlerCodecs {
  CodecKind in = CodecKind::kString;
  CodecKind out = CodecKind::kString;
  bool exact = true;  // one result for each item
};

// What the JavaScript side needs to know to interrupt an interpreter. Owned by the pool, so it may
// be read when the interpreter has gone.
struct Seat {
  std::mutex mutex;  // held while an asynchronous exception is set or cleared
  std::atomic<uint64_t> interrupted{0};  // the ticket of the call that was last asked to stop
  Runtime* runtime = nullptr;
  bool home = false;
  unsigned long ident = 0;
};

class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(int32_t id, std::shared_ptr<ResultChannel> channel, RuntimeOptions options,
       std::string host_options);

  int32_t id() const { return id_; }
  const std::string& host_options() const { return host_options_; }
  CallQueue& queue() { return queue_; }
  ResultChannel& channel() { return *channel_; }
  std::shared_ptr<ResultChannel> shared_channel() { return channel_; }

  // Starts one more interpreter and returns its seat. The result of `call` tells when it is ready.
  int start(int32_t call);
  // The interpreter leaves after the calls that are meant for it; then `call` gets its result.
  void stop(int seat, int32_t call);

  void define_handler(int32_t handler, HandlerCodecs codecs);
  HandlerCodecs handler_codecs(int32_t handler);

  // 0: not there (any more), 1: removed before it ran, 2: running, and asked to stop.
  int cancel(int32_t call);
  // The JavaScript thread is going away: drops what waits, interrupts what runs, and returns when
  // no interpreter uses that thread's memory any more (rule M2).
  void abandon();

  Seat& seat(int index);

  // The host of a runtime that several interpreters of this pool share; null until the first of
  // them has made it. Owned references, only touched with that runtime's GIL held.
  PyObject* shared_host = nullptr;
  int shared_host_users = 0;

 private:
  static constexpr int32_t kGone = -1;

  // The interpreter has left the seat, and its thread is free.
  void leave(int seat);
  void post_null(int32_t call);
  // Asks the call with this ticket to stop, if the seat still runs it.
  void interrupt(int seat, uint64_t ticket);

  const int32_t id_;
  const std::shared_ptr<ResultChannel> channel_;
  const RuntimeOptions options_;
  const std::string host_options_;
  CallQueue queue_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<int32_t> stop_calls_;  // by seat: 0 until stop(), or kGone
  std::vector<HandlerCodecs> handlers_;
};

}  // namespace rxp
