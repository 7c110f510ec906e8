#include "interpreter/interpreter.h"

#include <algorithm>
#include <utility>

#include "interpreter/error_report.h"
#include "platform/faults.h"

namespace rxp {
namespace {

thread_local Interpreter* this_thread = nullptr;

// Where the interpreters of each runtime put their output, in the order in which they came; see
// Interpreter::output_target.
struct Outputs {
  std::mutex mutex;
  std::vector<std::pair<Runtime*, std::shared_ptr<OutputTarget>>> targets;
};
Outputs& outputs() {
  static Outputs& instance = *new Outputs;
  return instance;
}

// Holds a mutex under which Python code runs. Waited for without the GIL (or detached, where there
// is none), which whoever holds the mutex may need.
class DetachedLock {
 public:
  DetachedLock(const PythonApi& py, std::mutex& mutex) : lock_(mutex, std::try_to_lock) {
    if (lock_.owns_lock()) return;
    PyThreadState* state = py.PyEval_SaveThread();
    lock_.lock();
    py.PyEval_RestoreThread(state);
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace

Interpreter* Interpreter::current() { return this_thread; }

std::shared_ptr<OutputTarget> Interpreter::output_target(Runtime& runtime) {
  if (this_thread != nullptr && &this_thread->runtime_ == &runtime) return this_thread->output_;
  std::lock_guard<std::mutex> lock(outputs().mutex);
  auto& targets = outputs().targets;
  for (auto i = targets.rbegin(); i != targets.rend(); ++i) {
    if (i->first == &runtime) return i->second;
  }
  return nullptr;
}

std::vector<std::shared_ptr<OutputTarget>> Interpreter::output_targets(Runtime& runtime) {
  std::vector<std::shared_ptr<OutputTarget>> found;
  std::lock_guard<std::mutex> lock(outputs().mutex);
  for (const auto& entry : outputs().targets) {
    if (entry.first != &runtime) continue;
    const auto& target = entry.second;
    bool known = std::any_of(found.begin(), found.end(), [&](const auto& other) {
      return other->sink == target->sink && other->pool == target->pool;
    });
    if (!known) found.push_back(target);
  }
  return found;
}

Interpreter::Interpreter(Workplace& place, Runtime& runtime,
                         const std::atomic<uint64_t>& interrupted)
    : place_(place),
      runtime_(runtime),
      api_(runtime.api()),
      interrupted_(interrupted),
      output_(std::make_shared<OutputTarget>()),
      strings_(runtime.api()),
      binary_(runtime) {
  output_->sink = place.sink();
  results_ = output_->sink.get();
  output_->callbacks = place.callbacks;
  output_->pool = place.pool_id();
  this_thread = this;
  std::lock_guard<std::mutex> lock(outputs().mutex);
  outputs().targets.emplace_back(&runtime_, output_);
}

Interpreter::~Interpreter() {
  this_thread = nullptr;
  std::lock_guard<std::mutex> lock(outputs().mutex);
  auto& targets = outputs().targets;
  targets.erase(std::remove_if(targets.begin(), targets.end(),
                               [this](const auto& entry) { return entry.second == output_; }),
                targets.end());
}

bool Interpreter::open(int32_t call) {
  PyObject* module = runtime_.host_module();
  as_list_ = api_.PyObject_GetAttrString(module, "as_list");
  from_columns_ = api_.PyObject_GetAttrString(module, "from_columns");
  flush_output_ = api_.PyObject_GetAttrString(module, "flush_output");
  pending_output_ = api_.PyObject_GetAttrString(module, "pending_output");
  PyRef json_default(api_, api_.PyObject_GetAttrString(module, "json_default"));
  bool ready = as_list_ != nullptr && from_columns_ != nullptr && flush_output_ != nullptr &&
               pending_output_ != nullptr && json_default;
  if (ready) {
    json_decoder_ = std::make_unique<JsonDecoder>(api_, runtime_.bigint_type());
    json_encoder_ = std::make_unique<JsonEncoder>(api_, runtime_.bigint_type(), json_default.get(),
                                                  runtime_.result_encode_error());
    host_ = join_host();
    ready = host_ != nullptr;
  }
  out_.clear();
  if (!ready) {
    write_exception_report(runtime_, -1, out_);
  } else {
    out_.append_ascii("null", 4);
  }
  lengths_.assign(1, static_cast<int32_t>(out_.size()));
  output_->sink->post_text(output_->pool, call, ready ? ResultStatus::kOk : ResultStatus::kError,
                           out_, lengths_);
  return ready;
}

// The pool's host in this runtime; null with an exception set.
PyObject* Interpreter::join_host() {
  DetachedLock lock(api_, place_.shared_host_mutex);
  PyObject* host = place_.shared_host;
  if (host == nullptr) {
    PyRef type(api_, api_.PyObject_GetAttrString(runtime_.host_module(), "Host"));
    PyRef options(api_, api_.PyUnicode_FromString(place_.host_options().c_str()));
    if (!type || !options) return nullptr;
    host = api_.PyObject_CallFunctionObjArgs(type.get(), options.get(), nullptr);
    // Private copies have a host each; interpreters that share a runtime share its host.
    if (runtime_.options().isolation == Isolation::kShared) place_.shared_host = host;
  }
  if (host != nullptr && place_.shared_host == host) place_.shared_host_users++;
  return host;
}

// Whether nobody else uses the host.
bool Interpreter::leave_host() {
  DetachedLock lock(api_, place_.shared_host_mutex);
  if (host_ == nullptr || host_ != place_.shared_host) return true;
  if (--place_.shared_host_users > 0) return false;
  place_.shared_host = nullptr;
  return true;
}

void Interpreter::close() {
  for (size_t id = 0; id < handlers_.size(); id++) forget(static_cast<int32_t>(id));
  if (leave_host() && host_ != nullptr) {
    PyRef name(api_, api_.PyUnicode_FromString("close"));
    PyRef done(api_, api_.PyObject_CallMethodObjArgs(host_, name.get(), nullptr));
    if (!done) api_.PyErr_Clear();
    api_.Py_DecRef(host_);
  }
  host_ = nullptr;
  if (flight_loops_ != nullptr) api_.Py_DecRef(flight_loops_);
  flight_loops_ = nullptr;
  json_decoder_.reset();
  json_encoder_.reset();
  for (PyObject** object : {&as_list_, &from_columns_, &flush_output_, &pending_output_}) {
    if (*object != nullptr) api_.Py_DecRef(*object);
    *object = nullptr;
  }
  runtime_.drain_reaper();
}

bool Interpreter::interrupt_requested() const {
  uint64_t ticket = interrupted_.load();
  if (ticket == 0) return false;
  for (size_t i = stack_.size(); i-- > 0;) {
    if (stack_[i].call->ticket == ticket) return !stack_[i].loading;
    if (i == 0 || stack_[i].call->within == 0) break;
    // What runs here for somebody else is not to be stopped.
    if (stack_[i].call->within != stack_[i - 1].awaited) break;
  }
  return false;
}

bool Interpreter::wait_for(int32_t number, CallbackDesk::Clock::time_point until) {
  auto& desk = CallbackDesk::instance();
  stack_.back().awaited = number;
  desk.attend(number, waiter_->waker());
  bool served = waiter_->wait(number, until, open_);
  desk.attend(number, {});
  stack_.back().awaited = 0;
  return served;
}

bool Interpreter::run(Call& call) {
  bool before = std::exchange(open_, false);
  bool done = true;
  stack_.push_back({&call});
  switch (call.kind) {
    case CallKind::kControl:
      run_control(call);
      break;
    case CallKind::kForget:
      forget(call.handler);
      out_.clear();
      out_.append_ascii("null", 4);
      post(call, ResultStatus::kOk);
      break;
    default:
      done = run_batch(call);
  }
  stack_.pop_back();
  open_ = before;
  return done;
}

bool Interpreter::run_here(Call& call, PyThreadState* state, ResultSink& results) {
  Interpreter* other = std::exchange(this_thread, this);
  results_ = &results;
  platform::visit_python(runtime_.fault_reporter());
  api_.PyEval_RestoreThread(state);
  const Handler* handler = find_handler(call.handler);
  const bool runs = handler == nullptr || handler->start == nullptr;
  if (handler == nullptr) {
    fail(call, -1);
  } else if (runs) {
    run(call);
  }
  api_.PyEval_SaveThread();
  platform::enter_javascript_thread();
  results_ = output_->sink.get();
  this_thread = other;
  return runs;
}

PyObject* Interpreter::call_control(TextView request) {
  PyRef text(api_, make_string(api_, strings_.narrowed(request)));
  PyRef name(api_, api_.PyUnicode_FromString("control"));
  if (!text || !name) return nullptr;
  Open open(*this);
  return api_.PyObject_CallMethodObjArgs(host_, name.get(), text.get(), nullptr);
}

void Interpreter::run_control(Call& call) {
  PyRef answer(api_, call_control(call.text));
  out_.clear();
  if (!answer || !append_string(api_, answer.get(), out_)) {
    fail(call, -1);
  } else {
    post(call, ResultStatus::kOk);
  }
  flush_output();
}

void Interpreter::post(const Call& call, ResultStatus status) {
  lengths_.assign(1, static_cast<int32_t>(out_.size()));
  results_->post_text(output_->pool, call.id, status, out_, lengths_);
}

void Interpreter::fail(const Call& call, Py_ssize_t item) {
  out_.clear();
  write_exception_report(runtime_, item, out_);
  post(call, ResultStatus::kError);
}

// A batch that is asked to stop meanwhile stops afterwards. Compiled modules such as numpy's cannot
// be imported a second time in one process once their first import was broken off.
bool Interpreter::load(const HandlerDefinition& definition) {
  // A visitor looks for the handler before its call is on the stack, where an interrupt finds it.
  const bool found = !stack_.empty();
  if (found) stack_.back().loading = true;
  if (loading_ != nullptr) loading_->store(true);
  const std::u16string& request = definition.request;
  PyRef opened(api_, call_control({request.data(), request.size(), false}));
  if (loading_ != nullptr) loading_->store(false);
  if (found) stack_.back().loading = false;
  if (!opened || !interrupt_requested()) return static_cast<bool>(opened);
  api_.PyErr_SetString(runtime_.interrupted_type(), "the call was asked to stop");
  return false;
}

Interpreter::Handler* Interpreter::find_handler(int32_t id) {
  auto index = static_cast<size_t>(id);
  if (index >= handlers_.size() || handlers_[index].callable == nullptr) {
    HandlerDefinition definition = place_.handler(id);
    // An interpreter that joined after the handler was made has not loaded it yet; where it is
    // loaded already, this changes nothing.
    if (!definition.request.empty() && !load(definition)) return nullptr;
    PyRef name(api_, api_.PyUnicode_FromString("handler"));
    PyRef number(api_, api_.PyLong_FromLong(id));
    if (!name || !number) return nullptr;
    PyObject* callable = api_.PyObject_CallMethodObjArgs(host_, name.get(), number.get(), nullptr);
    if (callable == nullptr) return nullptr;
    // Only now: loading may have run other calls inside this one.
    forget(id);
    if (index >= handlers_.size()) handlers_.resize(index + 1);
    handlers_[index] = {callable, definition.codecs};
    if (flight_allowed_) load_flight(handlers_[index], definition.async_limit);
  }
  return &handlers_[index];
}

void Interpreter::forget(int32_t id) {
  auto index = static_cast<size_t>(id);
  if (index >= handlers_.size() || handlers_[index].callable == nullptr) return;
  release(handlers_[index]);
  handlers_[index] = Handler{};
}

// Half a line that print() left behind; the dict says cheaply whether there is any.
void Interpreter::flush_output() {
  if (api_.PyDict_Size(pending_output_) == 0) return;
  PyRef flushed(api_, api_.PyObject_CallFunctionObjArgs(flush_output_, nullptr));
  if (!flushed) api_.PyErr_Clear();
}

}  // namespace rxp
