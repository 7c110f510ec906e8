// The way into this addon for a Python executable, which loads it as an extension module. Nothing
// of Node is there then; its functions are bound lazily and never called.
#include <pthread.h>
#include <unistd.h>

#include <fcntl.h>
#include <cstdio>
#include <cstring>

#include "platform/platform.h"
#include "platform/processes.h"
#include "process/worker.h"

namespace rxp {
namespace {

PyObject* run(PyObject*, PyObject*);

PythonApi& entry_api() {
  static PythonApi& api = *new PythonApi;
  return api;
}
PyMethodDef run_definition = {"run", run, kMethNoArgs, nullptr};

// A process that is short of memory is to lose this one, which is replaced, rather than Node.
void volunteer_for_oom() {
  int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)!write(file, "300", 3);
  close(file);
}

PyObject* run(PyObject*, PyObject*) {
  const PythonApi& py = entry_api();
  for (int descriptor : {kSocketDescriptor, kMemoryDescriptor, kFaultDescriptor}) {
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  auto link = Link::adopt(kMemoryDescriptor, kSocketDescriptor);
  if (link == nullptr) {
    py.PyErr_SetString(*py.PyExc_RuntimeError, "this is not a worker process of rxjs-python");
    return nullptr;
  }
  if (!platform::die_with_parent(link->state().parent)) _exit(0);
  volunteer_for_oom();
  pthread_atfork(nullptr, nullptr, [] { WorkerSink::forked = true; });

  RuntimeOptions options;
  options.isolation = Isolation::kProcess;
  std::string error;
  Runtime* runtime = Runtime::adopt(options, error);
  if (runtime == nullptr) {
    py.PyErr_SetString(*py.PyExc_RuntimeError, error.c_str());
    return nullptr;
  }
  // Never freed: objects that outlive the last call still refer to its blocks.
  auto* worker = new Worker(*runtime, std::move(link));
  worker->serve();
  py.Py_IncRef(py.None);
  return py.None;
}

}  // namespace
}  // namespace rxp

// Leaves a function `run` in sys.modules and fails on purpose: an import that is going on for as
// long as the worker lives would keep the GIL switched on in free-threaded builds.
extern "C" __attribute__((visibility("default"))) void* PyInit__rxjs_python_worker() {
  rxp::PythonApi& py = rxp::entry_api();
  std::string error = py.load(rxp::platform::open_self());
  if (!error.empty()) {
    std::fprintf(stderr, "rxjs-python: this Python cannot be used: %s\n", error.c_str());
    _exit(1);
  }
  rxp::PyObject* module = py.PyImport_AddModule("_rxjs_python_entry");
  rxp::PyRef function(py, py.PyCFunction_NewEx(&rxp::run_definition, nullptr, nullptr));
  if (module != nullptr && function) {
    py.PyObject_SetAttrString(module, "run", function.get());
    py.PyErr_SetString(*py.PyExc_RuntimeError, "loaded");
  }
  return nullptr;
}
