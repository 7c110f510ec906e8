#include "interpreter/python_api.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>

namespace rxp {

std::string PythonApi::load(void* library) {
  std::string missing;
#define X(name, result, args)                                     \
  name = reinterpret_cast<result(*) args>(dlsym(library, #name)); \
  if (name == nullptr) missing += missing.empty() ? #name : ", " #name;
  RXP_PYTHON_FUNCTIONS(X)
#undef X
#define X(name, result, args) name = reinterpret_cast<result(*) args>(dlsym(library, #name));
  RXP_PYTHON_OPTIONAL(X)
#undef X
#define X(name)                                              \
  name = reinterpret_cast<PyObject*>(dlsym(library, #name)); \
  if (name == nullptr) missing += missing.empty() ? #name : ", " #name;
  RXP_PYTHON_TYPES(X)
#undef X
#define X(name)                                               \
  name = reinterpret_cast<PyObject**>(dlsym(library, #name)); \
  if (name == nullptr) missing += missing.empty() ? #name : ", " #name;
  RXP_PYTHON_EXCEPTIONS(X)
#undef X
  Py_UTF8Mode = reinterpret_cast<int*>(dlsym(library, "Py_UTF8Mode"));
  None = reinterpret_cast<PyObject*>(dlsym(library, "_Py_NoneStruct"));
  True = reinterpret_cast<PyObject*>(dlsym(library, "_Py_TrueStruct"));
  False = reinterpret_cast<PyObject*>(dlsym(library, "_Py_FalseStruct"));
  if (None == nullptr || True == nullptr || False == nullptr) missing += " None, True, False";
  if (!missing.empty()) return "it does not export " + missing;

  const char* version = Py_GetVersion();
  if (std::sscanf(version, "%d.%d", &major, &minor) != 2) {
    return std::string("its version string is not understood: ") + version;
  }
  free_threaded = std::strstr(version, "free-threading") != nullptr;
  return "";
}

std::string PythonApi::measure_layout() {
  PyRef type(*this, PyObject_Type(None));
  bool found = false;
  for (size_t offset = sizeof(void*); offset <= 6 * sizeof(void*); offset += sizeof(void*)) {
    type_offset = offset;
    if (type_of(None) == type.get() && type_of(True) == PyBool_Type) {
      found = true;
      break;
    }
  }
  if (!found) return "the place of an object's type was not found";

  PyRef size(*this, PyObject_GetAttrString(PyBaseObject_Type, "__basicsize__"));
  int overflow = 0;
  long long bytes = size ? PyLong_AsLongLongAndOverflow(size.get(), &overflow) : 0;
  if (bytes < 16 || bytes > 256) return "the size of a plain object was not understood";
  object_size = static_cast<size_t>(bytes);
  return "";
}

}  // namespace rxp
