#include "interpreter/pool.h"

#include <chrono>
#include <thread>

#include <algorithm>
#include <utility>

#include "interpreter/error_report.h"
#include "interpreter/tenant.h"
#include "interpreter/visitor.h"
#include "platform/platform.h"

namespace rxp {

Pool::Pool(int32_t id, std::shared_ptr<ResultChannel> channel, RuntimeOptions options,
           std::string host_options, RemoteFactory remote)
    : id_(id),
      channel_(std::move(channel)),
      options_(std::move(options)),
      host_options_(std::move(host_options)),
      make_remote_(std::move(remote)) {}

int Pool::start(int32_t call) {
  int index = queue_.add_seat();
  add_place(index);
  for (int orphan : queue_.adopt_orphans(index)) inherit_states(orphan, index, kNoHandler);
  if (make_remote_) {
    auto remote = make_remote_(shared_from_this(), index);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      remotes_.resize(std::max(remotes_.size(), static_cast<size_t>(index) + 1));
      remotes_[static_cast<size_t>(index)] = remote;
    }
    remote->start(call);
    return index;
  }
  launch(index, call, false);
  return index;
}

void Pool::add_place(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto place = static_cast<size_t>(index);
  if (place == seats_.size()) {
    seats_.push_back(std::make_unique<Seat>());
    stop_calls_.push_back(0);
    stuck_.push_back(false);
  }
  seats_[place]->reset();
  stop_calls_[place] = 0;
  stuck_[place] = false;
}

void Pool::launch(int index, int32_t call, bool replaces) {
  auto stay = [self = shared_from_this(), index, call, replaces](Runtime::Lease& lease) {
    if (!lease.error.empty()) {
      if (replaces) self->merge(index);
      self->post_error(call, lease.error_code.c_str(), lease.error);
      self->leave(index);
      return;
    }
    if (replaces) self->counters_.restarts++;
    // Whoever hears that the interpreter has left may open the next one, which is to get this
    // thread.
    lease.after = [self, index] { self->leave(index); };
    Tenant(*self, lease, index).stay(call);
  };
  Runtime::lease(options_, std::move(stay));
}

Pool::GivenUp Pool::give_up(int32_t call, int32_t start_call) {
  CallQueue::Running running = queue_.find_running(call);
  int seat = running.seat;
  if (make_remote_ || seat < 0) return GivenUp::kNot;
  bool closing = false;
  int32_t stop_call = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto index = static_cast<size_t>(seat);
    if (stuck_[index]) return GivenUp::kNot;
    closing = stop_calls_[index] > 0;
    // Its thread has not left the process, but nobody waits for that.
    if (closing) stop_call = std::exchange(stop_calls_[index], 0);
    int next = closing ? -1 : queue_.replace_seat(seat, running.ticket);
    if (!closing && next < 0) return GivenUp::kNot;
    stuck_[index] = true;
    counters_.stuck++;
    counters_.stuck_now++;
  }
  if (closing) {
    post_null(stop_call);
    return GivenUp::kClosed;
  }
  int next = queue_.resolve(seat);
  add_place(next);  // only this thread adds seats
  inherit_states(seat, next, running.handler);
  if (start_call == 0) {
    merge(next);
    leave(next);
    return GivenUp::kLost;
  }
  launch(next, start_call, true);
  return GivenUp::kReplaced;
}

void Pool::merge(int index) {
  if (queue_.merge_seat(index)) inherit_states(index, queue_.resolve(index), kNoHandler);
}

// What the stuck interpreter kept for handlers is out of reach in another runtime; in the same one
// the stuck call may still change what its own handler keeps.
void Pool::inherit_states(int from, int to, int32_t handler) {
  Seat& old_seat = seat(from);
  Seat& new_seat = seat(to);
  std::scoped_lock lock(old_seat.states_mutex, new_seat.states_mutex);
  new_seat.lost_states.insert(old_seat.lost_states.begin(), old_seat.lost_states.end());
  for (int32_t state : old_seat.states) {
    if (options_.isolation != Isolation::kShared || state == handler) {
      new_seat.lost_states.insert(state);
    } else {
      new_seat.states.insert(state);
    }
  }
}

