// One seat of a pool whose interpreter is a worker process: hands it calls, brings back its
// results, and starts another process when one has ended.
//
// P5  A call that was handed over stays in the pool's queue until its result has come. When its
//     process ends, the call that it was running fails; those that waited go back to the front.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "interpreter/pool.h"
#include "process/child.h"
#include "process/session.h"

namespace rxp {

class RemoteInterpreter final : public RemoteSeat,
                                public std::enable_shared_from_this<RemoteInterpreter> {
 public:
  RemoteInterpreter(std::shared_ptr<Pool> pool, int seat, WorkerProgram program);
  ~RemoteInterpreter() override;

  void start(int32_t call) override;
  bool feed() override;
  int load() const override { return load_.load(std::memory_order_relaxed); }
  CallQueue::Cancelled cancel(uint64_t ticket) override;
  void define(int32_t handler, const HandlerDefinition& definition) override;
  size_t memory() override;
  void leave() override { nudge(); }
  void abandon() override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Outstanding {
    Call* call;
    uint32_t claim;  // in the session
    size_t bytes;
    bool flies = false;  // begun, and others may run beside it
  };
  static constexpr double kUnknown = 1e18;  // then no call is taken for a quick one
  static constexpr int kBehind = 2;         // milliseconds that calls wait behind one that runs
  static constexpr double kOldShare = 0.8;  // of the average in the next one
  // Why a process ended.
  enum class Cause { kItself, kStuck, kBroken, kLeaving };

  // The receiver thread, which the process is tied to.
  void run();
  bool live();  // one process, from start to end; whether it became ready
  Cause receive(WorkerSession& session, Child& child);
  void after_end(const Ending& ending, Cause cause);
  void fail_waiting();
  void relieve();
  int patience(bool sent);
  bool done();
  bool abandoned();
  static std::string no_memory_report();
  void nudge();
  void pause(int milliseconds);
  void post_error(int32_t call, const std::string& report);
  void remove(std::vector<Outstanding>::iterator place);
  // Takes a call back that the worker has not begun. False when it has.
  bool withdraw(const Outstanding& one);
  bool begun(const Outstanding& one);
  int32_t within(const Call& call) const;

  // What the worker says (remote_results.cc); false when it is not as it should be (rule P2).
  bool take(WorkerSession& session, const char* message, size_t size);
  bool take_text(WorkerSession& session, const char* message, size_t size);
  bool take_binary(WorkerSession& session, const char* message, size_t size);
  bool take_output(WorkerSession& session, const char* message, size_t size);
  bool take_callback(WorkerSession& session, const char* message, size_t size);
  bool take_in_flight(const char* message, size_t size);
  bool take_callback_wait(const char* message, size_t size);
  bool take_block(WorkerSession& session, const char* message, size_t size, MessageType type);
  bool take_start(ResultStatus status);
  // Takes a call off the list; null when there is no such call.
  Call* finished(uint64_t ticket, uint64_t nanoseconds);

  friend struct RemoteInterpreterTest;  // test/native/fuzz/responses.cc

  const std::shared_ptr<Pool> pool_;
  const int seat_;
  const WorkerProgram program_;
  const int nudge_;  // an event descriptor that wakes the receiver thread
  std::atomic<int> load_{0};

  std::mutex mutex_;
  std::shared_ptr<WorkerSession> session_;  // while it can take calls
  Child* child_ = nullptr;
  std::vector<Outstanding> outstanding_;
  size_t outstanding_bytes_ = 0;
  double average_ = kUnknown;  // nanoseconds that a call takes
  uint64_t first_ticket_ = 0;  // of the call that runs, and since when it was seen to
  Clock::time_point first_since_;
  uint64_t interrupted_ = 0;
  Clock::time_point interrupt_deadline_;
  size_t flying_ = 0;         // of outstanding_
  bool flight_full_ = false;  // no further one is to come yet
  bool open_ = false;         // it takes calls
  bool starved_ = false;      // a call found no room
  bool stopping_ = false;
  bool stop_sent_ = false;
  bool abandoned_ = false;
  std::set<int32_t> stateful_used_;
  std::set<int32_t> state_lost_;
  Ending lost_ending_;
  // Callbacks that have no answer yet: the worker's numbers by ours, and those by the worker's that
  // its main thread waits for.
  std::unordered_map<int32_t, int32_t> asked_;
  std::set<int32_t> awaited_;

  // Of the receiver thread alone.
  int32_t start_call_ = 0;
  bool ready_ = false;
  std::string start_error_;
  int failures_ = 0;  // ends in a row without a result in between
  std::vector<int32_t> lengths_;
  TextBuffer text_;
};

}  // namespace rxp
