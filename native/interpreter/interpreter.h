// Python at work on calls: decodes a batch, calls the handler, encodes the result.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "codec/binary_codec.h"
#include "codec/json_decode.h"
#include "codec/json_encode.h"
#include "codec/string_codec.h"
#include "interpreter/runtime.h"
#include "interpreter/workplace.h"
#include "queue/call.h"

namespace rxp {

// Where print() and logging go.
struct OutputTarget {
  std::shared_ptr<ResultSink> sink;
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
  // Posts the result of this call; it has left no trace here afterwards.
  void run(Call& call);
  // Drops handlers and the host.
  void close();

  // The interpreter of this thread, or null on threads that are not ours.
  static Interpreter* current();
  // Where output of the calling thread goes: its pool's channel, or on a thread that the handler
  // started, that of the runtime's latest interpreter.
  static std::shared_ptr<OutputTarget> output_target(Runtime& runtime);
  // Where what concerns all pools in this runtime goes: each pool once.
  static std::vector<std::shared_ptr<OutputTarget>> output_targets(Runtime& runtime);

  bool interrupt_requested() const;

 private:
  struct Handler {
    PyObject* callable = nullptr;
    HandlerCodecs codecs;
  };

  PyObject* join_host();
  bool leave_host();
  void run_control(Call& call);
  void run_batch(Call& call);
  void forget(int32_t handler);
  Handler* find_handler(int32_t id);
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
