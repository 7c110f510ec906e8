#include "queue/call_queue.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "platform/platform.h"

namespace rxp {

void CallQueue::wake(Seat& seat) {
  seat.waiting = false;
  // Both, where a step of the loop waits for a callback.
  if (seat.looping >= 0) platform::make_readable(std::exchange(seat.looping, -1));
  seat.wake.notify_one();
}

bool CallQueue::begin_loop(int index, int descriptor, bool full) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  bool open = seat.opened && !seat.closed;
  bool common = open && (!urgent_.empty() || (!full && !common_.empty()));
  if (seat.poked || !seat.own.empty() || common) {
    seat.poked = false;
    return false;
  }
  seat.full = full;
  seat.looping = descriptor;
  return true;
}

void CallQueue::end_loop(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  seat.looping = -1;
  seat.full = false;
}

void CallQueue::push(Envelope* envelope) {
  // The envelope may be freed by an interpreter as soon as the lock is released.
  std::lock_guard<std::mutex> lock(mutex_);
  pushes_.store(pushes_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  size_t common = 0;
  envelope->open.store(static_cast<int>(envelope->calls.size()), std::memory_order_relaxed);
  for (auto& call : envelope->calls) {
    call.envelope = envelope;
    call.ticket = ++last_ticket_;
    home_of(call).push_back(&call);
    if (call.interpreter == kAnyInterpreter) {
      common++;
    } else {
      Seat& seat = serving(call.interpreter);
      if (seat.busy_waiting()) wake(seat);
    }
  }
  for (auto& seat : seats_) {
    if (common == 0) break;
    if (!seat->waiting || seat->closed || !seat->opened) continue;
    wake(*seat);
    common--;
  }
  for (auto& seat : seats_) {
    if (common == 0) break;
    if (seat->looping < 0 || seat->closed || !seat->opened) continue;
    if (seat->full && urgent_.empty()) continue;
    wake(*seat);
    common--;
  }
  if (!urgent_.empty()) {
    for (auto& seat : seats_) {
      if (seat->calling) wake(*seat);
    }
  }
}

std::deque<Call*>& CallQueue::home_of(Call& call) {
  if (call.interpreter != kAnyInterpreter) return serving(call.interpreter).own;
  return call.within != 0 ? urgent_ : common_;
}

Call* CallQueue::pop(Seat& seat) {
  std::deque<Call*>& shared = urgent_.empty() ? common_ : urgent_;
  std::deque<Call*>& queue = seat.own.empty() ? shared : seat.own;
  if (queue.empty()) return nullptr;
  if (&queue == &shared && (seat.closed || !seat.opened)) return nullptr;
  Call* call = queue.front();
  queue.pop_front();
  hold(seat, call, now());
  return call;
}

int64_t CallQueue::now() {
  auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

Call* CallQueue::in_turn(const Seat& seat) {
  auto found = std::find_if(seat.running.begin(), seat.running.end(),
                            [](const Call* call) { return !call->beside; });
  return found == seat.running.end() ? nullptr : *found;
}

void CallQueue::hold(Seat& seat, Call* call, int64_t time) {
  call->began = time;
  seat.running.push_back(call);
  if (is_batch(*call) && seat.batches++ == 0) seat.busy_since = time;
}

void CallQueue::drop(Seat& seat, Call* call, bool ended, int64_t time) {
  const bool ran = runs(seat, *call);
  const bool had_turn = ran && !call->beside;
  seat.running.erase(std::find(seat.running.begin(), seat.running.end(), call));
  call->beside = false;
  if (is_batch(*call)) {
    if (--seat.batches == 0) seat.done.busy += time - seat.busy_since;
    if (ended && ran) {
      seat.done.batches++;
      seat.done.items += call->count;
    }
  }
  if (had_turn) begin_turn(seat, time);
}

void CallQueue::begin_turn(Seat& seat, int64_t time) {
  Call* call = in_turn(seat);
  if (call != nullptr) call->began = time;
}

void CallQueue::fly(int index, Call* call) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  const bool had_turn = in_turn(seat) == call;
  call->beside = true;
  if (had_turn) begin_turn(seat, now());
}

Call* CallQueue::next(int index, Call* finished, bool full) {
  Call* call = nullptr;
  bool watched = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Seat& seat = *seats_[static_cast<size_t>(index)];
    if (finished != nullptr) drop(seat, finished, true, now());
    watched = watchers_ > 0;
    bool nothing = full && seat.own.empty() && urgent_.empty();
    call = nothing ? nullptr : pop(seat);
  }
  if (watched) idle_.notify_all();
  if (finished != nullptr) finished->envelope->finish_one();
  return call;
}

