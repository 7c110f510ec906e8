#include "interpreter/runtime.h"

#include <algorithm>
#include <cstring>

#include "buffer/exported.h"
#include "interpreter/builtins.h"
#include "platform/faults.h"
#include "platform/platform.h"

namespace rxp {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kDeepBind = false;  // a sanitizer's dlopen ends the process on that flag
#else
constexpr bool kDeepBind = true;
#endif

}  // namespace

void ExportedBuffer::give_back() { runtime->reap(this); }

// Leaked on purpose: threads of ours run until the process is gone.
struct RuntimeRegistry {
  std::mutex mutex;
  std::vector<Runtime*> runtimes;
  int next_ordinal = 0;

  static RuntimeRegistry& instance() {
    static RuntimeRegistry& registry = *new RuntimeRegistry;
    return registry;
  }

  // The runtime that may serve these options, or null. Fills `conflict` where none ever can.
  Runtime* find(const RuntimeOptions& options, std::string& conflict) {
    for (Runtime* runtime : runtimes) {
      if (runtime->options_.isolation != options.isolation) continue;
      std::lock_guard<std::mutex> lock(runtime->mutex_);
      if (runtime->state_ == Runtime::State::kFailed) continue;
      bool same = runtime->options_.executable == options.executable &&
                  runtime->options_.library == options.library;
      if (options.isolation == Isolation::kNamespace) {
        if (!same || runtime->home_taken_) continue;
        runtime->home_taken_ = true;
        return runtime;
      }
      if (!same) {
        conflict = "this process already runs " + runtime->options_.executable +
                   " in isolation 'shared', and it can run only one Python that way; use the same "
                   "Python, or isolation 'namespace', for " +
                   options.executable;
        return nullptr;
      }
      return runtime;
    }
    return nullptr;
  }
};

void Runtime::lease(const RuntimeOptions& options, Stay stay) {
  auto& registry = RuntimeRegistry::instance();
  std::string conflict;
  Runtime* runtime = nullptr;
  bool made = false;
  {
    std::lock_guard<std::mutex> lock(registry.mutex);
    runtime = registry.find(options, conflict);
    if (runtime == nullptr && conflict.empty()) {
      runtime = new Runtime(options);
      runtime->signal_ = platform::interrupt_signal(registry.next_ordinal++);
      runtime->home_taken_ = options.isolation == Isolation::kNamespace;
      registry.runtimes.push_back(runtime);
      made = true;
    }
  }
  if (runtime == nullptr) {
    platform::start_thread(
        [stay = std::move(stay), conflict] {
          Lease lease;
          lease.error = conflict;
          lease.error_code = "ERR_PYTHON_CONFLICT";
          stay(lease);
        },
        "python-none");
    return;
  }

  bool take_home = false;
  {
    std::lock_guard<std::mutex> lock(runtime->mutex_);
    bool free_home = options.isolation == Isolation::kNamespace || !runtime->home_taken_;
    if (free_home) {
      runtime->home_taken_ = true;
      runtime->home_stays_.push_back(stay);
      take_home = true;
    }
  }
  if (made) platform::start_thread([runtime] { runtime->run_home(); }, "python-home");
  if (take_home) {
    runtime->changed_.notify_all();
  } else {
    platform::start_thread([runtime, stay = std::move(stay)] { runtime->run_guest(stay); },
                           "python-guest");
  }
}

void Runtime::run_home() {
  std::string failure = start();
  PyThreadState* state = nullptr;
  if (failure.empty()) state = api_.PyEval_SaveThread();
  std::unique_lock<std::mutex> lock(mutex_);
  error_ = failure;
  state_ = failure.empty() ? State::kReady : State::kFailed;
  changed_.notify_all();
  for (;;) {
    changed_.wait(lock, [&] { return !home_stays_.empty() || reaper_filled_.load(); });
    Stay stay;
    if (!home_stays_.empty()) {
      stay = std::move(home_stays_.front());
      home_stays_.pop_front();
    }
    lock.unlock();
    Lease lease;
    lease.runtime = this;
    lease.home = true;
    lease.error = error_;
    lease.error_code = error_code_;
    if (state != nullptr) {
      api_.PyEval_RestoreThread(state);
      drain_reaper();
      if (stay) stay(lease);
      state = api_.PyEval_SaveThread();
    } else if (stay) {
      stay(lease);
    }
    bool leave = state == nullptr;
    lock.lock();
    if (stay) {
      home_taken_ = !home_stays_.empty();
      home_poke_ = nullptr;
    }
    lock.unlock();
    if (lease.after) lease.after();
    if (stay) trim();
    lock.lock();
    // A runtime that did not start is of no further use; the registry passes over it.
    if (leave && home_stays_.empty()) return;
  }
}

