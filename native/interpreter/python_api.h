// The part of CPython's C API that this addon uses, resolved at run time from the libpython that
// was found, so that one binary serves every CPython from 3.9 to 3.14 and the free-threaded builds.
//
// No Python.h on purpose: objects stay opaque and nothing depends on the layout of one version. The
// few structures below are part of the C API's published ABI and are the same in all those
// versions.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace rxp {

struct PyObject;
struct PyThreadState;
struct PyInterpreterState;
using Py_ssize_t = ssize_t;
using PyCFunction = PyObject* (*)(PyObject * self, PyObject* args);

struct Py_buffer {
  void* buf;
  PyObject* obj;
  Py_ssize_t len;
  Py_ssize_t itemsize;
  int readonly;
  int ndim;
  char* format;
  Py_ssize_t* shape;
  Py_ssize_t* strides;
  Py_ssize_t* suboffsets;
  void* internal;
};

struct PyMethodDef {
  const char* ml_name;
  PyCFunction ml_meth;
  int ml_flags;
  const char* ml_doc;
};

struct PyType_Slot {
  int slot;
  void* pfunc;
};

struct PyType_Spec {
  const char* name;
  int basicsize;
  int itemsize;
  unsigned int flags;
  PyType_Slot* slots;
};

struct PyInitConfig;

// Opaque to us; two words in 3.13 and 3.14, with room to grow.
struct PyCriticalSection {
  void* words[4];
};

// Values of the C API's macros that are needed here.
inline constexpr int kMethVarargs = 0x0001;
inline constexpr int kMethNoArgs = 0x0004;
inline constexpr int kMethO = 0x0008;
inline constexpr int kSlotGetBuffer = 1;  // Py_bf_getbuffer
inline constexpr int kSlotDealloc = 52;   // Py_tp_dealloc
inline constexpr unsigned kTypeFlagsDefault = 1u << 18;
inline constexpr int kBufWritable = 0x0001;
inline constexpr int kBufFormat = 0x0004;
inline constexpr int kBufNd = 0x0008;
inline constexpr int kBufStrides = 0x0010 | kBufNd;
inline constexpr int kBufCContiguous = 0x0020 | kBufStrides;
inline constexpr int kEvalInput = 258;
inline constexpr int kFileInput = 257;