void Pool::open(int seat) {
  queue_.open_seat(seat);
  if (make_remote_) feed();
}

void Pool::hand_over(int from, int to) {
  queue_.hand_over(from, to);
  if (make_remote_) feed();
}

size_t Pool::memory(int seat) {
  return make_remote_ ? remotes()[static_cast<size_t>(seat)]->memory() : 0;
}

void Pool::stop(int seat, int32_t call) {
  bool gone = false;
  bool empty = false;
  if (!make_remote_) seat = queue_.resolve(seat);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    int32_t& stop_call = stop_calls_[static_cast<size_t>(seat)];
    gone = stop_call != 0;  // it left, or serves two seats and leaves for the sake of the other
    empty = stop_call == kGone;
    if (!gone) stop_call = call;
  }
  if (gone) {
    if (empty) queue_.free_seat(seat);
    post_null(call);
    return;
  }
  queue_.close_seat(seat);
  if (make_remote_) remotes()[static_cast<size_t>(seat)]->leave();
}

void Pool::leave(int seat) {
  int32_t stop_call = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_call = std::exchange(stop_calls_[static_cast<size_t>(seat)], kGone);
    if (stuck_[static_cast<size_t>(seat)]) counters_.stuck_now--;
  }
  if (stop_call == 0) return;
  queue_.free_seat(seat);
  post_null(stop_call);
}

void Pool::post_null(int32_t call) {
  TextBuffer text;
  std::vector<int32_t> lengths{4};
  text.append_ascii("null", 4);
  channel_->post_text(id_, call, ResultStatus::kOk, text, lengths);
}

void Pool::post_error(int32_t call, const char* code, const std::string& message) {
  TextBuffer text;
  write_plain_report(code, message, text);
  std::vector<int32_t> lengths{static_cast<int32_t>(text.size())};
  channel_->post_text(id_, call, ResultStatus::kError, text, lengths);
}

void Pool::define_handler(int32_t id, HandlerDefinition definition) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    handlers_[id] = definition;
  }
  for (auto& remote : remotes()) remote->define(id, definition);
}

HandlerDefinition Pool::handler(int32_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  return handlers_[id];
}

std::vector<std::pair<int32_t, HandlerDefinition>> Pool::handlers() {
  std::lock_guard<std::mutex> lock(mutex_);
  return {handlers_.begin(), handlers_.end()};
}

std::vector<std::shared_ptr<RemoteSeat>> Pool::remotes() {
  std::lock_guard<std::mutex> lock(mutex_);
  return remotes_;
}

void Pool::push(Envelope* envelope) {
  for (auto& call : envelope->calls) {
    if (call.within != 0) call.asker = CallbackDesk::instance().seat_of(callbacks, call.within);
  }
  queue_.push(envelope);
  if (make_remote_) feed();
}

void Pool::feed() {
  const auto waiting = remotes();
  // Each load is read once for each turn: they change meanwhile, and a sort whose order changes
  // under it runs out of its bounds.
  std::vector<std::pair<int, RemoteSeat*>> order;
  for (bool fed = true; fed;) {
    fed = false;
    order.clear();
    for (const auto& remote : waiting) order.emplace_back(remote->load(), remote.get());
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [load, remote] : order) fed = remote->feed() || fed;
  }
}

Pool::Borrowed::Borrowed(Pool& pool, Call& call) : pool_(pool), call_(call) {
  if (pool.make_remote_ || pool.options_.isolation != Isolation::kShared) return;
  seat_ = pool.queue_.borrow_seat();
  if (seat_ >= 0) interpreter_ = pool.seat(seat_).interpreter;
}

Pool::Borrowed::~Borrowed() {
  if (seat_ >= 0) pool_.queue_.return_seat(seat_, ran_ ? call_.count : -1);
}