void Runtime::run_guest(const Stay& stay) {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return state_ != State::kStarting; });
  }
  Lease lease;
  lease.runtime = this;
  lease.error = error_;
  lease.error_code = error_code_;
  if (state_ == State::kFailed) {
    stay(lease);
    return;
  }
  platform::enter_python_thread(fault_reporter_);
  PyThreadState* state = api_.PyThreadState_New(interpreter_);
  api_.PyEval_RestoreThread(state);
  stay(lease);
  api_.PyThreadState_Clear(state);
  api_.PyThreadState_DeleteCurrent();
  platform::leave_python_thread(fault_reporter_);
  if (lease.after) lease.after();
  trim();
}

// Each tenant leaves holes among the few things that stay; a Python that serves pool after pool
// would grow by them.
void Runtime::trim() { platform::trim_memory(namespace_); }

std::string Runtime::start() {
  home_thread_ = pthread_self();
  std::string error;
  void* handle = options_.isolation == Isolation::kShared
                     ? platform::open_shared(options_.library, error)
                     : platform::open_namespace(options_.library, error);
  if (options_.isolation == Isolation::kNamespace) namespace_ = handle;
  if (handle == nullptr) {
    error_code_ = options_.isolation == Isolation::kShared ? "ERR_PYTHON_START" : "ERR_NAMESPACE";
    return "cannot open " + options_.library + ": " + error;
  }
  error_code_ = "ERR_PYTHON_START";
  error = api_.load(handle);
  if (!error.empty()) return options_.library + " cannot be used: " + error;
  platform::install_exit_hook();
  error = initialize_python();
  return error.empty() ? inspect() : error;
}

std::string Runtime::inspect() {
  interpreter_ = api_.PyThreadState_GetInterpreter(api_.PyThreadState_Get());
  std::string error = api_.measure_layout();
  if (!error.empty()) return options_.library + " cannot be used: " + error;
  return boot();
}

Runtime* Runtime::adopt(const RuntimeOptions& options, std::string& error) {
  auto* runtime = new Runtime(options);
  runtime->home_thread_ = pthread_self();
  runtime->signal_ = platform::interrupt_signal(0);
  runtime->home_taken_ = true;
  runtime->state_ = State::kReady;
  error = runtime->api_.load(platform::open_self());
  if (error.empty()) error = runtime->inspect();
  return error.empty() ? runtime : nullptr;
}

std::string Runtime::initialize_python() {
  if (api_.Py_IsInitialized() != 0) {
    return "a Python that something else started already runs in this process; use isolation "
           "'namespace'";
  }
  const bool utf8 = platform::wants_utf8();
  if (api_.PyInitConfig_Create == nullptr) {
    if (utf8 && api_.Py_UTF8Mode != nullptr) *api_.Py_UTF8Mode = 1;
    wchar_t* program = api_.Py_DecodeLocale(options_.executable.c_str(), nullptr);
    if (program == nullptr) return "the path of the Python cannot be decoded";
    api_.Py_SetProgramName(program);
    api_.Py_InitializeEx(0);  // signal handlers stay Node's
    return "";
  }
  PyInitConfig* config = api_.PyInitConfig_Create();
  if (config == nullptr) return "out of memory";
  int failed = api_.PyInitConfig_SetInt(config, "install_signal_handlers", 0);
  failed |= api_.PyInitConfig_SetInt(config, "isolated", 0);
  failed |= api_.PyInitConfig_SetInt(config, "use_environment", 1);
  failed |= api_.PyInitConfig_SetInt(config, "user_site_directory", 1);
  failed |= api_.PyInitConfig_SetInt(config, "configure_locale", 1);
  failed |= api_.PyInitConfig_SetInt(config, "utf8_mode", utf8 ? 1 : 0);
  failed |= api_.PyInitConfig_SetStr(config, "program_name", options_.executable.c_str());
  if (failed == 0) failed = api_.Py_InitializeFromInitConfig(config);
  std::string error;
  if (failed != 0) {
    const char* message = nullptr;
    api_.PyInitConfig_GetError(config, &message);
    error = std::string("Python did not start: ") + (message == nullptr ? "unknown" : message);
  }
  api_.PyInitConfig_Free(config);
  return error;
}

std::string Runtime::boot() {
  const PythonApi& py = api_;
  PyRef sys(py, py.PyImport_ImportModule("sys"));
  PyRef path(py, sys ? py.PyObject_GetAttrString(sys.get(), "path") : nullptr);
  bool there = options_.python_dir.empty();  // a worker process has found us already
  PyRef folder(py, py.PyUnicode_FromString(options_.python_dir.c_str()));
  if (!path || !folder || (!there && py.PyList_Append(path.get(), folder.get()) != 0)) {
    return "sys.path cannot be extended: " + take_error_text(py);
  }
  PyRef natives(py, make_builtins(*this));
  memory_type_ = natives ? make_memory_type(*this) : nullptr;
  if (memory_type_ == nullptr) return "native functions cannot be made: " + take_error_text(py);

  host_module_ = py.PyImport_ImportModule("rxjs_python._host");
  if (host_module_ == nullptr) return "rxjs_python cannot be imported: " + take_error_text(py);
  report_faults();
  PyRef boot(py, py.PyObject_GetAttrString(host_module_, "boot"));
  PyRef signal(py, py.PyLong_FromLong(signal_));
  bool beside_node = options_.isolation == Isolation::kShared;
  PyRef deep_bind(py, py.PyBool_FromLong(kDeepBind && beside_node));
  PyRef done(py, boot ? py.PyObject_CallFunctionObjArgs(boot.get(), natives.get(), signal.get(),
                                                        deep_bind.get(), nullptr)
                      : nullptr);
  if (!done) return "rxjs_python did not start: " + take_error_text(py);
  bigint_type_ = py.PyObject_GetAttrString(host_module_, "BigInt");
  interrupted_type_ = py.PyObject_GetAttrString(host_module_, "Interrupted");
  result_encode_error_ = py.PyObject_GetAttrString(host_module_, "ResultEncodeError");
  if (bigint_type_ == nullptr || interrupted_type_ == nullptr || result_encode_error_ == nullptr) {
    return "rxjs_python is not complete: " + take_error_text(py);
  }
  return "";
}