// X(name, result, arguments): functions that every supported version exports.
#define RXP_PYTHON_FUNCTIONS(X)                                                   \
  X(Py_InitializeEx, void, (int))                                                 \
  X(Py_IsInitialized, int, (void))                                                \
  X(Py_GetVersion, const char*, (void))                                           \
  X(Py_DecodeLocale, wchar_t*, (const char*, size_t*))                            \
  X(PyEval_SaveThread, PyThreadState*, (void))                                    \
  X(PyEval_RestoreThread, void, (PyThreadState*))                                 \
  X(PyThreadState_Get, PyThreadState*, (void))                                    \
  X(PyThreadState_New, PyThreadState*, (PyInterpreterState*))                     \
  X(PyThreadState_Clear, void, (PyThreadState*))                                  \
  X(PyThreadState_Delete, void, (PyThreadState*))                                 \
  X(PyThreadState_DeleteCurrent, void, (void))                                    \
  X(PyThreadState_GetInterpreter, PyInterpreterState*, (PyThreadState*))          \
  X(PyThreadState_SetAsyncExc, int, (unsigned long, PyObject*))                   \
  X(PyThread_get_thread_ident, unsigned long, (void))                             \
  X(Py_IncRef, void, (PyObject*))                                                 \
  X(Py_DecRef, void, (PyObject*))                                                 \
  X(PyObject_Type, PyObject*, (PyObject*))                                        \
  X(PyObject_IsInstance, int, (PyObject*, PyObject*))                             \
  X(PyObject_IsTrue, int, (PyObject*))                                            \
  X(PyObject_Str, PyObject*, (PyObject*))                                         \
  X(PyObject_Repr, PyObject*, (PyObject*))                                        \
  X(PyObject_GetAttrString, PyObject*, (PyObject*, const char*))                  \
  X(PyObject_SetAttrString, int, (PyObject*, const char*, PyObject*))             \
  X(PyObject_CallObject, PyObject*, (PyObject*, PyObject*))                       \
  X(PyObject_CallFunctionObjArgs, PyObject*, (PyObject*, ...))                    \
  X(PyObject_CallMethodObjArgs, PyObject*, (PyObject*, PyObject*, ...))           \
  X(PyImport_ImportModule, PyObject*, (const char*))                              \
  X(PyImport_AddModule, PyObject*, (const char*))                                 \
  X(PyModule_GetDict, PyObject*, (PyObject*))                                     \
  X(PyType_IsSubtype, int, (PyObject*, PyObject*))                                \
  X(PyType_FromSpec, PyObject*, (PyType_Spec*))                                   \
  X(PyType_GenericAlloc, PyObject*, (PyObject*, Py_ssize_t))                      \
  X(PyObject_Free, void, (void*))                                                 \
  X(PyCFunction_NewEx, PyObject*, (PyMethodDef*, PyObject*, PyObject*))           \
  X(PyCapsule_New, PyObject*, (void*, const char*, void (*)(PyObject*)))          \
  X(PyCapsule_GetPointer, void*, (PyObject*, const char*))                        \
  X(PyDict_New, PyObject*, (void))                                                \
  X(PyDict_SetItem, int, (PyObject*, PyObject*, PyObject*))                       \
  X(PyDict_SetItemString, int, (PyObject*, const char*, PyObject*))               \
  X(PyDict_Next, int, (PyObject*, Py_ssize_t*, PyObject**, PyObject**))           \
  X(PyDict_Size, Py_ssize_t, (PyObject*))                                         \
  X(PyList_New, PyObject*, (Py_ssize_t))                                          \
  X(PyList_Size, Py_ssize_t, (PyObject*))                                         \
  X(PyList_GetItem, PyObject*, (PyObject*, Py_ssize_t))                           \
  X(PyList_GetSlice, PyObject*, (PyObject*, Py_ssize_t, Py_ssize_t))              \
  X(PyList_SetItem, int, (PyObject*, Py_ssize_t, PyObject*))                      \
  X(PyList_Append, int, (PyObject*, PyObject*))                                   \
  X(PyList_Insert, int, (PyObject*, Py_ssize_t, PyObject*))                       \
  X(PyTuple_New, PyObject*, (Py_ssize_t))                                         \
  X(PyTuple_Size, Py_ssize_t, (PyObject*))                                        \
  X(PyTuple_GetItem, PyObject*, (PyObject*, Py_ssize_t))                          \
  X(PyTuple_SetItem, int, (PyObject*, Py_ssize_t, PyObject*))                     \
  X(PyUnicode_FromStringAndSize, PyObject*, (const char*, Py_ssize_t))            \
  X(PyUnicode_FromString, PyObject*, (const char*))                               \
  X(PyUnicode_FromKindAndData, PyObject*, (int, const void*, Py_ssize_t))         \
  X(PyUnicode_New, PyObject*, (Py_ssize_t, uint32_t))                             \
  X(PyUnicode_InternInPlace, void, (PyObject**))                                  \
  X(PyUnicode_GetLength, Py_ssize_t, (PyObject*))                                 \
  X(PyUnicode_AsUTF8AndSize, const char*, (PyObject*, Py_ssize_t*))               \
  X(PyUnicode_AsUCS4, uint32_t*, (PyObject*, uint32_t*, Py_ssize_t, int))         \
  X(PyBytes_AsStringAndSize, int, (PyObject*, char**, Py_ssize_t*))               \
  X(PyLong_FromLong, PyObject*, (long))                                           \
  X(PyLong_FromLongLong, PyObject*, (long long))                                  \
  X(PyLong_FromString, PyObject*, (const char*, char**, int))                     \
  X(PyLong_AsLongLongAndOverflow, long long, (PyObject*, int*))                   \
  X(PyFloat_FromDouble, PyObject*, (double))                                      \
  X(PyFloat_AsDouble, double, (PyObject*))                                        \
  X(PyFloat_FromString, PyObject*, (PyObject*))                                   \
  X(PyNumber_ToBase, PyObject*, (PyObject*, int))                                 \
  X(PyNumber_Add, PyObject*, (PyObject*, PyObject*))                              \
  X(PyNumber_Multiply, PyObject*, (PyObject*, PyObject*))                         \
  X(PyNumber_Power, PyObject*, (PyObject*, PyObject*, PyObject*))                 \
  X(PyNumber_Divmod, PyObject*, (PyObject*, PyObject*))                           \
  X(PyMapping_Items, PyObject*, (PyObject*))                                      \
  X(PyBool_FromLong, PyObject*, (long))                                           \
  X(PyErr_Occurred, PyObject*, (void))                                            \
  X(PyErr_Fetch, void, (PyObject**, PyObject**, PyObject**))                      \
  X(PyErr_NormalizeException, void, (PyObject**, PyObject**, PyObject**))         \
  X(PyErr_Restore, void, (PyObject*, PyObject*, PyObject*))                       \
  X(PyErr_Clear, void, (void))                                                    \
  X(PyErr_SetString, void, (PyObject*, const char*))                              \
  X(PyErr_SetObject, void, (PyObject*, PyObject*))                                \
  X(PyErr_NoMemory, PyObject*, (void))                                            \
  X(PyErr_CheckSignals, int, (void))                                              \
  X(PyException_SetTraceback, int, (PyObject*, PyObject*))                        \
  X(PyObject_GetBuffer, int, (PyObject*, Py_buffer*, int))                        \
  X(PyBuffer_Release, void, (Py_buffer*))                                         \
  X(PyBuffer_FillInfo, int, (Py_buffer*, PyObject*, void*, Py_ssize_t, int, int)) \
  X(PyMemoryView_FromObject, PyObject*, (PyObject*))

