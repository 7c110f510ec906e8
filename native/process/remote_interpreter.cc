#include "process/remote_interpreter.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "platform/platform.h"
#include "platform/processes.h"
#include "process/reports.h"

namespace rxp {
namespace {

// Calls that are quicker than the way there and back are handed over several at a time, so that the
// way is paid for once; slow ones one by one, so that none waits behind another.
constexpr double kQuick = 1e6;     // nanoseconds a call
constexpr double kAhead = 200e3;   // nanoseconds of work
constexpr double kMostAhead = 64;  // calls
constexpr size_t kBytesAhead = 64 << 10;

}  // namespace

RemoteInterpreter::RemoteInterpreter(std::shared_ptr<Pool> pool, int seat, WorkerProgram program)
    : pool_(std::move(pool)),
      seat_(seat),
      program_(std::move(program)),
      nudge_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

RemoteInterpreter::~RemoteInterpreter() { close(nudge_); }

void RemoteInterpreter::start(int32_t call) {
  start_call_ = call;
  platform::start_thread([self = shared_from_this()] { self->run(); }, "python-worker");
}

void RemoteInterpreter::nudge() {
  uint64_t one = 1;
  (void)!write(nudge_, &one, sizeof one);
}

void RemoteInterpreter::define(int32_t handler, const HandlerDefinition& definition) {
  std::lock_guard<std::mutex> lock(mutex_);
  stateful_used_.erase(handler);
  state_lost_.erase(handler);
  if (session_ != nullptr) session_->define(handler, definition);
}

bool RemoteInterpreter::feed() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!open_ || stop_sent_) return false;
  bool full = false;
  if (flight_full_) {
    full = true;
  } else if (outstanding_.size() > flying_) {
    double ahead = average_ > kQuick ? 1 : std::clamp(kAhead / average_, 2.0, kMostAhead);
    full = static_cast<double>(outstanding_.size() - flying_) >= ahead ||
           outstanding_bytes_ >= kBytesAhead;
  }
  // While it waits for a callback, it runs what was made on behalf of that (rule C3).
  if (full && awaited_.empty() && !flight_full_) return false;
  CallQueue& queue = pool_->queue();
  Call* call = full ? queue.hand_out_nested(seat_) : queue.hand_out(seat_);
  if (call == nullptr) {
    if (outstanding_.empty() && queue.seat_closed(seat_)) {
      stop_sent_ = true;
      session_->stop();
      lock.unlock();
      nudge();
    }
    return false;
  }
  if (call->kind == CallKind::kForget) {
    stateful_used_.erase(call->handler);
    state_lost_.erase(call->handler);
  } else if (call->kind != CallKind::kControl && call->interpreter != kAnyInterpreter &&
             !call->keyed) {
    if (state_lost_.count(call->handler) != 0) {
      lock.unlock();
      post_error(call->id, crash_report("the state of this handler was lost when its worker "
                                        "process ended; make the handler anew",
                                        lost_ending_));
      queue.finish(seat_, call);
      return true;
    }
    stateful_used_.insert(call->handler);
  }
  WorkerSession::Sent sent;
  WorkerSession::Answer answer = session_->send(*call, within(*call), sent);
  if (answer == WorkerSession::Answer::kSent) {
    outstanding_.push_back({call, sent.claim, sent.bytes});
    outstanding_bytes_ += sent.bytes;
    load_.store(static_cast<int>(outstanding_.size()), std::memory_order_relaxed);
    return true;
  }
  if (answer == WorkerSession::Answer::kNoRoom) {
    queue.give_back(seat_, {call});
    starved_ = true;
    lock.unlock();
    nudge();
    return false;
  }
  lock.unlock();
  post_error(call->id, no_memory_report());
  queue.finish(seat_, call);
  return true;
}

