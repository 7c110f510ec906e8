#include "callback/desk.h"

#include <utility>
#include <vector>

#include "queue/call.h"

namespace rxp {

TextView CallbackDesk::closed_answer() {
  static constexpr char kText[] =
      "[{\"name\":\"PoolClosedError\",\"code\":\"ERR_POOL_CLOSED\",\"message\":\"the pool was "
      "closed before the callback had answered\",\"stack\":\"\"}]";
  return {kText, sizeof kText - 1, true};
}

CallbackDesk& CallbackDesk::instance() {
  static CallbackDesk& desk = *new CallbackDesk;
  return desk;
}

int32_t CallbackDesk::add(Request request) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (request.owner->closed_) return 0;
  do {
    last_ = last_ == kAwaited - 1 ? 1 : last_ + 1;
  } while (requests_.count(last_) != 0);
  requests_.emplace(last_, std::move(request));
  return last_;
}

int32_t CallbackDesk::begin(const std::shared_ptr<CallbackOwner>& owner, Runtime* runtime, int seat,
                            bool future) {
  if (owner->busy.load(std::memory_order_relaxed)) return kRefused;
  Request request;
  request.owner = owner;
  request.runtime = runtime;
  request.seat = seat;
  request.future = future;
  return add(std::move(request));
}

int32_t CallbackDesk::forward(const std::shared_ptr<CallbackOwner>& owner, int seat, Forward to) {
  Request request;
  request.owner = owner;
  request.seat = seat;
  request.forward = std::move(to);
  return add(std::move(request));
}

bool CallbackDesk::answer(const std::shared_ptr<CallbackOwner>& owner, int32_t number, bool ok,
                          TextView text) {
  Forward forward;
  std::function<void()> wake;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = requests_.find(number);
    if (found == requests_.end()) return false;
    Request& request = found->second;
    if (request.owner != owner || request.answered) return false;
    if (request.forward) {
      forward = std::move(request.forward);
      requests_.erase(found);
    } else {
      request.answered = true;
      request.ok = ok;
      request.text.append(text);
      wake = request.wake;
      if (request.future) ready_[request.runtime].push_back(number);
    }
  }
  // Without the lock: what they do takes other locks.
  if (forward) {
    forward(ok, text);
    return true;
  }
  changed_.notify_all();
  if (wake) wake();
  return true;
}

void CallbackDesk::drop(int32_t number) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    requests_.erase(number);
  }
  changed_.notify_all();
}

void CallbackDesk::close(const std::shared_ptr<CallbackOwner>& owner) {
  std::vector<int32_t> open;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    owner->closed_ = true;
    for (auto& [number, request] : requests_) {
      if (request.owner == owner && !request.answered) open.push_back(number);
    }
  }
  for (int32_t number : open) answer(owner, number, false, closed_answer());
}

CallbackDesk::State CallbackDesk::take(int32_t number, Answer& answer) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = requests_.find(number);
  if (found == requests_.end()) return State::kGone;
  Request& request = found->second;
  if (!request.answered) return State::kWaiting;
  answer.number = number;
  answer.ok = request.ok;
  answer.text = std::move(request.text);
  requests_.erase(found);
  return State::kAnswered;
}

void CallbackDesk::attend(int32_t number, std::function<void()> wake) {
  std::function<void()> now;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = requests_.find(number);
    if (found == requests_.end() || found->second.answered) {
      now = std::move(wake);
    } else {
      found->second.wake = std::move(wake);
    }
  }
  if (now) now();
}

void CallbackDesk::wait(int32_t number, Clock::time_point until) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_until(lock, until, [&] {
    auto found = requests_.find(number);
    return found == requests_.end() || found->second.answered;
  });
}

bool CallbackDesk::next(Runtime* runtime, Clock::time_point until, Answer& answer) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    auto& ready = ready_[runtime];
    if (!changed_.wait_until(lock, until, [&] { return !ready.empty(); })) return false;
    int32_t number = ready.front();
    ready.pop_front();
    auto found = requests_.find(number);
    if (found == requests_.end()) continue;  // whoever waited for it has taken it
    answer.number = number;
    answer.ok = found->second.ok;
    answer.text = std::move(found->second.text);
    requests_.erase(found);
    return true;
  }
}

int CallbackDesk::seat_of(const std::shared_ptr<CallbackOwner>& owner, int32_t number) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = requests_.find(number);
  if (found == requests_.end() || found->second.owner != owner) return kNobody;
  return found->second.seat;
}

}  // namespace rxp