bool Pool::Borrowed::run(PyThreadState* state, HeldResult& held) {
  pool_.callbacks->busy.store(true, std::memory_order_relaxed);
  ran_ = interpreter_->run_here(call_, state, held);
  pool_.callbacks->busy.store(false, std::memory_order_relaxed);
  return ran_;
}

Seat& Pool::seat(int index) {
  std::lock_guard<std::mutex> lock(mutex_);
  return *seats_[static_cast<size_t>(index)];
}

int Pool::cancel(int32_t call) {
  // A call that its worker process had may be on its way back to the queue (that process ended, or
  // is slow), or be about to end: then neither has it for a moment. Whoever asks again finds it.
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  do {
    int index = -1;
    uint64_t ticket = 0;
    switch (queue_.cancel(call, &index, &ticket)) {
      case CallQueue::Cancelled::kNotFound:
        return 0;
      case CallQueue::Cancelled::kRemoved:
        return 1;
      case CallQueue::Cancelled::kRunning:
        break;
    }
    if (!make_remote_) {
      interrupt(index, ticket);
      return 2;
    }
    switch (remotes()[static_cast<size_t>(index)]->cancel(ticket)) {
      case CallQueue::Cancelled::kNotFound:
        break;
      case CallQueue::Cancelled::kRemoved:
        return 1;
      case CallQueue::Cancelled::kRunning:
        return 2;
    }
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < until);
  return 2;
}

void Pool::interrupt(int index, uint64_t ticket) {
  Seat& place = seat(index);
  place.interrupted.store(ticket);
  bool flies = false;
  {
    std::lock_guard<std::mutex> lock(place.mutex);
    flies = place.in_flight.count(ticket) != 0;
    if (flies) place.cancelled.push_back(ticket);
  }
  // A task is cancelled by its loop. Where it blocks that, the signal breaks it; an exception sent
  // to another thread might hit any task.
  if (flies) queue_.poke(index);
  if (flies && !place.home) return;
  if (place.home && place.runtime->signal() > 0) {
    platform::send_signal(place.runtime->home_thread(), place.runtime->signal());
    queue_.poke(index);  // it may wait for a callback
  } else if (place.runtime != nullptr) {
    place.runtime->interrupt_thread(place.ident, [self = shared_from_this(), index,
                                                  ticket](const std::function<void()>& raise) {
      Seat& target = self->seat(index);
      std::lock_guard<std::mutex> lock(target.mutex);
      if (target.in_flight.count(ticket) != 0 || target.loading.load()) return;
      if (!self->queue_.runs(index, ticket)) return;
      raise();
      self->queue_.poke(index);
    });
  }
}

void Pool::abandon() {
  constexpr int kPatience = 20;  // milliseconds between interrupts
  queue_.clear(false);
  CallbackDesk::instance().close(callbacks);
  for (auto& remote : remotes()) remote->abandon();
  size_t count = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    count = seats_.size();
  }
  for (;;) {
    if (!make_remote_) interrupt_all();
    bool idle = queue_.wait_idle(
        [](const Call& running) {
          for (const auto& segment : running.segments) {
            if (segment.block->pinned()) return true;
          }
          return false;
        },
        kPatience);
    if (idle) break;
  }
  for (size_t i = 0; i < count; i++) queue_.close_seat(static_cast<int>(i));
  if (!make_remote_ && interrupt_all()) {
    // Code may swallow an interrupt, and no JavaScript thread is left that would ask again.
    platform::start_thread(
        [self = shared_from_this()] {
          constexpr int kAttempts = 600;
          for (int i = 0; i < kAttempts && self->interrupt_all(); i++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
          }
        },
        "python-stop");
  }
}

// Asks every call that runs to stop; false when there is none.
bool Pool::interrupt_all() {
  size_t count = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    count = seats_.size();
  }
  bool any = false;
  for (size_t i = 0; i < count; i++) {
    for (uint64_t ticket : queue_.running(static_cast<int>(i))) {
      any = true;
      interrupt(static_cast<int>(i), ticket);
    }
  }
  return any;
}

}  // namespace rxp