// A moment's wait for the next push. Calls that come one by one mostly come right after the results
// of the last ones, sooner than a thread that sleeps would be awake again. One interpreter at a
// time, and only where another core is left for JavaScript.
void CallQueue::spin() {
  static const bool has_cores = std::thread::hardware_concurrency() > 1;
  constexpr auto kSpin = std::chrono::microseconds(20);
  if (!has_cores || spinning_.exchange(true, std::memory_order_relaxed)) return;
  uint32_t seen = pushes_.load(std::memory_order_relaxed);
  auto until = std::chrono::steady_clock::now() + kSpin;
  while (pushes_.load(std::memory_order_relaxed) == seen) {
    for (int i = 0; i < 16; i++) platform::relax();
    if (std::chrono::steady_clock::now() > until) break;
  }
  spinning_.store(false, std::memory_order_relaxed);
}

Call* CallQueue::take(int index) {
  std::unique_lock<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  seat.idle = true;
  lock.unlock();
  spin();
  lock.lock();
  for (;;) {
    if (!seat.borrowed) {
      Call* call = pop(seat);
      if (call != nullptr || seat.closed || seat.poked) {
        if (call == nullptr) seat.poked = false;
        seat.idle = false;
        return call;
      }
    }
    seat.waiting = true;
    seat.wake.wait(lock);
    seat.waiting = false;
  }
}

int CallQueue::borrow_seat() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!common_.empty() || !urgent_.empty()) return -1;
  for (size_t i = 0; i < seats_.size(); i++) {
    Seat& seat = *seats_[i];
    bool free = seat.idle && seat.opened && !seat.closed && !seat.poked && seat.own.empty();
    if (!free || !seat.running.empty()) continue;
    seat.borrowed = true;
    return static_cast<int>(i);
  }
  return -1;
}

void CallQueue::return_seat(int index, int32_t items) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  seat.borrowed = false;
  if (items >= 0) {
    seat.done.batches++;
    seat.done.items += items;
  }
  const bool wanted = seat.poked || seat.closed || !seat.own.empty();
  if (seat.waiting && (wanted || !common_.empty() || !urgent_.empty())) wake(seat);
}

// What an interpreter may run in the middle of another call.
Call* CallQueue::pop_nested(int index) {
  Seat& seat = *seats_[static_cast<size_t>(index)];
  auto take_from = [&](std::deque<Call*>& queue, auto fits) -> Call* {
    auto found = std::find_if(queue.begin(), queue.end(), fits);
    if (found == queue.end()) return nullptr;
    Call* call = *found;
    queue.erase(found);
    hold(seat, call, now());
    call->beside = true;
    return call;
  };
  Call* call = take_from(seat.own,
                         [](const Call* one) { return one->within != 0 || is_service(one->kind); });
  if (call != nullptr) return call;
  return take_from(urgent_,
                   [&](const Call* one) { return one->asker == index || one->asker == -1; });
}

Call* CallQueue::take_nested(int index, std::chrono::steady_clock::time_point until, bool serve) {
  std::unique_lock<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  for (bool late = false;;) {
    Call* call = serve ? pop_nested(index) : nullptr;
    if (call != nullptr) return call;
    if (seat.poked || late) {
      seat.poked = false;
      return nullptr;
    }
    seat.calling = true;
    late = seat.wake.wait_until(lock, until) == std::cv_status::timeout;
    seat.calling = false;
  }
}

Call* CallQueue::hand_out_nested(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  return pop_nested(index);
}

Call* CallQueue::hand_out(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  return pop(*seats_[static_cast<size_t>(index)]);
}

void CallQueue::finish(int index, Call* call) {
  bool watched = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Seat& seat = *seats_[static_cast<size_t>(index)];
    drop(seat, call, true, now());
    watched = watchers_ > 0;
  }
  if (watched) idle_.notify_all();
  call->envelope->finish_one();
}

void CallQueue::give_back(int index, const std::vector<Call*>& calls) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
    drop(seat, *call, false, now());
    home_of(**call).push_front(*call);
  }
}

void CallQueue::poke(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  seat.poked = true;
  if (seat.busy_waiting()) wake(seat);
}

}  // namespace rxp
