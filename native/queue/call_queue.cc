#include "queue/call_queue.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "platform/platform.h"

namespace rxp {

int CallQueue::add_seat() {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = std::find_if(seats_.begin(), seats_.end(), [](auto& seat) { return seat->free; });
  if (found == seats_.end()) found = seats_.insert(found, nullptr);
  *found = std::make_unique<Seat>();
  return static_cast<int>(found - seats_.begin());
}

void CallQueue::open_seat(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = serving(index);
  seat.opened = true;
  if (seat.waiting && !common_.empty()) wake(seat);
}

void CallQueue::free_seat(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  seats_[static_cast<size_t>(index)]->free = true;
}

void CallQueue::hand_over(int from, int to) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto& source = serving(from).own;
  Seat& target = serving(to);
  auto moved = std::stable_partition(source.begin(), source.end(),
                                     [](const Call* call) { return !call->keyed; });
  for (auto call = moved; call != source.end(); ++call) (*call)->interpreter = to;
  target.own.insert(target.own.begin(), moved, source.end());
  source.erase(moved, source.end());
  if (target.waiting && !target.own.empty()) wake(target);
}

void CallQueue::wake(Seat& seat) {
  seat.waiting = false;
  seat.wake.notify_one();
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
    if (call.interpreter == kAnyInterpreter) {
      common_.push_back(&call);
      common++;
    } else {
      Seat& seat = serving(call.interpreter);
      seat.own.push_back(&call);
      if (seat.waiting) wake(seat);
    }
  }
  for (auto& seat : seats_) {
    if (common == 0) break;
    if (!seat->waiting || seat->closed || !seat->opened) continue;
    wake(*seat);
    common--;
  }
}

Call* CallQueue::pop(Seat& seat) {
  std::deque<Call*>& queue = seat.own.empty() ? common_ : seat.own;
  if (queue.empty()) return nullptr;
  if (&queue == &common_ && (seat.closed || !seat.opened)) return nullptr;
  Call* call = queue.front();
  queue.pop_front();
  call->began = now();
  seat.running.push_back(call);
  return call;
}

int64_t CallQueue::now() {
  auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

void CallQueue::drop(Seat& seat, Call* call) {
  auto& running = seat.running;
  auto place = running.erase(std::find(running.begin(), running.end(), call));
  if (place == running.begin() && place != running.end()) (*place)->began = now();
}

Call* CallQueue::next(int index, Call* finished) {
  Call* call = nullptr;
  bool watched = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Seat& seat = *seats_[static_cast<size_t>(index)];
    if (finished != nullptr) count(seat, *finished, now());
    seat.running.clear();
    watched = watchers_ > 0;
    call = pop(seat);
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
  spin();
  std::unique_lock<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  for (;;) {
    if (Call* call = pop(seat)) return call;
    if (seat.closed || seat.poked) {
      seat.poked = false;
      return nullptr;
    }
    seat.waiting = true;
    seat.wake.wait(lock);
    seat.waiting = false;
  }
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
    if (seat.running.front() == call) count(seat, *call, now());
    drop(seat, call);
    watched = watchers_ > 0;
  }
  if (watched) idle_.notify_all();
  call->envelope->finish_one();
}

void CallQueue::give_back(int index, const std::vector<Call*>& calls) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
    drop(seat, *call);
    ((*call)->interpreter == kAnyInterpreter ? common_ : seat.own).push_front(*call);
  }
}

void CallQueue::poke(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  seat.poked = true;
  if (seat.waiting) wake(seat);
}

void CallQueue::close_seat(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  seat.closed = true;
  if (seat.waiting) wake(seat);
}

bool CallQueue::seat_closed(int seat) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Seat& place = *seats_[static_cast<size_t>(seat)];
  return place.closed && place.own.empty();
}

int CallQueue::resolved(int index) const {
  for (;;) {
    int successor = seats_[static_cast<size_t>(index)]->successor;
    if (successor < 0) return index;
    index = successor;
  }
}

int CallQueue::resolve(int seat) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return resolved(seat);
}

int CallQueue::replace_seat(int index, uint64_t ticket) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  bool runs = std::any_of(seat.running.begin(), seat.running.end(),
                          [&](Call* call) { return call->ticket == ticket; });
  if (!runs || seat.closed) return -1;
  seats_.push_back(std::make_unique<Seat>());
  seats_.back()->own.swap(seat.own);
  seats_.back()->opened = seat.opened;
  seat.closed = true;
  seat.successor = static_cast<int>(seats_.size()) - 1;
  return seat.successor;
}

