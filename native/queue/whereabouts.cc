// Where a call is: what waits, what runs and for how long, and what is taken back.
#include <algorithm>
#include <chrono>

#include "queue/call_queue.h"

namespace rxp {

CallQueue::Running CallQueue::find_running(int32_t id) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return waits(id) ? Running{} : locate(id);
}

// A call's result is posted before the call ends, and its id may stand for another by then: the
// newest is the one that is meant.
CallQueue::Running CallQueue::locate(int32_t id) const {
  Running newest;
  for (size_t i = 0; i < seats_.size(); i++) {
    for (const Call* call : seats_[i]->running) {
      if (call->id != id || call->ticket <= newest.ticket) continue;
      newest = {static_cast<int>(i), call->ticket, call->handler};
    }
  }
  return newest;
}

bool CallQueue::waits(int32_t id) const {
  auto has = [id](const std::deque<Call*>& queue) {
    return std::any_of(queue.begin(), queue.end(), [id](Call* call) { return call->id == id; });
  };
  return has(common_) || has(urgent_) ||
         std::any_of(seats_.begin(), seats_.end(), [&](auto& seat) { return has(seat->own); });
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
  if (removed == nullptr) removed = remove_from(urgent_);
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
    clear_one(urgent_);
    for (auto& seat : seats_) clear_one(seat->own);
  }
  for (Call* call : removed) {
    ids.push_back(call->id);
    call->envelope->finish_one();
  }
  return ids;
}

std::vector<int32_t> CallQueue::held_with(int32_t id) const {
  std::lock_guard<std::mutex> lock(mutex_);
  int seat = locate(id).seat;
  std::vector<int32_t> others;
  if (seat < 0) return others;
  for (const Call* call : seats_[static_cast<size_t>(seat)]->running) {
    if (call->id != id) others.push_back(call->id);
  }
  return others;
}

int64_t CallQueue::runs_for(int32_t id) const {
  std::lock_guard<std::mutex> lock(mutex_);
  Running found = waits(id) ? Running{} : locate(id);
  if (found.seat < 0) return -1;
  Seat& seat = *seats_[static_cast<size_t>(found.seat)];
  auto is_it = [&](const Call* call) { return call->ticket == found.ticket; };
  const Call* call = *std::find_if(seat.running.begin(), seat.running.end(), is_it);
  return runs(seat, *call) ? now() - call->began : -1;
}

std::vector<uint64_t> CallQueue::running(int seat) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<uint64_t> tickets;
  for (Call* call : seats_[static_cast<size_t>(seat)]->running) tickets.push_back(call->ticket);
  return tickets;
}

bool CallQueue::runs(int seat, uint64_t ticket) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto& running = seats_[static_cast<size_t>(seat)]->running;
  return std::any_of(running.begin(), running.end(),
                     [&](const Call* call) { return call->ticket == ticket; });
}

size_t CallQueue::waiting() const {
  std::lock_guard<std::mutex> lock(mutex_);
  size_t count = common_.size() + urgent_.size();
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
