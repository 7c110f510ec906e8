#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "platform/faults.h"

namespace rxp::platform {
namespace {

struct Fault {
  int signal;
  const char* name;
};
constexpr Fault kFaults[] = {{SIGSEGV, "Segmentation fault"},
                             {SIGBUS, "Bus error"},
                             {SIGFPE, "Floating-point exception"},
                             {SIGILL, "Illegal instruction"},
                             {SIGABRT, "Aborted"}};
constexpr int kFaultCount = sizeof kFaults / sizeof kFaults[0];
constexpr int kMostReporters = 64;
constexpr int kMostThreads = 1024;
constexpr int kJavaScript = -1;
constexpr int kUnknown = -2;
constexpr size_t kHandlerStack = 128 << 10;

struct Reporter {
  void (*print)(int signal);
  int signal;
};

// A thread that is known here. `thread` is 0 where the place is free.
struct Known {
  std::atomic<pthread_t> thread;
  std::atomic<int> reporter;
};

// Plain data, so that nothing of it is ever destroyed under a handler.
struct sigaction previous[kFaultCount];
Reporter reporters[kMostReporters];
std::atomic<int> reporter_count{0};
Known threads[kMostThreads];
std::atomic<pthread_t> printing{0};

// bool v8::TryHandleWebAssemblyTrapPosix(int, siginfo_t*, void*)
using TryHandleTrap = bool (*)(int, siginfo_t*, void*);
TryHandleTrap try_handle_trap = nullptr;

int reporter_of(pthread_t thread) {
  for (Known& known : threads) {
    if (known.thread.load(std::memory_order_acquire) == thread) return known.reporter.load();
  }
  return kUnknown;
}

void remember(int reporter) {
  pthread_t self = pthread_self();
  for (Known& known : threads) {
    pthread_t expected = 0;
    if (known.thread.load() == self || known.thread.compare_exchange_strong(expected, self)) {
      known.reporter.store(reporter);
      return;
    }
  }
}

void forget() {
  pthread_t self = pthread_self();
  for (Known& known : threads) {
    if (known.thread.load() == self) known.thread.store(0);
  }
}

void say(const char* text) { (void)!write(STDERR_FILENO, text, strlen(text)); }

void print_stacks(const Fault& fault, int reporter) {
  pthread_t self = pthread_self();
  pthread_t nobody = 0;
  if (!printing.compare_exchange_strong(nobody, self)) {
    if (nobody == self) return;  // printing crashed
    // Another thread crashed first: this one must not end the process before it has said so.
    timespec while_it_prints{1, 0};
    nanosleep(&while_it_prints, nullptr);
    return;
  }
  say("Fatal Python error: ");
  say(fault.name);
  say("\n\n");
  int count = reporter_count.load(std::memory_order_acquire);
  for (int i = 0; i < count; i++) {
    if (reporter >= 0 && reporter != i) continue;
    reporters[i].print(reporters[i].signal);
    say("\n");
  }
}

bool has_function(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 ||
         (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
}

void call(const struct sigaction& action, int signal, siginfo_t* info, void* context) {
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signal, info, context);
  } else {
    action.sa_handler(signal);
  }
}

// Back to what was there before. A fault happens again when the handler returns; what was sent is
// sent again.
void give_back(int index, const siginfo_t* info) {
  sigaction(kFaults[index].signal, &previous[index], nullptr);
  if (info->si_code <= 0) raise(kFaults[index].signal);
}

void on_fault(int signal, siginfo_t* info, void* context) {
  int saved_errno = errno;
  int index = 0;
  while (kFaults[index].signal != signal) index++;
  int reporter = reporter_of(pthread_self());
  bool prints = reporter >= 0;
  if (reporter == kJavaScript) {
    prints = info->si_code == SI_USER;  // somebody wants this process to end: a look at Python
  } else if (reporter == kUnknown) {
    // A thread of V8's, or one that Python code started.
    if (try_handle_trap == nullptr && has_function(previous[index])) {
      call(previous[index], signal, info, context);
      errno = saved_errno;
      return;
    }
    if (try_handle_trap != nullptr && try_handle_trap(signal, info, context)) return;
    prints = true;
  }
  if (prints) {
    print_stacks(kFaults[index], reporter);
    give_back(index, info);
  } else if (has_function(previous[index])) {
    call(previous[index], signal, info, context);
  } else {
    give_back(index, info);
  }
  errno = saved_errno;
}

void install() {
  static std::atomic<bool> done{false};
  if (done.exchange(true)) return;
  try_handle_trap = reinterpret_cast<TryHandleTrap>(
      dlsym(RTLD_DEFAULT, "_ZN2v829TryHandleWebAssemblyTrapPosixEiP9siginfo_tPv"));
  for (int i = 0; i < kFaultCount; i++) {
    // Read first: the handler may run as soon as it is there.
    sigaction(kFaults[i].signal, nullptr, &previous[i]);
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(kFaults[i].signal, &action, nullptr);
  }
}

}  // namespace

int add_fault_reporter(int signal) {
  struct sigaction registered{};
  if (sigaction(signal, nullptr, &registered) != 0) return -1;
  if ((registered.sa_flags & SA_SIGINFO) != 0 || !has_function(registered)) return -1;
  // Runtimes start on threads of their own, maybe at the same time.
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  int number = reporter_count.load();
  if (number < kMostReporters) {
    reporters[number] = {registered.sa_handler, signal};
    reporter_count.store(number + 1, std::memory_order_release);
  } else {
    number = -1;
  }
  install();
  pthread_mutex_unlock(&mutex);
  return number;
}

void enter_python_thread(int reporter) {
  if (reporter < 0) return;
  remember(reporter);
  stack_t stack{};
  if (sigaltstack(nullptr, &stack) != 0 || (stack.ss_flags & SS_DISABLE) == 0) return;
  void* memory = mmap(nullptr, kHandlerStack, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;
  stack = {};
  stack.ss_sp = memory;
  stack.ss_size = kHandlerStack;
  if (sigaltstack(&stack, nullptr) != 0) munmap(memory, kHandlerStack);
}

void leave_python_thread(int reporter) {
  if (reporter < 0) return;
  forget();
  stack_t stack{};
  if (sigaltstack(nullptr, &stack) != 0 || stack.ss_size != kHandlerStack) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  if (sigaltstack(&none, nullptr) == 0) munmap(stack.ss_sp, kHandlerStack);
}

void visit_python(int reporter) {
  if (reporter >= 0) remember(reporter);
}

void enter_javascript_thread() { remember(kJavaScript); }
void leave_javascript_thread() { forget(); }

}  // namespace rxp::platform