bool CallQueue::merge_seat(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  seat.closed = true;
  for (size_t i = 0; i < seats_.size(); i++) {
    Seat& other = *seats_[i];
    if (other.closed || !other.opened) continue;
    other.own.insert(other.own.end(), seat.own.begin(), seat.own.end());
    seat.own.clear();
    seat.successor = static_cast<int>(i);
    if (other.waiting && !other.own.empty()) wake(other);
    return true;
  }
  seat.orphan = true;
  return false;
}

std::vector<int> CallQueue::adopt_orphans(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  std::vector<int> orphans;
  for (size_t i = 0; i < seats_.size(); i++) {
    Seat& orphan = *seats_[i];
    if (!orphan.orphan) continue;
    orphan.orphan = false;
    orphan.successor = index;
    seat.own.insert(seat.own.end(), orphan.own.begin(), orphan.own.end());
    orphan.own.clear();
    orphans.push_back(static_cast<int>(i));
  }
  return orphans;
}

CallQueue::Running CallQueue::find_running(int32_t id) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return locate(id);
}

CallQueue::Running CallQueue::locate(int32_t id) const {
  for (size_t i = 0; i < seats_.size(); i++) {
    for (const Call* call : seats_[i]->running) {
      if (call->id == id) return {static_cast<int>(i), call->ticket, call->handler};
    }
  }
  return {};
}

CallQueue::Cancelled CallQueue::cancel(int32_t id, int* running_seat, uint64_t* ticket) {
  std::unique_lock<std::mutex> lock(mutex_);
  auto remove_from = [&](std::deque<Call*>& queue) -> Call* {
    auto found = std::find_if(queue.begin(), queue.end(), [&](Call* c) { return c->id == id; });
    if (found == queue.end()) return nullptr;
    Call* call = *found;
    queue.erase(found);
    return call;
  };
  Call* removed = remove_from(common_);
  for (size_t i = 0; removed == nullptr && i < seats_.size(); i++) {
    removed = remove_from(seats_[i]->own);
  }
  if (removed != nullptr) {
    lock.unlock();
    removed->envelope->finish_one();
    return Cancelled::kRemoved;
  }
  Running running = locate(id);
  *running_seat = running.seat;
  *ticket = running.ticket;
  return running.seat < 0 ? Cancelled::kNotFound : Cancelled::kRunning;
}

std::vector<int32_t> CallQueue::clear(bool keep_control) {
  std::vector<int32_t> ids;
  std::vector<Call*> removed;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto clear_one = [&](std::deque<Call*>& queue) {
      std::deque<Call*> kept;
      for (Call* call : queue) {
        bool control = call->kind == CallKind::kControl || call->kind == CallKind::kForget;
        (keep_control && control ? (void)kept.push_back(call) : removed.push_back(call));
      }
      queue.swap(kept);
    };
    clear_one(common_);
    for (auto& seat : seats_) clear_one(seat->own);
  }
  for (Call* call : removed) {
    ids.push_back(call->id);
    call->envelope->finish_one();
  }
  return ids;
}

void CallQueue::count(Seat& seat, const Call& call, int64_t time) {
  if (!is_batch(call)) return;
  seat.done.batches++;
  seat.done.items += call.count;
  seat.done.busy += time - call.began;
}

CallQueue::Load CallQueue::load(int index) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Seat& seat = *seats_[static_cast<size_t>(resolved(index))];
  Load load = seat.done;
  if (!seat.running.empty() && is_batch(*seat.running.front())) {
    load.busy += now() - seat.running.front()->began;
  }
  load.waiting = seat.own.size();
  return load;
}

int64_t CallQueue::runs_for(int32_t id) const {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto& seat : seats_) {
    if (!seat->running.empty() && seat->running.front()->id == id) {
      return now() - seat->running.front()->began;
    }
  }
  return -1;
}

uint64_t CallQueue::running(int seat) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto& running = seats_[static_cast<size_t>(seat)]->running;
  return running.empty() ? 0 : running.front()->ticket;
}

size_t CallQueue::waiting() const {
  std::lock_guard<std::mutex> lock(mutex_);
  size_t count = common_.size();
  for (auto& seat : seats_) count += seat->own.size();
  return count;
}

bool CallQueue::wait_idle(bool (*matters)(const Call&), int milliseconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  watchers_++;
  bool idle = idle_.wait_for(lock, std::chrono::milliseconds(milliseconds), [&] {
    for (auto& seat : seats_) {
      for (Call* call : seat->running) {
        if (matters(*call)) return false;
      }
    }
    return true;
  });
  watchers_--;
  return idle;
}

}  // namespace rxp
