// One initialised CPython in this process, and its threads.
//
// T1  A Python object is touched only by threads of its own runtime that hold its GIL (or, on
//     free-threaded builds, are attached to it). References dropped elsewhere go home by a queue.
// T2  A private copy of libpython is opened, initialised and used on one thread of ours for ever:
//     its home. glibc keeps per-thread data of that copy's libc there.
// T3  The home is Python's main thread, so signals interrupt what runs on it.
// T4  No JavaScript thread ever takes a GIL, unless it was told to wait (T7, visitor.h).
// T5  Never PyGILState_*: a thread attaches by a thread state of its own.
// L3  Runtimes are never finalised and never freed. An interpreter that closes gives its thread
//     back; a private copy waits for the next pool with the same Python.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "interpreter/python_api.h"

namespace rxp {

enum class Isolation : uint8_t { kShared = 0, kNamespace = 1, kProcess = 2 };

struct RuntimeOptions {
  std::string library;     // path of libpython
  std::string executable;  // decides prefix and site-packages
  std::string python_dir;  // folder of the rxjs_python package
  Isolation isolation = Isolation::kShared;
};

struct ExportedBuffer;

class Runtime {
 public:
  // A thread's stay in a runtime. `error` is set, and runtime is unusable, when it did not start.
  struct Lease {
    Runtime* runtime = nullptr;
    bool home = false;  // on Python's main thread
    std::string error;
    std::string error_code;
    std::function<void()> after;  // runs when the thread is free for the next lease
  };
  // Runs on the leased thread with the GIL held; gives the lease back by returning.
  using Stay = std::function<void(Lease&)>;

  // Finds or makes a runtime for these options and runs `stay` on one of its threads. Returns at
  // once; failures reach `stay` as a lease with an error.
  static void lease(const RuntimeOptions& options, Stay stay);

  // In a worker process: the Python that this very program is. Called on its main thread with the
  // GIL held. Null, with `error` filled, when it cannot be used.
  static Runtime* adopt(const RuntimeOptions& options, std::string& error);

  const PythonApi& api() const { return api_; }
  const RuntimeOptions& options() const { return options_; }
  pthread_t home_thread() const { return home_thread_; }
  int signal() const { return signal_; }
  PyObject* host_module() const { return host_module_; }
  PyObject* memory_type() const { return memory_type_; }
  PyObject* bigint_type() const { return bigint_type_; }
  PyObject* interrupted_type() const { return interrupted_type_; }
  PyObject* result_encode_error() const { return result_encode_error_; }

  // Any thread: gives Python memory back; it is released soon, on a thread of this runtime.
  void reap(ExportedBuffer* buffer);
  // A thread of this runtime, GIL held: releases what was given back.
  void drain_reaper();

  // Any thread: raises Interrupted in a thread that is not the home. `decide(raise)` runs with the
  // GIL held and calls raise() if the interrupt is still wanted.
  using Decide = std::function<void(const std::function<void()>& raise)>;
  void interrupt_thread(unsigned long ident, Decide decide);

  // For a thread of somebody else's (rule T7); it is used there until it is given back by retire(),
  // which any thread may call: a thread of this runtime frees it.
  PyThreadState* new_thread_state() { return api_.PyThreadState_New(interpreter_); }
  void retire(PyThreadState* state);
  int fault_reporter() const { return fault_reporter_; }

  // How the leaseholder of the home thread is woken for the reaper's sake; empty when it is free.
  void set_home_poke(std::function<void()> poke);

 private:
  explicit Runtime(const RuntimeOptions& options) : options_(options) {}
  // Adds something for a thread of this runtime to free, and has one look after it.
  template <typename Add>
  void collect(Add add);
  void run_home();
  void run_guest(const Stay& stay);
  void trim();
  std::string start();
  std::string inspect();
  std::string initialize_python();
  std::string boot();
  void report_faults();
  void run_service();

  RuntimeOptions options_;
  PythonApi api_;
  PyInterpreterState* interpreter_ = nullptr;
  void* namespace_ = nullptr;  // of a private copy
  PyObject* host_module_ = nullptr;
  PyObject* memory_type_ = nullptr;
  PyObject* bigint_type_ = nullptr;
  PyObject* interrupted_type_ = nullptr;
  PyObject* result_encode_error_ = nullptr;
  pthread_t home_thread_{};
  int signal_ = -1;
  int fault_reporter_ = -1;
  std::string error_;
  std::string error_code_;

  std::mutex mutex_;
  std::condition_variable changed_;
  enum class State { kStarting, kReady, kFailed } state_ = State::kStarting;
  std::deque<Stay> home_stays_;
  bool home_taken_ = false;
  std::function<void()> home_poke_;
  std::vector<ExportedBuffer*> reaper_;
  std::vector<PyThreadState*> retired_;
  std::atomic<bool> reaper_filled_{false};

  struct Interrupt {
    unsigned long ident;
    Decide decide;
  };
  bool service_running_ = false;
  std::condition_variable service_wake_;
  std::deque<Interrupt> interrupts_;

  friend struct RuntimeRegistry;
};

// The text of the exception that is set, which is cleared; for errors before there is a host.
std::string take_error_text(const PythonApi& api);

}  // namespace rxp