// A worker process has reports of its own (python/rxjs_python/_worker.py). faulthandler's function
// is installed for the runtime's signal for as long as it takes to get hold of it: boot() puts
// another there.
void Runtime::report_faults() {
  if (options_.isolation == Isolation::kProcess || signal_ <= 0) return;
  const PythonApi& py = api_;
  PyRef enable(py, py.PyObject_GetAttrString(host_module_, "enable_fault_reports"));
  PyRef signal(py, py.PyLong_FromLong(signal_));
  PyRef enabled(py, enable && signal
                        ? py.PyObject_CallFunctionObjArgs(enable.get(), signal.get(), nullptr)
                        : nullptr);
  if (enabled.get() == py.True) fault_reporter_ = platform::add_fault_reporter(signal_);
  py.PyErr_Clear();
  platform::enter_python_thread(fault_reporter_);
}

void Runtime::set_home_poke(std::function<void()> poke) {
  std::lock_guard<std::mutex> lock(mutex_);
  home_poke_ = std::move(poke);
}

template <typename Add>
void Runtime::collect(Add add) {
  std::function<void()> poke;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    add();
    reaper_filled_.store(true, std::memory_order_release);
    poke = home_poke_;
  }
  if (poke) {
    poke();
  } else {
    changed_.notify_all();
  }
}

void Runtime::reap(ExportedBuffer* buffer) {
  collect([&] { reaper_.push_back(buffer); });
}

void Runtime::retire(PyThreadState* state) {
  collect([&] { retired_.push_back(state); });
}

void Runtime::drain_reaper() {
  if (!reaper_filled_.load(std::memory_order_acquire)) return;
  std::vector<ExportedBuffer*> given_back;
  std::vector<PyThreadState*> retired;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    given_back.swap(reaper_);
    retired.swap(retired_);
    reaper_filled_.store(false, std::memory_order_relaxed);
  }
  for (ExportedBuffer* buffer : given_back) {
    api_.PyBuffer_Release(&buffer->buffer);
    delete buffer;
  }
  for (PyThreadState* state : retired) {
    api_.PyThreadState_Clear(state);
    api_.PyThreadState_Delete(state);
  }
}

void Runtime::interrupt_thread(unsigned long ident, Decide decide) {
  std::lock_guard<std::mutex> lock(mutex_);
  // One for each thread is enough, the latest: while C code holds the GIL none is taken.
  auto earlier = std::find_if(interrupts_.begin(), interrupts_.end(),
                              [&](const Interrupt& one) { return one.ident == ident; });
  if (earlier == interrupts_.end()) {
    interrupts_.push_back({ident, std::move(decide)});
  } else {
    earlier->decide = std::move(decide);
  }
  if (!service_running_) {
    service_running_ = true;
    platform::start_thread([this] { run_service(); }, "python-service");
  }
  service_wake_.notify_one();
}

void Runtime::run_service() {
  PyThreadState* state = api_.PyThreadState_New(interpreter_);
  for (;;) {
    Interrupt next;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      service_wake_.wait(lock, [&] { return !interrupts_.empty(); });
      next = std::move(interrupts_.front());
      interrupts_.pop_front();
    }
    api_.PyEval_RestoreThread(state);
    next.decide([&] { api_.PyThreadState_SetAsyncExc(next.ident, interrupted_type_); });
    state = api_.PyEval_SaveThread();
  }
}

std::string take_error_text(const PythonApi& py) {
  if (py.PyErr_Occurred() == nullptr) return "unknown error";
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  py.PyErr_Fetch(&type, &value, &traceback);
  py.PyErr_NormalizeException(&type, &value, &traceback);
  PyRef owned_type(py, type), owned_value(py, value), owned_traceback(py, traceback);
  PyRef text(py, value == nullptr ? nullptr : py.PyObject_Repr(value));
  Py_ssize_t size = 0;
  const char* chars = text ? py.PyUnicode_AsUTF8AndSize(text.get(), &size) : nullptr;
  std::string result = chars == nullptr ? "unprintable error" : std::string(chars, size);
  py.PyErr_Clear();
  return result;
}

}  // namespace rxp
