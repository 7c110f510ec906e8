// What differs between operating systems. Everything above this seam is portable C++; a platform is
// one file that implements these functions, and says in `why_not` what it cannot do.
#pragma once

#include <pthread.h>

#include <functional>
#include <string>

namespace rxp::platform {

// Opens a libpython into the process's global scope. Returns null and fills `error` on failure.
void* open_shared(const std::string& library, std::string& error);

// Keeps child_process.spawn() from running the fork handlers of Python's libraries, which may wait
// for a computation without an end. Idempotent.
void keep_fork_handlers_from_node();

// This program's own global scope, for a worker process that is a Python.
void* open_self();

// Whether Python is to take UTF-8 for everything: as its own program does (PEP 540), where the
// environment says so, or names no locale of more than ASCII. An embedded one would take ASCII.
bool wants_utf8();

// True where a private copy of libpython can live beside others; fills `why_not` otherwise.
bool has_namespaces(std::string& why_not);

// Opens a private copy of libpython with a libc of its own. Must be called on the thread that will
// be that copy's only thread of ours, for ever (rule T2 in interpreter.h).
void* open_namespace(const std::string& library, std::string& error);

// Has the C library of such a copy, or with null the process's own, give the memory back that it
// keeps and does not need. Any thread.
void trim_memory(void* handle);

// Starts a detached thread with a stack that deep recursion in C extensions can live with.
bool start_thread(std::function<void()> body, const char* name);

// The real-time signal reserved for the runtime with this ordinal, or -1 when they are used up.
int interrupt_signal(int ordinal);
void send_signal(pthread_t thread, int signal);

// What a loop that waits for another core does meanwhile.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// A descriptor that a thread can wait for in poll(): one that another thread makes readable, and
// that is read empty before the next wait. -1 where there are no more.
int make_event();
void make_readable(int event);
void make_unreadable(int event);

// Makes process exit leave without running destructors under live Python threads. Idempotent.
void install_exit_hook();

// Takes an exclusive lock on a file, without waiting: a descriptor, -1 when another holds it, or -2
// with errno set. The system drops the lock when the process dies, however it dies.
int lock_file(const std::string& path);
void unlock_file(int descriptor);

}  // namespace rxp::platform
