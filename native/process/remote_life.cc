// The processes of a seat, one after another: started, listened to, and what follows from their
// end.
#include <unistd.h>

#include <algorithm>

#include "platform/platform.h"
#include "platform/processes.h"
#include "process/remote_interpreter.h"
#include "process/reports.h"

namespace rxp {
namespace {

constexpr size_t kAtATime = 256;  // messages from a worker
constexpr int kLeaveTime = 5000;  // milliseconds to finalise Python
constexpr int kAtOnce = 3;        // processes in a row that are replaced without a pause
constexpr int kFirstPause = 50;   // milliseconds; twice as long before each further one
constexpr int kLongestPause = 5000;
constexpr int kMostDeliveries = 2;  // of a call whose process ended without having claimed it
constexpr int kGiveUpAfter = 3;     // processes in a row that did not even start

}  // namespace

bool RemoteInterpreter::done() {
  std::lock_guard<std::mutex> lock(mutex_);
  return abandoned_ || (outstanding_.empty() && pool_->queue().seat_closed(seat_));
}

// The receiver thread: one process after another, until the seat is closed.
void RemoteInterpreter::run() {
  for (;;) {
    bool was_ready = live();
    if (start_call_ != 0) {
      post_error(start_call_, plain_report("ERR_PYTHON_START", start_error_));
      break;
    }
    if (done()) break;
    if (!was_ready && failures_ >= kGiveUpAfter && pool_->counters().ready == 0) fail_waiting();
    int doublings = failures_ - kAtOnce - 1;
    if (doublings >= 0) pause(std::min(kFirstPause << std::min(doublings, 10), kLongestPause));
    if (done()) break;
    pool_->counters().restarts++;
  }
  pool_->leave(seat_);
  // What its results needed on the way is of no use to the threads that stay.
  platform::trim_memory(nullptr);
}

// No process of this pool starts any more: calls are told so rather than left waiting for ever.
void RemoteInterpreter::fail_waiting() {
  while (Call* call = pool_->queue().hand_out(seat_)) {
    post_error(call->id, plain_report("ERR_PYTHON_START", start_error_));
    pool_->queue().finish(seat_, call);
  }
}

bool RemoteInterpreter::live() {
  Child child;
  ready_ = false;
  start_error_.clear();
  auto session = WorkerSession::create(start_error_);
  if (session == nullptr) {
    failures_++;
    return false;
  }
  Link& link = session->link();
  link.state().parent = getpid();
  if (!child.start(program_, link.other_memory(), link.other_socket(), start_error_)) {
    failures_++;
    return false;
  }
  link.close_other_socket();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    session_ = session;
    child_ = &child;
    interrupted_ = 0;
    stop_sent_ = false;
    if (abandoned_) child.kill();
    session->start(pool_->pool_id(), pool_->host_options());
    for (auto& [id, definition] : pool_->handlers()) session->define(id, definition);
  }
  Cause cause = receive(*session, child);
  if (ready_) pool_->counters().ready--;
  Ending ending = child.bury(cause == Cause::kItself ? kLeaveTime : 0);
  session->close();
  after_end(ending, cause);
  return ready_;
}

RemoteInterpreter::Cause RemoteInterpreter::receive(WorkerSession& session, Child& child) {
  Link& link = session.link();
  for (bool gone = false;;) {
    size_t size = 0;
    // Not until nothing is left: one that never stops talking must not keep time limits from it.
    size_t most = gone ? kRingSize / kAlignment : kAtATime;
    for (char* message; most > 0 && (message = link.in.peek(&size)) != nullptr; most--) {
      if (!take(session, message, size)) return Cause::kBroken;
      link.in.advance();
    }
    if (session.broken()) return Cause::kBroken;
    if (gone) return Cause::kItself;
    bool sent = session.flush();
    relieve();
    while (feed()) {
    }
    int milliseconds = patience(sent);
    if (milliseconds == 0) return stop_sent_ ? Cause::kLeaving : Cause::kStuck;
    Link::Woken woken = link.wait(milliseconds, nudge_, child.descriptor());
    if (woken == Link::Woken::kOther) {
      uint64_t count = 0;
      (void)!read(nudge_, &count, sizeof count);
    }
    // What it said before it ended is still to be read.
    gone = woken == Link::Woken::kGone ||
           (woken == Link::Woken::kAnother || child.descriptor() < 0 ? child.ended() : false);
  }
}

