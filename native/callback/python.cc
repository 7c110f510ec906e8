#include "callback/python.h"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "callback/desk.h"
#include "codec/json_decode.h"
#include "codec/json_encode.h"
#include "interpreter/builtins.h"
#include "interpreter/interpreter.h"
#include "interpreter/runtime.h"

namespace rxp {
namespace {

using Clock = CallbackDesk::Clock;

// Calls inside each other on one interpreter; each takes some of its thread's stack.
constexpr size_t kMostNested = 32;
// Longer than anybody waits, and still a time that can be added to now.
constexpr double kLongest = 1e8;

// A coder for one request or answer. Interpreters have coders of their own, but those may be in use
// further down the stack, and threads of the handler's have none.
struct Coder {
  Coder(Runtime& runtime, PyObject* json_default)
      : decoder(runtime.api(), runtime.bigint_type()),
        encoder(runtime.api(), runtime.bigint_type(), json_default, runtime.result_encode_error()) {
  }
  JsonDecoder decoder;
  JsonEncoder encoder;
};

class Coders {
 public:
  static Coders& instance() {
    static Coders& coders = *new Coders;
    return coders;
  }
  // Null with an exception set.
  std::unique_ptr<Coder> take(Runtime& runtime) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      auto& spare = spare_[&runtime];
      if (!spare.empty()) {
        auto coder = std::move(spare.back());
        spare.pop_back();
        return coder;
      }
    }
    const PythonApi& py = runtime.api();
    // Kept for ever, like the runtime and its coders.
    PyObject* json_default = py.PyObject_GetAttrString(runtime.host_module(), "json_default");
    return json_default == nullptr ? nullptr : std::make_unique<Coder>(runtime, json_default);
  }
  void put(Runtime& runtime, std::unique_ptr<Coder> coder) {
    std::lock_guard<std::mutex> lock(mutex_);
    spare_[&runtime].push_back(std::move(coder));
  }

 private:
  std::mutex mutex_;
  std::unordered_map<Runtime*, std::vector<std::unique_ptr<Coder>>> spare_;
};

PyObject* none(const PythonApi& py) {
  py.Py_IncRef(py.None);
  return py.None;
}

// New references, which the tuple takes over; null when one of them is.
PyObject* tuple_of(const PythonApi& py, std::initializer_list<PyObject*> items) {
  bool whole = std::all_of(items.begin(), items.end(), [](PyObject* item) { return item; });
  PyObject* tuple = whole ? py.PyTuple_New(static_cast<Py_ssize_t>(items.size())) : nullptr;
  Py_ssize_t at = 0;
  for (PyObject* item : items) {
    if (tuple != nullptr) {
      py.PyTuple_SetItem(tuple, at++, item);
    } else if (item != nullptr) {
      py.Py_DecRef(item);
    }
  }
  return tuple;
}

bool arguments_are(const PythonApi& py, PyObject* arguments, Py_ssize_t count) {
  if (py.PyTuple_Size(arguments) == count) return true;
  py.PyErr_SetString(*py.PyExc_TypeError, "wrong number of arguments");
  return false;
}

bool read_number(const PythonApi& py, PyObject* value, int32_t& number) {
  int overflow = 0;
  number = static_cast<int32_t>(py.PyLong_AsLongLongAndOverflow(value, &overflow));
  return number != -1 || py.PyErr_Occurred() == nullptr;
}

bool read_time(const PythonApi& py, PyObject* value, Clock::time_point& until) {
  double seconds = py.PyFloat_AsDouble(value);
  if (seconds == -1 && py.PyErr_Occurred() != nullptr) return false;
  std::chrono::duration<double> time(std::clamp(seconds, 0.0, kLongest));
  until = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
  return true;
}

Interpreter* interpreter_here(Runtime& runtime) {
  Interpreter* interpreter = Interpreter::current();
  return interpreter != nullptr && &interpreter->runtime() == &runtime ? interpreter : nullptr;
}