// Functions that only some versions export; a null pointer means "not here".
#define RXP_PYTHON_OPTIONAL(X)                                           \
  X(Py_SetProgramName, void, (const wchar_t*))                           \
  X(PyInitConfig_Create, PyInitConfig*, (void))                          \
  X(PyInitConfig_Free, void, (PyInitConfig*))                            \
  X(PyInitConfig_SetInt, int, (PyInitConfig*, const char*, int64_t))     \
  X(PyInitConfig_SetStr, int, (PyInitConfig*, const char*, const char*)) \
  X(PyInitConfig_GetError, int, (PyInitConfig*, const char**))           \
  X(Py_InitializeFromInitConfig, int, (PyInitConfig*))                   \
  X(PyList_GetItemRef, PyObject*, (PyObject*, Py_ssize_t))               \
  X(PyCriticalSection_Begin, void, (PyCriticalSection*, PyObject*))      \
  X(PyCriticalSection_End, void, (PyCriticalSection*))                   \
  X(_PyDict_NewPresized, PyObject*, (Py_ssize_t))

// Data that every supported version exports: X(name).
#define RXP_PYTHON_TYPES(X) \
  X(PyBool_Type)            \
  X(PyLong_Type)            \
  X(PyFloat_Type)           \
  X(PyUnicode_Type)         \
  X(PyBytes_Type)           \
  X(PyList_Type)            \
  X(PyTuple_Type)           \
  X(PyDict_Type)            \
  X(PyBaseObject_Type)

#define RXP_PYTHON_EXCEPTIONS(X) \
  X(PyExc_RuntimeError)          \
  X(PyExc_TypeError)             \
  X(PyExc_ValueError)            \
  X(PyExc_BufferError)           \
  X(PyExc_RecursionError)

// One libpython's functions and data. Filled once by load(), then read-only: any thread may read
// it, but may call through it only as CPython allows (rule T1 in interpreter.h).
struct PythonApi {
#define X(name, result, args) result(*name) args = nullptr;
  RXP_PYTHON_FUNCTIONS(X)
  RXP_PYTHON_OPTIONAL(X)
#undef X
#define X(name) PyObject* name = nullptr;
  RXP_PYTHON_TYPES(X)
#undef X
#define X(name) PyObject** name = nullptr;  // the exception is *name, valid after initialisation
  RXP_PYTHON_EXCEPTIONS(X)
#undef X
  int* Py_UTF8Mode = nullptr;  // a setting before initialisation; not in every version
  PyObject* None = nullptr;
  PyObject* True = nullptr;
  PyObject* False = nullptr;
  int major = 0;
  int minor = 0;
  bool free_threaded = false;
  // Bytes from an object's start to its type pointer, and the size of a plain object: they differ
  // between normal and free-threaded builds. Measured by measure_layout() after initialisation.
  size_t type_offset = 8;
  size_t object_size = 16;

  // Resolves everything from an opened libpython. Returns an empty string, or what is missing.
  std::string load(void* library);
  // Call once with the GIL held. Returns an empty string, or why the layout was not recognised.
  std::string measure_layout();

  PyObject* type_of(PyObject* object) const {
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + type_offset);
  }
  bool is_none(PyObject* object) const { return object == None; }
  bool is_exact(PyObject* object, PyObject* type) const { return type_of(object) == type; }
  bool is_instance_of(PyObject* object, PyObject* type) const {
    PyObject* actual = type_of(object);
    return actual == type || PyType_IsSubtype(actual, type) != 0;
  }
};

// Owns one reference; must be created, moved and dropped on a thread that holds the GIL of `api`.
class PyRef {
 public:
  PyRef() = default;
  PyRef(const PythonApi& api, PyObject* owned) : api_(&api), object_(owned) {}
  PyRef(PyRef&& other) noexcept : api_(other.api_), object_(other.release()) {}
  PyRef& operator=(PyRef&& other) noexcept {
    if (this != &other) {
      reset();
      api_ = other.api_;
      object_ = other.release();
    }
    return *this;
  }
  PyRef(const PyRef&) = delete;
  PyRef& operator=(const PyRef&) = delete;
  ~PyRef() { reset(); }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  PyObject* release() {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }
  void reset() {
    if (object_ != nullptr) api_->Py_DecRef(object_);
    object_ = nullptr;
  }

 private:
  const PythonApi* api_ = nullptr;
  PyObject* object_ = nullptr;
};

// An item of a list that other code knows too: a reference, because that code may drop the item
// from the list meanwhile, on another thread where there is no GIL. Null with an exception set
// where the list has become shorter.
inline PyRef list_item(const PythonApi& api, PyObject* list, Py_ssize_t index) {
  if (api.free_threaded && api.PyList_GetItemRef != nullptr) {
    return PyRef(api, api.PyList_GetItemRef(list, index));
  }
  PyObject* item = api.PyList_GetItem(list, index);
  if (item != nullptr) api.Py_IncRef(item);
  return PyRef(api, item);
}

}  // namespace rxp