// Milliseconds until something has to be done without being woken; 0 when time has run out for the
// process, -1 when there is nothing.
int RemoteInterpreter::patience(bool sent) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto now = Clock::now();
  bool limited = false;
  if (stop_sent_) {
    if (!stopping_) interrupt_deadline_ = now + std::chrono::milliseconds(kLeaveTime);
    stopping_ = true;
    limited = true;
  } else if (interrupted_ != 0) {
    limited = std::any_of(outstanding_.begin(), outstanding_.end(),
                          [&](const Outstanding& one) { return one.call->ticket == interrupted_; });
    if (!limited) interrupted_ = 0;
  }
  int milliseconds = -1;
  if (limited) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(interrupt_deadline_ - now);
    if (left.count() <= 0) return 0;
    milliseconds = static_cast<int>(left.count()) + 1;
  }
  bool soon = starved_ || !sent;
  if (outstanding_.size() > flying_ + 1) soon = true;
  if (soon) milliseconds = milliseconds < 0 ? kBehind : std::min(milliseconds, kBehind);
  starved_ = false;
  return milliseconds;
}

void RemoteInterpreter::pause(int milliseconds) {
  auto until = Clock::now() + std::chrono::milliseconds(milliseconds);
  while (!done() && Clock::now() < until) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    platform::wait_readable(nudge_, static_cast<int>(left.count()) + 1);
    uint64_t count = 0;
    (void)!read(nudge_, &count, sizeof count);
  }
}

void RemoteInterpreter::after_end(const Ending& ending, Cause cause) {
  std::vector<Outstanding> open;
  std::vector<bool> claimed;
  bool leaving = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& one : outstanding_) claimed.push_back(begun(one));
    session_ = nullptr;
    child_ = nullptr;
    asked_.clear();
    awaited_.clear();
    open_ = false;
    leaving = abandoned_ || (stop_sent_ && outstanding_.empty());
    open.swap(outstanding_);
    outstanding_bytes_ = 0;
    flying_ = 0;
    flight_full_ = false;
    load_.store(0, std::memory_order_relaxed);
    if (!leaving) {
      state_lost_.insert(stateful_used_.begin(), stateful_used_.end());
      lost_ending_ = ending;
    }
  }
  if (leaving) return;
  failures_++;
  std::string how = describe_ending(ending);
  if (cause == Cause::kBroken)
    how = "wrote over the memory that it shares with Node, and was ended";
  if (cause == Cause::kStuck) {
    how = "was ended because the call did not stop within " + std::to_string(program_.grace) +
          " ms of being interrupted";
    pool_->counters().stuck++;
  } else if (ready_) {
    pool_->counters().crashes++;
  }
  if (!ready_) {
    start_error_ = "the worker process " + how + " before it was ready";
    if (!ending.faults.empty()) start_error_ += ":\n" + ending.faults;
  }
  // Whatever is not a claim was written over, like a claim that nobody made: calls are handed over
  // in order, so then it is the first one that runs. It gets the benefit of the doubt twice.
  bool known = std::find(claimed.begin(), claimed.end(), true) != claimed.end();
  std::vector<Call*> again;
  for (size_t i = 0; i < open.size(); i++) {
    const Outstanding& one = open[i];
    bool blamed = known ? claimed[i] : ready_ && i == 0 && ++one.call->deliveries > kMostDeliveries;
    if (blamed) {
      post_error(one.call->id, crash_report("the worker process " + how, ending));
      pool_->queue().finish(seat_, one.call);
    } else {
      again.push_back(one.call);
    }
  }
  if (!again.empty()) pool_->queue().give_back(seat_, again);
  pool_->feed();
}

}  // namespace rxp
