// Checks the JSON codec inside a real CPython, without Node.
//
// Build:  g++ -std=c++17 -g -O1 -Inative test/native/json_test.cc native/codec/json_*.cc
//             native/interpreter/python_api.cc -ldl -o json_test
//         (add -fsanitize=address,undefined; then run with ASAN_OPTIONS=detect_leaks=0)
// Run:    PYTHONHOME=<prefix> json_test <libpython> test/native/json [seconds]
//
// It offers the codec to Python as the module json_codec and imports checks.py from that folder:
// the checks are in Python, where values are compared with what Python's own json module makes of
// them.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "codec/json_decode.h"
#include "codec/json_encode.h"

namespace {

using namespace rxp;

PythonApi api;
std::unique_ptr<JsonDecoder> decoder;
std::unique_ptr<JsonEncoder> encoder;

bool to_units(PyObject* text, std::u16string& units) {
  Py_ssize_t length = api.PyUnicode_GetLength(text);
  if (length < 0) return false;
  std::vector<uint32_t> points(static_cast<size_t>(length) + 1);
  if (api.PyUnicode_AsUCS4(text, points.data(), length + 1, 1) == nullptr) return false;
  TextBuffer buffer;
  for (Py_ssize_t i = 0; i < length; ++i) buffer.append_code_point(points[static_cast<size_t>(i)]);
  TextView view = buffer.view();
  for (size_t i = 0; i < view.size; ++i) {
    units.push_back(view.narrow ? view.bytes()[i] : view.units()[i]);
  }
  return true;
}

// The text in memory of exactly its size, so that a sanitizer sees a read behind it.
PyObject* decode_exact(const std::u16string& units, bool narrow, bool batch) {
  size_t bytes = units.size() * (narrow ? 1 : 2);
  std::unique_ptr<char[]> memory(new char[bytes == 0 ? 1 : bytes]);
  for (size_t i = 0; i < units.size(); ++i) {
    if (narrow) {
      memory[i] = static_cast<char>(units[i]);
    } else {
      reinterpret_cast<char16_t*>(memory.get())[i] = units[i];
    }
  }
  TextView view{memory.get(), units.size(), narrow};
  return batch ? decoder->decode_batch(view) : decoder->decode(view);
}

// decode(text, wide, batch): `wide` asks for two bytes a unit even where one is enough.
PyObject* py_decode(PyObject*, PyObject* args) {
  std::u16string units;
  if (!to_units(api.PyTuple_GetItem(args, 0), units)) return nullptr;
  bool wide = api.PyObject_IsTrue(api.PyTuple_GetItem(args, 1)) == 1;
  for (char16_t unit : units) wide = wide || unit > 0xff;
  return decode_exact(units, !wide, api.PyObject_IsTrue(api.PyTuple_GetItem(args, 2)) == 1);
}

// encode(value, batch) -> (text as UTF-16 code units, specials, narrow)
PyObject* py_encode(PyObject*, PyObject* args) {
  PyObject* value = api.PyTuple_GetItem(args, 0);
  TextBuffer out;
  Py_ssize_t bad_item = -1;
  bool batch = api.PyObject_IsTrue(api.PyTuple_GetItem(args, 1)) == 1;
  bool ok = batch ? encoder->encode_batch(value, out, &bad_item) : encoder->encode(value, out);
  if (!ok) {
    if (out.size() != 0) std::abort();  // a failure must leave the output as it was
    if (api.PyErr_Occurred() == nullptr) std::abort();
    return nullptr;
  }
  TextView view = out.view();
  PyObject* result = api.PyTuple_New(3);
  PyObject* text = api.PyUnicode_FromKindAndData(view.narrow ? 1 : 2, view.data,
                                                 static_cast<Py_ssize_t>(view.size));
  api.PyTuple_SetItem(result, 0, text);
  api.PyTuple_SetItem(result, 1, api.PyBool_FromLong(out.specials));
  api.PyTuple_SetItem(result, 2, api.PyBool_FromLong(view.narrow));
  return result;
}

// use(bigint_type, json_default, encode_error_type) makes the codec.
PyObject* py_use(PyObject*, PyObject* args) {
  PyObject* kept[3];
  for (int i = 0; i < 3; ++i) {
    kept[i] = api.PyTuple_GetItem(args, i);
    api.Py_IncRef(kept[i]);
  }
  decoder.reset(new JsonDecoder(api, kept[0]));
  encoder.reset(new JsonEncoder(api, kept[0], kept[1], kept[2]));
  api.Py_IncRef(api.None);
  return api.None;
}

PyMethodDef methods[] = {
    {"decode", py_decode, kMethVarargs, nullptr},
    {"encode", py_encode, kMethVarargs, nullptr},
    {"use", py_use, kMethVarargs, nullptr},
};

}  // namespace

// For a fuzzer: any bytes, as one-byte and as two-byte text, must give a value or a ValueError.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (int width = 1; width <= 2; ++width) {
    std::u16string units;
    for (size_t i = 0; i + static_cast<size_t>(width) <= size; i += static_cast<size_t>(width)) {
      units.push_back(static_cast<char16_t>(width == 1 ? data[i] : data[i] | data[i + 1] << 8));
    }
    PyRef value(api, decode_exact(units, width == 1, false));
    if (!value) {
      if (api.PyErr_Occurred() == nullptr) std::abort();
      api.PyErr_Clear();
    }
  }
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: json_test <libpython> <folder of checks.py> [seconds]\n");
    return 2;
  }
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  std::string problem = api.load(library);
  if (!problem.empty()) {
    std::fprintf(stderr, "%s: %s\n", argv[1], problem.c_str());
    return 2;
  }
  api.Py_InitializeEx(0);
  problem = api.measure_layout();
  if (!problem.empty()) {
    std::fprintf(stderr, "%s: %s\n", argv[1], problem.c_str());
    return 2;
  }
  PyObject* offered = api.PyModule_GetDict(api.PyImport_AddModule("json_codec"));
  for (PyMethodDef& method : methods) {
    PyRef function(api, api.PyCFunction_NewEx(&method, nullptr, nullptr));
    api.PyDict_SetItemString(offered, method.ml_name, function.get());
  }
  PyRef seconds(api, api.PyFloat_FromDouble(argc > 3 ? std::atof(argv[3]) : 2));
  api.PyDict_SetItemString(offered, "SECONDS", seconds.get());
  PyRef sys(api, api.PyImport_ImportModule("sys"));
  PyRef path(api, api.PyObject_GetAttrString(sys.get(), "path"));
  PyRef folder(api, api.PyUnicode_FromString(argv[2]));
  api.PyList_Insert(path.get(), 0, folder.get());
  auto run = reinterpret_cast<int (*)(const char*)>(dlsym(library, "PyRun_SimpleString"));
  int failed = run("import sys; sys.dont_write_bytecode = True; import checks");
  static const char kNoise[] = "{}[]\",:\\u0123456789dDeE+-.tfnNInull \x01\xff";
  for (uint32_t seed = 1; failed == 0 && seed < 20000; ++seed) {  // bytes of no sense at all
    std::string noise;
    uint32_t state = seed * 2654435761u;
    for (uint32_t i = 0; i < seed % 40; ++i) {
      state = state * 1664525u + 1013904223u;
      noise += kNoise[(state >> 16) % (sizeof kNoise - 1)];
    }
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(noise.data()), noise.size());
  }
  decoder.reset();
  encoder.reset();
  if (failed == 0) std::printf("json codec, Python %d.%d: ok\n", api.major, api.minor);
  return failed == 0 ? 0 : 1;
}
