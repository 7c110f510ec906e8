// Python at work on calls: decodes a batch, calls the handler, encodes the result.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "codec/binary_codec.h"
#include "codec/json_decode.h"
#include "codec/json_encode.h"
#include "codec/string_codec.h"
#include "interpreter/runtime.h"
#include "interpreter/workplace.h"
#include "queue/call.h"

namespace rxp {

// Where print(), logging and callbacks go.
struct OutputTarget {
  std::shared_ptr<ResultSink> sink;
  std::shared_ptr<CallbackOwner> callbacks;
  int32_t pool = 0;
};

// Lives on its thread's stack; every member is used on that thread with the GIL held, unless said
// otherwise.
class Interpreter {
 public:
  // `interrupted` holds the ticket of the call that was last asked to stop.
  Interpreter(Workplace& place, Runtime& runtime, const std::atomic<uint64_t>& interrupted);
  ~Interpreter();

  // Makes the host and posts the result of `call`. False when that failed.
  bool open(int32_t call);
  // Posts the result of this call; it has left no trace here afterwards. False for a batch that is
  // in flight now (run_loop).
  bool run(Call& call);

  // Runs a batch of text on a thread of somebody else's while this one's own waits elsewhere (rule
  // T7): attaches it by `state`, and puts the result into `results`. False, with nothing done, for
  // an async handler. The handler must have been loaded, so that this thread need not do that.
  bool run_here(Call& call, PyThreadState* state, ResultSink& results);

  // Batches of `async def` handlers, as tasks of this thread's event loop (async_batches.cc). Only
  // where somebody calls run_loop().
  void allow_flight() { flight_allowed_ = true; }
  size_t in_flight() const { return flights_.size(); }
  // Whether no further batch of a handler that has some in flight is to begin.
  bool full() const;
  // Runs the loop until a batch has ended or `descriptor` is readable, posts the results, and adds
  // their calls to `ended`.
  void run_loop(int descriptor, std::vector<Call*>& ended);
  // Asks a batch in flight to stop.
  void cancel(uint64_t ticket);
  uint64_t interrupted() const { return interrupted_.load(); }
  // Drops what it has loaded of a handler.
  void forget(int32_t handler);
  // Drops handlers and the host.
  void close();

  // The interpreter of this thread, or null on threads that are not ours.
  static Interpreter* current();
  // Where output of the calling thread goes: its pool's channel, or on a thread that the handler
  // started, that of the runtime's latest interpreter.
  static std::shared_ptr<OutputTarget> output_target(Runtime& runtime);
  // Where what concerns all pools in this runtime goes: each pool once.
  static std::vector<std::shared_ptr<OutputTarget>> output_targets(Runtime& runtime);

  // Whether the call that runs has been asked to stop, or one that it runs inside and on behalf of.
  bool interrupt_requested() const;

  // Where others can see that a handler is being loaded, which nothing may interrupt; to outlive
  // the interpreter.
  void set_loading_flag(std::atomic<bool>* loading) { loading_ = loading; }
  // How this thread waits for callbacks; to outlive the interpreter.
  void set_waiter(CallbackWaiter* waiter) { waiter_ = waiter; }
  CallbackWaiter* waiter() const { return stack_.empty() ? nullptr : waiter_; }
  Runtime& runtime() const { return runtime_; }
  // How many calls it is in the middle of.
  size_t depth() const { return stack_.size(); }
  // Waits for an answer as CallbackWaiter::wait does.
  bool wait_for(int32_t number, CallbackDesk::Clock::time_point until);

 private:
  struct Handler {
    PyObject* callable = nullptr;
    HandlerCodecs codecs;
    PyObject* start = nullptr;  // of an async handler: makes a coroutine of a batch
    PyObject* loops = nullptr;
    int limit = 0;  // batches in flight
  };
  struct Flight {
    Call* call;
    Handler handler;  // with references of its own
    PyRef batch;
  };
  // A call that runs; inside the one below it, when that waits for a callback (rule C3).
  struct Frame {
    Call* call;
    int32_t awaited = 0;   // the callback
    bool loading = false;  // it loads its handler first
  };
  // While one lives, the thread is in the handler's code and nothing here is in use.
  class Open {
   public:
    explicit Open(Interpreter& interpreter)
        : interpreter_(interpreter), before_(interpreter.open_) {
      interpreter_.open_ = true;
    }
    ~Open() { interpreter_.open_ = before_; }

   private:
    Interpreter& interpreter_;
    const bool before_;
  };

  PyObject* join_host();
  bool leave_host();
  void run_control(Call& call);
  bool run_batch(Call& call);
  // False, with or without an exception set, when the batch is not in flight.
  bool begin_flight(Call& call, const Handler& handler, PyRef& batch);
  void end_flight(Flight& flight, bool ok, PyObject* value);
  PyObject* tasks(PyObject* loops);
  void load_flight(Handler& handler, int limit);
  void release(Handler& handler);
  void settle(const Call& call, const Handler& handler, PyRef& result, PyRef& batch);
  Handler* find_handler(int32_t id);
  bool load(const HandlerDefinition& definition);
  PyObject* call_control(TextView request);
  PyObject* decode(const Call& call, CodecKind codec);
  PyObject* checked_list(PyObject* result, const Call& call, const Handler& handler);
  // Posts a text result, or an error. True for a binary one, which is posted when the batch and the
  // result have been dropped.
  bool encode(const Call& call, const Handler& handler, PyObject* result);
  void post_items(const Call& call);
  void post(const Call& call, ResultStatus status);
  void fail(const Call& call, Py_ssize_t item);
  void flush_output();

  Workplace& place_;
  Runtime& runtime_;
  const PythonApi& api_;
  const std::atomic<uint64_t>& interrupted_;
  std::atomic<bool>* loading_ = nullptr;
  bool flight_allowed_ = false;
  std::unordered_map<uint64_t, Flight> flights_;
  PyObject* flight_loops_ = nullptr;  // of the host, all handlers' the same
  Call loop_call_;                    // stands for whichever batch's step runs in the loop
  std::vector<Frame> stack_;
  bool open_ = false;
  CallbackWaiter* waiter_ = nullptr;
  std::shared_ptr<OutputTarget> output_;
  ResultSink* results_;  // the output's sink, unless a call runs here

  PyObject* host_ = nullptr;
  PyObject* as_list_ = nullptr;
  PyObject* from_columns_ = nullptr;
  PyObject* flush_output_ = nullptr;
  PyObject* pending_output_ = nullptr;
  std::vector<Handler> handlers_;

  StringCodec strings_;
  BinaryCodec binary_;
  std::unique_ptr<JsonDecoder> json_decoder_;
  std::unique_ptr<JsonEncoder> json_encoder_;
  TextBuffer out_;
  std::vector<int32_t> lengths_;
  std::vector<BinaryItem> items_;
};

}  // namespace rxp
