#include "interpreter/tenant.h"

#include <unistd.h>

#include "platform/platform.h"

namespace rxp {

Tenant::Tenant(Pool& pool, Runtime::Lease& lease, int seat)
    : pool_(pool),
      runtime_(*lease.runtime),
      api_(lease.runtime->api()),
      index_(seat),
      home_(lease.home),
      seat_(pool.seat(seat)),
      woken_(platform::make_event()),
      interpreter_(pool, *lease.runtime, seat_.interrupted) {
  seat_.runtime = &runtime_;
  seat_.home = home_;
  seat_.ident = api_.PyThread_get_thread_ident();
  seat_.interpreter = &interpreter_;
  interpreter_.set_waiter(this);
  interpreter_.set_loading_flag(&seat_.loading);
  if (woken_ >= 0) interpreter_.allow_flight();
  if (home_) {
    runtime_.set_home_poke([queue = pool.shared_from_this(), seat] { queue->queue().poke(seat); });
  }
}

Tenant::~Tenant() {
  seat_.interpreter = nullptr;
  if (home_) runtime_.set_home_poke(nullptr);
  close(woken_);
}

void Tenant::stay(int32_t call) {
  if (interpreter_.open(call)) serve();
  interpreter_.close();
}

void Tenant::serve() {
  CallQueue& queue = pool_.queue();
  Call* finished = nullptr;
  for (;;) {
    runtime_.drain_reaper();
    Call* call = next_call(finished);
    finished = nullptr;
    if (call == nullptr && interpreter_.in_flight() > 0) {
      fly();
      continue;
    }
    if (call == nullptr) {
      PyThreadState* state = api_.PyEval_SaveThread();
      call = queue.take(index_);
      api_.PyEval_RestoreThread(state);
      if (call == nullptr) {
        if (queue.seat_closed(index_)) return;
        continue;
      }
    }
    if (!state_is_here(*call) || interpreter_.run(*call)) {
      finished = call;
    } else {
      std::lock_guard<std::mutex> lock(seat_.mutex);
      seat_.in_flight.insert(call->ticket);
      queue.fly(index_, call);
    }
  }
}

// Lets the event loop run until there is something else to do.
void Tenant::fly() {
  std::vector<uint64_t> cancelled;
  {
    std::lock_guard<std::mutex> lock(seat_.mutex);
    cancelled.swap(seat_.cancelled);
  }
  for (uint64_t ticket : cancelled) interpreter_.cancel(ticket);
  CallQueue& queue = pool_.queue();
  if (!queue.begin_loop(index_, woken_, interpreter_.full())) return;
  std::vector<Call*> ended;
  interpreter_.run_loop(woken_, ended);
  queue.end_loop(index_);
  platform::make_unreadable(woken_);
  for (Call* call : ended) {
    {
      std::lock_guard<std::mutex> lock(seat_.mutex);
      seat_.in_flight.erase(call->ticket);
    }
    queue.finish(index_, call);
  }
}

bool Tenant::state_is_here(const Call& call) {
  bool forgets = call.kind == CallKind::kForget;
  if (!forgets && !call.stateful()) return true;
  std::unique_lock<std::mutex> lock(seat_.states_mutex);
  if (forgets) {
    seat_.states.erase(call.handler);
    seat_.lost_states.erase(call.handler);
    return true;
  }
  if (seat_.lost_states.count(call.handler) == 0) {
    seat_.states.insert(call.handler);
    return true;
  }
  lock.unlock();
  pool_.post_error(call.id, "ERR_PYTHON_STUCK",
                   "the state of this handler was lost when its interpreter got stuck in a call "
                   "that did not stop; make the handler anew");
  return false;
}

// The result is posted before the call ends, so an interrupt in between finds it and does no harm:
// a signal's handler sees that the running call is another, an asynchronous exception is taken
// back.
Call* Tenant::next_call(Call* finished) {
  CallQueue& queue = pool_.queue();
  const bool full = interpreter_.full();
  if (home_) return queue.next(index_, finished, full);
  std::lock_guard<std::mutex> lock(seat_.mutex);
  bool interrupted = finished != nullptr && seat_.interrupted.load() == finished->ticket;
  Call* call = queue.next(index_, finished, full);
  if (interrupted) api_.PyThreadState_SetAsyncExc(seat_.ident, nullptr);
  return call;
}

std::function<void()> Tenant::waker() {
  return [pool = pool_.shared_from_this(), seat = index_] { pool->queue().poke(seat); };
}

bool Tenant::wait(int32_t, CallbackDesk::Clock::time_point until, bool serve) {
  CallQueue& queue = pool_.queue();
  PyThreadState* state = api_.PyEval_SaveThread();
  Call* call = queue.take_nested(index_, until, serve);
  api_.PyEval_RestoreThread(state);
  if (call == nullptr) return false;
  if (!home_) {
    // An exception that was sent to the call below would be raised in this one; whoever waits there
    // asks for it again.
    std::lock_guard<std::mutex> lock(seat_.mutex);
    if (seat_.interrupted.load() != call->ticket) {
      api_.PyThreadState_SetAsyncExc(seat_.ident, nullptr);
    }
  }
  if (state_is_here(*call)) interpreter_.run(*call);
  if (home_) {
    queue.finish(index_, call);
  } else {
    std::lock_guard<std::mutex> lock(seat_.mutex);
    bool interrupted = seat_.interrupted.load() == call->ticket;
    queue.finish(index_, call);
    if (interrupted) api_.PyThreadState_SetAsyncExc(seat_.ident, nullptr);
  }
  return true;
}

}  // namespace rxp
