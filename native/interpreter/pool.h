// The native half of a PythonPool: a queue, its interpreters and where their results go.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "interpreter/remote_seat.h"
#include "interpreter/runtime.h"
#include "interpreter/workplace.h"
#include "queue/call_queue.h"
#include "queue/result_channel.h"

namespace rxp {

class HeldResult;
class Interpreter;

// What the JavaScript side needs to know to interrupt an interpreter. Owned by the pool, so it may
// be read when the interpreter has gone.
struct Seat {
  std::mutex mutex;                      // held while an asynchronous exception is set or cleared
  std::atomic<uint64_t> interrupted{0};  // the ticket of the call that was last asked to stop
  std::atomic<bool> loading{false};      // its call loads the handler, and stops only after that
  Runtime* runtime = nullptr;
  bool home = false;
  unsigned long ident = 0;
  Interpreter* interpreter = nullptr;  // of a thread here, while that is there
  // Under the mutex: batches of async handlers, and those of them that are to be cancelled.
  std::set<uint64_t> in_flight;
  std::vector<uint64_t> cancelled;

  // Handlers that have their state in this interpreter, and those whose state went with the
  // interpreter before it. Touched by the seat's own thread; read by others while that is stuck.
  std::mutex states_mutex;
  std::set<int32_t> states;
  std::set<int32_t> lost_states;
  // For the next interpreter in this seat. In place: an interrupt that comes too late still looks.
  void reset() {
    std::scoped_lock lock(mutex, states_mutex);
    states.clear();
    lost_states.clear();
    interrupted.store(0);
    loading.store(false);
    runtime = nullptr;
    home = false;
    ident = 0;
    interpreter = nullptr;
    in_flight.clear();
    cancelled.clear();
  }
};

class Pool final : public Workplace, public std::enable_shared_from_this<Pool> {
 public:
  // Makes the interpreters of a pool that has them elsewhere; empty for one that has them here.
  using RemoteFactory = std::function<std::shared_ptr<RemoteSeat>(std::shared_ptr<Pool>, int seat)>;

  Pool(int32_t id, std::shared_ptr<ResultChannel> channel, RuntimeOptions options,
       std::string host_options, RemoteFactory remote = {});

  int32_t pool_id() const override { return id_; }
  std::shared_ptr<ResultSink> sink() override { return channel_; }
  const std::string& host_options() const override { return host_options_; }
  HandlerDefinition handler(int32_t id) override;
  std::vector<std::pair<int32_t, HandlerDefinition>> handlers();
  CallQueue& queue() { return queue_; }
  ResultChannel& channel() { return *channel_; }
  PoolCounters& counters() { return counters_; }

  // Takes ownership of the envelope.
  void push(Envelope* envelope);
  // Hands waiting calls to the interpreters that are elsewhere, those with the fewest first.
  void feed();

  // Starts one more interpreter and returns its seat. The result of `call` tells when it is ready.
  // Until it is opened it runs only what is meant for it.
  int start(int32_t call);
  void open(int seat);
  // Lets one seat take the keyed calls that wait for another.
  void hand_over(int from, int to);
  // The interpreter leaves after the calls that are meant for it; then `call` gets its result, and
  // the seat may be given to another.
  void stop(int seat, int32_t call);
  // The memory of an interpreter in bytes, where it can be told from the rest; else 0.
  size_t memory(int seat);

  void define_handler(int32_t handler, HandlerDefinition definition);

  // 0: not there (any more), 1: removed before it ran, 2: running, and asked to stop.
  int cancel(int32_t call);

  enum class GivenUp { kNot = 0, kReplaced = 1, kClosed = 2, kLost = 3 };
  // For a call here that was asked to stop and did not: its interpreter counts as stuck.
  // kReplaced: another one takes its seat, and the result of `start_call` tells when it is ready.
  // kLost: nothing does, because `start_call` is 0. kClosed: the seat was about to be closed, and
  // is now. kNot: the call has ended.
  GivenUp give_up(int32_t call, int32_t start_call);
  // An interpreter here that has nothing to do, for as long as this lives (rule T7). Used by the
  // pool's JavaScript thread.
  class Borrowed {
   public:
    Borrowed(Pool& pool, Call& call);
    ~Borrowed();
    // Null when there is none.
    Interpreter* interpreter() const { return interpreter_; }
    // Runs the call on this thread, whose state in the interpreter's runtime is `state`.
    bool run(PyThreadState* state, HeldResult& held);

   private:
    Pool& pool_;
    Call& call_;
    int seat_ = -1;
    bool ran_ = false;
    Interpreter* interpreter_ = nullptr;
  };

  // The JavaScript thread is going away: drops what waits, interrupts what runs, and returns when
  // no interpreter uses that thread's memory any more (rule M2).
  void abandon();

  Seat& seat(int index);

  // The interpreter has left the seat, and its thread or process is free.
  void leave(int seat);

  void post_error(int32_t call, const char* code, const std::string& message);

 private:
  static constexpr int32_t kGone = -1;
  static constexpr int32_t kNoHandler = -1;

  std::vector<std::shared_ptr<RemoteSeat>> remotes();
  void post_null(int32_t call);
  // Asks the call with this ticket to stop, if the seat still runs it.
  void interrupt(int seat, uint64_t ticket);
  bool interrupt_all();
  void add_place(int seat);
  // Gives what is meant for a seat that stays empty to a neighbour, or to the next one to start.
  void merge(int seat);
  // Leases a thread for a seat here.
  void launch(int seat, int32_t call, bool replaces);
  void inherit_states(int from, int to, int32_t handler);

  const int32_t id_;
  const std::shared_ptr<ResultChannel> channel_;
  const RuntimeOptions options_;
  const std::string host_options_;
  CallQueue queue_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<int32_t> stop_calls_;  // by seat: 0 until stop(), or kGone
  std::vector<bool> stuck_;          // by seat
  std::map<int32_t, HandlerDefinition> handlers_;
  const RemoteFactory make_remote_;
  std::vector<std::shared_ptr<RemoteSeat>> remotes_;  // by seat; empty when they are here
  PoolCounters counters_;
};

}  // namespace rxp
