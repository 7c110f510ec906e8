// The seats of a queue: how they come and go, and who takes over what was meant for them.
#include <algorithm>

#include "queue/call_queue.h"

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
  if (seat.busy_waiting() && !(common_.empty() && urgent_.empty())) wake(seat);
}

void CallQueue::free_seat(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  seats_[static_cast<size_t>(index)]->free = true;
}

void CallQueue::close_seat(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  Seat& seat = *seats_[static_cast<size_t>(index)];
  seat.closed = true;
  if (seat.busy_waiting()) wake(seat);
}

bool CallQueue::seat_closed(int seat) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Seat& place = *seats_[static_cast<size_t>(seat)];
  return place.closed && place.own.empty();
}

void CallQueue::hand_over(int from, int to) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto& source = serving(from).own;
  Seat& target = serving(to);
  if (&source == &target.own) return;
  auto moved = std::stable_partition(source.begin(), source.end(),
                                     [](const Call* call) { return !call->keyed; });
  for (auto call = moved; call != source.end(); ++call) (*call)->interpreter = to;
  target.own.insert(target.own.begin(), moved, source.end());
  source.erase(moved, source.end());
  if (target.busy_waiting() && !target.own.empty()) wake(target);
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
    if (other.busy_waiting() && !other.own.empty()) wake(other);
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

CallQueue::Load CallQueue::load(int index) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Seat& seat = *seats_[static_cast<size_t>(resolved(index))];
  Load load = seat.done;
  if (seat.batches > 0) load.busy += now() - seat.busy_since;
  load.waiting = seat.own.size();
  return load;
}

}  // namespace rxp
