// What Python was doing when this process crashes, on standard error before it dies.
//
// V8 needs SIGSEGV itself: an access out of bounds in WebAssembly is a fault that it turns into an
// exception. So the handlers installed here pass on what belongs to JavaScript, and else print, put
// the disposition back that was there before, and let the fault happen again: the process dies with
// the same signal, as it would have.
//
// Everything that runs in a handler is safe there: no memory is allocated, no lock taken.
#pragma once

namespace rxp::platform {

// faulthandler.register() has just been called for this signal. Takes the function that it
// installed, which prints the stacks of that Python, and installs the handlers. Returns the
// reporter's number, or -1 when there is none.
int add_fault_reporter(int signal);

// The calling thread runs Python, and faults on it are that reporter's. Gives it a stack for
// handlers, so that running out of stack is reported, too. -1: nothing to report, nothing is done.
void enter_python_thread(int reporter);
void leave_python_thread(int reporter);
// A JavaScript thread runs Python, until it says again that it runs JavaScript.
void visit_python(int reporter);

// The calling thread runs JavaScript: its faults are V8's.
void enter_javascript_thread();
void leave_javascript_thread();

}  // namespace rxp::platform
