// An interpreter that is not in this process, as its pool sees it.
#pragma once

#include <atomic>
#include <cstdint>

#include "interpreter/workplace.h"
#include "queue/call_queue.h"

namespace rxp {

// All functions may be called on any thread.
class RemoteSeat {
 public:
  virtual ~RemoteSeat() = default;

  // Starts the interpreter; the result of `call` tells when it is ready.
  virtual void start(int32_t call) = 0;
  // Hands it one more call. False when none waits for it, or it has enough.
  virtual bool feed() = 0;
  // How many calls it holds.
  virtual int load() const = 0;
  virtual CallQueue::Cancelled cancel(uint64_t ticket) = 0;
  virtual void define(int32_t handler, const HandlerDefinition& definition) = 0;
  // The memory of its process in bytes; 0 when there is none.
  virtual size_t memory() = 0;
  // Its seat has been closed: it leaves when nothing is left to do.
  virtual void leave() = 0;
  // Ends it now, and drops its calls.
  virtual void abandon() = 0;
};

// What became of a pool's interpreters since it was opened.
struct PoolCounters {
  std::atomic<int> crashes{0};    // worker processes that ended by themselves
  std::atomic<int> stuck{0};      // interpreters given up because a call did not stop
  std::atomic<int> stuck_now{0};  // those of them that still occupy a thread of this process
  std::atomic<int> restarts{0};   // interpreters started in place of such
  std::atomic<int> ready{0};      // worker processes that take calls now
};

}  // namespace rxp
