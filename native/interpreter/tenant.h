// A thread's stay in a runtime on behalf of one seat of a pool: takes calls and has them run.
#pragma once

#include "interpreter/interpreter.h"
#include "interpreter/pool.h"
#include "interpreter/runtime.h"

namespace rxp {

// Lives on the leased thread's stack, with the GIL held.
class Tenant final : public CallbackWaiter {
 public:
  Tenant(Pool& pool, Runtime::Lease& lease, int seat);
  ~Tenant() override;

  // Makes the host, posts the result of `call`, and serves calls until the seat is closed.
  void stay(int32_t call);

  int seat() const override { return index_; }
  bool wait(int32_t number, CallbackDesk::Clock::time_point until, bool serve) override;
  std::function<void()> waker() override;

 private:
  void serve();
  Call* next_call(Call* finished);
  // Keeps account of handlers' states. False when the call's is lost, which it has been told.
  bool state_is_here(const Call& call);
  void fly();

  Pool& pool_;
  Runtime& runtime_;
  const PythonApi& api_;
  const int index_;
  const bool home_;
  Seat& seat_;
  const int woken_;  // an event that wakes the event loop
  Interpreter interpreter_;
};

}  // namespace rxp
