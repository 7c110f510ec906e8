#include "interpreter/builtins.h"

#include <cstring>
#include <vector>

#include "callback/python.h"
#include "codec/string_codec.h"
#include "interpreter/interpreter.h"
#include "interpreter/runtime.h"

namespace rxp {
namespace {

Runtime& runtime_of(PyObject* self);

PyObject* post_text(PyObject* text, PyObject* self, BlockKind kind, int32_t stream) {
  Runtime& runtime = runtime_of(self);
  const PythonApi& py = runtime.api();
  TextBuffer buffer;
  if (!append_string(py, text, buffer)) return nullptr;
  std::shared_ptr<OutputTarget> target = Interpreter::output_target(runtime);
  if (target != nullptr && buffer.size() > 0) {
    target->sink->post_output(target->pool, kind, stream, buffer);
  }
  py.Py_IncRef(py.None);
  return py.None;
}

PyObject* write_output(PyObject* self, PyObject* arguments) {
  Runtime& runtime = runtime_of(self);
  const PythonApi& py = runtime.api();
  if (py.PyTuple_Size(arguments) != 2) {
    py.PyErr_SetString(*py.PyExc_TypeError, "write() takes a stream number and a text");
    return nullptr;
  }
  int overflow = 0;
  long long stream = py.PyLong_AsLongLongAndOverflow(py.PyTuple_GetItem(arguments, 0), &overflow);
  if (stream == -1 && py.PyErr_Occurred() != nullptr) return nullptr;
  return post_text(py.PyTuple_GetItem(arguments, 1), self, BlockKind::kOutput,
                   static_cast<int32_t>(stream));
}

PyObject* write_log(PyObject* self, PyObject* text) {
  return post_text(text, self, BlockKind::kLog, 0);
}

// To every pool of this runtime.
PyObject* write_notice(PyObject* self, PyObject* text) {
  Runtime& runtime = runtime_of(self);
  const PythonApi& py = runtime.api();
  for (auto& target : Interpreter::output_targets(runtime)) {
    TextBuffer buffer;
    if (!append_string(py, text, buffer)) return nullptr;
    target->sink->post_output(target->pool, BlockKind::kNotice, 0, buffer);
  }
  py.Py_IncRef(py.None);
  return py.None;
}

PyObject* interrupt_requested(PyObject* self, PyObject*) {
  const PythonApi& py = runtime_of(self).api();
  Interpreter* interpreter = Interpreter::current();
  bool requested = interpreter != nullptr && interpreter->interrupt_requested();
  PyObject* answer = requested ? py.True : py.False;
  py.Py_IncRef(answer);
  return answer;
}

PyObject* interrupted(PyObject* self, PyObject*) {
  Interpreter* interpreter = Interpreter::current();
  uint64_t ticket = interpreter == nullptr ? 0 : interpreter->interrupted();
  return runtime_of(self).api().PyLong_FromLongLong(static_cast<long long>(ticket));
}

PyMethodDef write_definition = {"write", write_output, kMethVarargs, nullptr};
PyMethodDef log_definition = {"log", write_log, kMethO, nullptr};
PyMethodDef notice_definition = {"notice", write_notice, kMethO, nullptr};
PyMethodDef interrupt_definition = {"interrupt_requested", interrupt_requested, kMethNoArgs,
                                    nullptr};
PyMethodDef interrupted_definition = {"interrupted", interrupted, kMethNoArgs, nullptr};

// An instance of the memory type. The fields start at a fixed place behind any build's object
// header, so that the functions below need not know which libpython calls them.
constexpr size_t kFieldsOffset = 64;
struct MemoryFields {
  Runtime* runtime;
  MemoryBlock* block;
  size_t offset;
  size_t size;
};
MemoryFields& fields_of(PyObject* self) {
  return *reinterpret_cast<MemoryFields*>(reinterpret_cast<char*>(self) + kFieldsOffset);
}

// `self` of the functions is a memory object too: it carries the runtime at the fixed place.
Runtime& runtime_of(PyObject* self) { return *fields_of(self).runtime; }

int memory_get_buffer(PyObject* self, Py_buffer* view, int flags) {
  MemoryFields& fields = fields_of(self);
  return fields.runtime->api().PyBuffer_FillInfo(view, self, fields.block->data() + fields.offset,
                                                 static_cast<Py_ssize_t>(fields.size), 0, flags);
}

void memory_dealloc(PyObject* self) {
  MemoryFields& fields = fields_of(self);
  const PythonApi& py = fields.runtime->api();
  PyObject* type = py.type_of(self);
  if (fields.block != nullptr) fields.block->release();
  py.PyObject_Free(self);
  py.Py_DecRef(type);  // instances of heap types own a reference to their type
}

PyObject* allocate_memory_object(Runtime& runtime, PyObject* type) {
  PyObject* object = runtime.api().PyType_GenericAlloc(type, 0);
  if (object != nullptr) fields_of(object) = {&runtime, nullptr, 0, 0};
  return object;
}

}  // namespace

Runtime& runtime_of_builtin(PyObject* self) { return runtime_of(self); }

PyObject* make_builtins(Runtime& runtime) {
  const PythonApi& py = runtime.api();
  PyRef type(py, make_memory_type(runtime));
  PyRef self(py, type ? allocate_memory_object(runtime, type.get()) : nullptr);
  if (!self) return nullptr;
  PyObject* module = py.PyImport_AddModule("_rxjs_python_native");  // borrowed
  if (module == nullptr) return nullptr;
  std::vector<PyMethodDef*> definitions = {&write_definition, &log_definition, &notice_definition,
                                           &interrupt_definition, &interrupted_definition};
  definitions.insert(definitions.end(), callback_functions().begin(), callback_functions().end());
  for (PyMethodDef* definition : definitions) {
    PyRef function(py, py.PyCFunction_NewEx(definition, self.get(), nullptr));
    if (!function || py.PyObject_SetAttrString(module, definition->ml_name, function.get()) != 0) {
      return nullptr;
    }
  }
  py.Py_IncRef(module);
  return module;
}

PyObject* make_memory_type(Runtime& runtime) {
  // CPython 3.9 and 3.10 accept the buffer slot here too, though it became official in 3.11.
  static PyType_Slot slots[] = {
      {kSlotGetBuffer, reinterpret_cast<void*>(memory_get_buffer)},
      {kSlotDealloc, reinterpret_cast<void*>(memory_dealloc)},
      {0, nullptr},
  };
  static PyType_Spec specification = {"rxjs_python.Memory",
                                      static_cast<int>(kFieldsOffset + sizeof(MemoryFields)), 0,
                                      kTypeFlagsDefault, slots};
  return runtime.api().PyType_FromSpec(&specification);
}

PyObject* new_memory(Runtime& runtime, MemoryBlock* block, size_t offset, size_t size) {
  PyObject* object = allocate_memory_object(runtime, runtime.memory_type());
  if (object == nullptr) return nullptr;
  block->retain();
  fields_of(object) = {&runtime, block, offset, size};
  return object;
}

}  // namespace rxp
