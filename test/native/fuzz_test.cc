// Fuzzing of the native entries, inside a real CPython and without Node.
//
//   fuzz_test LIBPYTHON PYTHON_DIR TARGET [what libFuzzer or fuzz/drive.cc takes …]
//
// With RXP_LIBFUZZER, libFuzzer looks for inputs that reach new code; else drive.cc changes them
// blindly. scripts/fuzz.ts builds it with sanitizers and runs it.
#include <dlfcn.h>

#include <cstring>
#include <string>

#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerRunDriver(int* argc, char*** argv,
                                   int (*one)(const uint8_t* data, size_t size));

namespace rxp::fuzz {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Target> (*make)(Runtime& runtime);
};
constexpr Entry kTargets[] = {{"json", json_target},
                              {"text", text_target},
                              {"values", values_target},
                              {"responses", responses_target},
                              {"requests", requests_target}};

std::unique_ptr<Target> target;

int run_one(const uint8_t* data, size_t size) {
  target->run({data, size});
  return 0;
}

int run(int argc, char** argv) {
#ifdef RXP_LIBFUZZER
  return LLVMFuzzerRunDriver(&argc, &argv, run_one);
#else
  return drive(argc, argv, run_one);
#endif
}

// As in a worker process: this program is the Python. In Node's own process four modules are opened
// with RTLD_DEEPBIND, which a sanitizer refuses.
Runtime* start_python(const char* library, const std::string& folders) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
  PythonApi api;
  std::string error = handle == nullptr ? dlerror() : api.load(handle);
  Runtime* runtime = nullptr;
  if (error.empty()) {
    api.Py_InitializeEx(0);
    auto execute = reinterpret_cast<int (*)(const char*)>(dlsym(handle, "PyRun_SimpleString"));
    const std::string prepare =
        "import sys; sys.dont_write_bytecode = True; sys.path[0:0] = " + folders;
    CHECK(execute(prepare.c_str()) == 0);
    RuntimeOptions options;
    options.isolation = Isolation::kProcess;
    runtime = Runtime::adopt(options, error);
  }
  if (runtime == nullptr) std::fprintf(stderr, "%s: %s\n", library, error.c_str());
  return runtime;
}

}  // namespace
}  // namespace rxp::fuzz

int main(int argc, char** argv) {
  using namespace rxp::fuzz;
  const Entry* entry = nullptr;
  for (const Entry& one : kTargets) {
    if (argc > 3 && std::strcmp(argv[3], one.name) == 0) entry = &one;
  }
  if (entry == nullptr) {
    std::fprintf(stderr, "usage: fuzz_test LIBPYTHON PYTHON_DIR TARGET [OPTIONS]\n");
    return 2;
  }
  const std::string python = argv[2];
  const std::string folders = "['" + python + "', '" + python + "/../test/native/fuzz']";
  rxp::Runtime* runtime = start_python(argv[1], folders);
  if (runtime == nullptr) return 2;
  target = entry->make(*runtime);
  argv[3] = argv[0];
  int code = run(argc - 3, argv + 3);
  std::fflush(nullptr);
  std::_Exit(code);  // Python is not finalised
}