PyObject* begin(PyObject* self, PyObject* arguments) {
  Runtime& runtime = runtime_of_builtin(self);
  const PythonApi& py = runtime.api();
  if (!arguments_are(py, arguments, 2)) return nullptr;
  int future = py.PyObject_IsTrue(py.PyTuple_GetItem(arguments, 1));
  if (future < 0) return nullptr;
  Interpreter* interpreter = interpreter_here(runtime);
  if (interpreter != nullptr && interpreter->depth() > kMostNested) return py.PyLong_FromLong(-1);

  TextBuffer text;
  auto coder = Coders::instance().take(runtime);
  if (coder == nullptr) return nullptr;
  bool encoded = coder->encoder.encode(py.PyTuple_GetItem(arguments, 0), text);
  Coders::instance().put(runtime, std::move(coder));
  if (!encoded) return nullptr;

  std::shared_ptr<OutputTarget> target = Interpreter::output_target(runtime);
  if (target == nullptr) return py.PyLong_FromLong(0);
  auto& desk = CallbackDesk::instance();
  CallbackWaiter* waiter = interpreter == nullptr ? nullptr : interpreter->waiter();
  int seat = waiter == nullptr ? CallbackDesk::kNobody : waiter->seat();
  int32_t number = desk.begin(target->callbacks, &runtime, seat, future != 0);
  if (number > 0 && !target->sink->post_callback(target->pool, number, text)) {
    desk.drop(number);
    number = 0;
  }
  return py.PyLong_FromLong(number);
}

PyObject* decoded(Runtime& runtime, const CallbackDesk::Answer& answer) {
  const PythonApi& py = runtime.api();
  auto coder = Coders::instance().take(runtime);
  if (coder == nullptr) return nullptr;
  PyRef list(py, coder->decoder.decode_batch(answer.text.view()));
  Coders::instance().put(runtime, std::move(coder));
  if (!list) return nullptr;
  PyObject* value = py.PyList_GetItem(list.get(), 0);  // borrowed
  if (value != nullptr) py.Py_IncRef(value);
  return value;
}

PyObject* wait(PyObject* self, PyObject* arguments) {
  Runtime& runtime = runtime_of_builtin(self);
  const PythonApi& py = runtime.api();
  int32_t number = 0;
  Clock::time_point until;
  if (!arguments_are(py, arguments, 2) ||
      !read_number(py, py.PyTuple_GetItem(arguments, 0), number) ||
      !read_time(py, py.PyTuple_GetItem(arguments, 1), until)) {
    return nullptr;
  }
  auto& desk = CallbackDesk::instance();
  CallbackDesk::Answer answer;
  for (bool woken = false;;) {
    switch (desk.take(number, answer)) {
      case CallbackDesk::State::kAnswered:
        return tuple_of(py, {py.PyBool_FromLong(answer.ok ? 1 : 0), decoded(runtime, answer)});
      case CallbackDesk::State::kGone:
        return tuple_of(py, {none(py), none(py)});
      case CallbackDesk::State::kWaiting:
        break;
    }
    // Back in Python, an exception that another thread has sent is raised.
    if (woken || Clock::now() >= until) return none(py);
    Interpreter* interpreter = interpreter_here(runtime);
    if (interpreter == nullptr || interpreter->waiter() == nullptr) {
      PyThreadState* state = py.PyEval_SaveThread();
      desk.wait(number, until);
      py.PyEval_RestoreThread(state);
      continue;
    }
    bool served = interpreter->wait_for(number, until);
    if (py.PyErr_CheckSignals() != 0) return nullptr;
    // The interrupt ended what ran inside this call first; now it is this one's turn.
    if (served && interpreter->interrupt_requested()) {
      py.PyErr_SetString(runtime.interrupted_type(), "the call was asked to stop");
      return nullptr;
    }
    woken = !served;
  }
}

PyObject* next(PyObject* self, PyObject* seconds) {
  Runtime& runtime = runtime_of_builtin(self);
  const PythonApi& py = runtime.api();
  Clock::time_point until;
  if (!read_time(py, seconds, until)) return nullptr;
  CallbackDesk::Answer answer;
  PyThreadState* state = py.PyEval_SaveThread();
  bool found = CallbackDesk::instance().next(&runtime, until, answer);
  py.PyEval_RestoreThread(state);
  if (!found) return none(py);
  return tuple_of(py, {py.PyLong_FromLong(answer.number), py.PyBool_FromLong(answer.ok ? 1 : 0),
                       decoded(runtime, answer)});
}

PyObject* drop(PyObject* self, PyObject* number) {
  const PythonApi& py = runtime_of_builtin(self).api();
  int32_t value = 0;
  if (!read_number(py, number, value)) return nullptr;
  CallbackDesk::instance().drop(value);
  return none(py);
}

PyMethodDef begin_definition = {"callback_begin", begin, kMethVarargs, nullptr};
PyMethodDef wait_definition = {"callback_wait", wait, kMethVarargs, nullptr};
PyMethodDef next_definition = {"callback_next", next, kMethO, nullptr};
PyMethodDef drop_definition = {"callback_drop", drop, kMethO, nullptr};

}  // namespace

const std::array<PyMethodDef*, 4>& callback_functions() {
  static const std::array<PyMethodDef*, 4> functions = {&begin_definition, &wait_definition,
                                                        &next_definition, &drop_definition};
  return functions;
}

}  // namespace rxp