CallQueue::Cancelled RemoteInterpreter::cancel(uint64_t ticket) {
  std::unique_lock<std::mutex> lock(mutex_);
  auto found = std::find_if(outstanding_.begin(), outstanding_.end(),
                            [&](const Outstanding& one) { return one.call->ticket == ticket; });
  if (found == outstanding_.end() || session_ == nullptr) return CallQueue::Cancelled::kNotFound;
  if (withdraw(*found)) {
    Call* call = found->call;
    remove(found);
    lock.unlock();
    pool_->queue().finish(seat_, call);
    // The worker says nothing of it, and there may be calls, or an end, that wait for its place.
    nudge();
    return CallQueue::Cancelled::kRemoved;
  }
  session_->link().state().interrupted.store(ticket);
  if (found->flies) session_->cancel(ticket);
  if (interrupted_ != ticket) {
    interrupted_ = ticket;
    interrupt_deadline_ = Clock::now() + std::chrono::milliseconds(program_.grace);
    nudge();
  }
  child_->signal(platform::interrupt_signal(0));
  return CallQueue::Cancelled::kRunning;
}

bool RemoteInterpreter::withdraw(const Outstanding& one) {
  uint64_t expected = claim_of(one.call->ticket, Claim::kWaiting);
  return session_->claim(one.claim).compare_exchange_strong(
      expected, claim_of(one.call->ticket, Claim::kWithdrawn));
}

// Also when the claim was written over.
bool RemoteInterpreter::begun(const Outstanding& one) {
  return session_->claim(one.claim).load() != claim_of(one.call->ticket, Claim::kWaiting);
}

int32_t RemoteInterpreter::within(const Call& call) const {
  if (call.within == 0) return 0;
  auto found = asked_.find(call.within);
  return found == asked_.end() ? -1 : found->second;
}

void RemoteInterpreter::remove(std::vector<Outstanding>::iterator place) {
  if (session_ != nullptr) session_->free_claim(place->claim);
  if (place->flies) {
    flying_--;
    flight_full_ = false;
  } else {
    outstanding_bytes_ -= place->bytes;
  }
  outstanding_.erase(place);
  load_.store(static_cast<int>(outstanding_.size()), std::memory_order_relaxed);
}

size_t RemoteInterpreter::memory() {
  std::lock_guard<std::mutex> lock(mutex_);
  return child_ == nullptr ? 0 : child_->memory();
}

void RemoteInterpreter::abandon() {
  std::vector<Outstanding> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    abandoned_ = true;
    open_ = false;
    dropped.swap(outstanding_);
    outstanding_bytes_ = 0;
    flying_ = 0;
    if (session_ != nullptr) session_->close();
    if (child_ != nullptr) child_->kill();
  }
  for (auto& one : dropped) pool_->queue().finish(seat_, one.call);
  nudge();
}

bool RemoteInterpreter::abandoned() {
  std::lock_guard<std::mutex> lock(mutex_);
  return abandoned_;
}

std::string RemoteInterpreter::no_memory_report() {
  return plain_report("ERR_PYTHON_EXCEPTION",
                      "there is no memory to share with the worker process");
}

// Takes back the calls that wait behind one that takes its time, so that others may run them.
void RemoteInterpreter::relieve() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (outstanding_.size() - flying_ < 2) return;
    auto now = Clock::now();
    auto running = std::find_if(outstanding_.begin(), outstanding_.end(),
                                [](const Outstanding& one) { return !one.flies; });
    uint64_t first = running->call->ticket;
    if (first != first_ticket_) {
      first_ticket_ = first;
      first_since_ = now;
    }
    if (now - first_since_ < std::chrono::milliseconds(kBehind)) return;
    std::vector<Call*> back;
    for (size_t i = 0; i < outstanding_.size();) {
      Outstanding& one = outstanding_[i];
      bool ours = one.call->interpreter != kAnyInterpreter || one.call->asker == seat_;
      if (one.flies || one.call->ticket == first || ours || !withdraw(one)) {
        i++;
        continue;
      }
      back.push_back(one.call);
      remove(outstanding_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (back.empty()) return;
    average_ = std::max(average_, 2 * kQuick);
    pool_->queue().give_back(seat_, back);
  }
  pool_->feed();
}

void RemoteInterpreter::post_error(int32_t call, const std::string& report) {
  TextBuffer text;
  text.append_ascii(report.data(), report.size());
  std::vector<int32_t> lengths{static_cast<int32_t>(report.size())};
  pool_->channel().post_text(pool_->pool_id(), call, ResultStatus::kError, text, lengths);
}

}  // namespace rxp
