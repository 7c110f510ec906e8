// A JavaScript thread that runs Python itself (callSync with `inline`), in place of an interpreter
// that has nothing to do.
//
// T7  A JavaScript thread takes a GIL only in callSync with `inline`, where it was told to wait,
// only
//     in a runtime of isolation `shared`, and only while it has borrowed an idle seat: the seat's
//     own thread stays at the queue until it gets it back. Nothing that Python does meanwhile may
//     wait for JavaScript; callbacks are refused.
#pragma once

#include <memory>
#include <vector>

#include "interpreter/runtime.h"
#include "queue/call.h"
#include "queue/result_sink.h"

namespace rxp {

class Pool;

// Keeps the result of the one call that runs here.
class HeldResult final : public ResultSink {
 public:
  void post_text(int32_t pool, int32_t call, ResultStatus status, TextBuffer& text,
                 std::vector<int32_t>& lengths) override;
  // What is printed, logged and asked goes out as always; results are all that come here.
  void post_binary(int32_t, int32_t, std::vector<BinaryItem>& items) override;
  void post_output(int32_t, BlockKind, int32_t, TextBuffer&) override {}
  bool post_callback(int32_t, int32_t, TextBuffer&) override { return false; }

  ResultStatus status = ResultStatus::kOk;
  TextBuffer text;
  std::vector<int32_t> lengths;
};

// Belongs to one JavaScript thread, and is used there alone.
class Visitor {
 public:
  ~Visitor() { leave(); }

  // Runs a batch of text with an idle interpreter of the pool; its result is in held(). False, with
  // nothing done, where none is idle, or the handler is one for an event loop.
  bool run(Pool& pool, Call& call);
  HeldResult& held() { return held_; }
  // The thread goes away. Its thread states are given to their runtimes: it does not wait for a
  // GIL.
  void leave();

 private:
  struct Stay {
    Runtime* runtime;
    PyThreadState* state;
  };
  PyThreadState* state_in(Runtime& runtime);

  std::vector<Stay> stays_;
  HeldResult held_;
};

}  // namespace rxp
