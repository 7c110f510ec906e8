// One interpreter of a pool: a thread's stay in a runtime, serving calls.
#pragma once

#include <memory>
#include <vector>

#include "codec/binary_codec.h"
#include "codec/json_decode.h"
#include "codec/json_encode.h"
#include "codec/string_codec.h"
#include "interpreter/pool.h"
#include "interpreter/runtime.h"

namespace rxp {

// Where print() and logging go.
struct OutputTarget {
  std::shared_ptr<ResultChannel> channel;
  int32_t pool = 0;
};

// Lives on its thread's stack; every member is used on that thread with the GIL held, unless said
// otherwise.
class Interpreter {
 public:
  Interpreter(Pool& pool, Runtime::Lease& lease, int seat);
  ~Interpreter();

  // Makes the host and posts the result of `call`. False when that failed.
  bool open(int32_t call);
  // Serves calls until the seat is closed.
  void serve();
  // Drops handlers and the host.
  void close();

  // The interpreter of this thread, or null on threads that are not ours.
  static Interpreter* current();
  // Where output of the calling thread goes: its pool's channel, or on a thread that the handler
  // started, that of the runtime's latest interpreter.
  static std::shared_ptr<OutputTarget> output_target(Runtime& runtime);

  bool interrupt_requested() const;

 private:
  struct Handler {
    PyObject* callable = nullptr;
    HandlerCodecs codecs;
  };

  Call* next_call(Call* finished);
  void run(Call& call);
  void run_control(Call& call);
  void run_batch(Call& call);
  void forget(int32_t handler);
  Handler* find_handler(int32_t id);
  PyObject* decode(const Call& call, CodecKind codec);
  PyObject* checked_list(PyObject* result, const Call& call, const Handler& handler);
  // Posts a text result, or an error. True for a binary one, which is posted when the batch and the
  // result have been dropped.
  bool encode(const Call& call, const Handler& handler, PyObject* result);
  void post_items(const Call& call);
  void post(const Call& call, ResultStatus status);
  void fail(const Call& call, Py_ssize_t item);
  void flush_output();

  Pool& pool_;
  Runtime& runtime_;
  const PythonApi& api_;
  const int seat_index_;
  Seat& seat_;
  const bool home_;
  Call* running_ = nullptr;
  std::shared_ptr<OutputTarget> output_;

  PyObject* host_ = nullptr;
  PyObject* as_list_ = nullptr;
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
