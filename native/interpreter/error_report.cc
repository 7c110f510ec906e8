#include "interpreter/error_report.h"

#include <cstdio>

#include "codec/string_codec.h"
#include "interpreter/runtime.h"

namespace rxp {
namespace {

void append(TextBuffer& out, const std::string& text) {
  out.append_ascii(text.data(), text.size());
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (unsigned char c : text) {
    char escape[8];
    if (c == '"' || c == '\\') {
      result += '\\';
      result += static_cast<char>(c);
    } else if (c < 0x20 || c >= 0x7f) {
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      result += escape;
    } else {
      result += static_cast<char>(c);
    }
  }
  return result + "\"";
}

}  // namespace

void write_plain_report(const char* code, const std::string& message, TextBuffer& out) {
  append(out, "{\"code\":" + quoted(code) + ",\"type\":\"\",\"message\":" + quoted(message) +
                  ",\"traceback\":\"\",\"notes\":[],\"cause\":null,\"item\":null}");
}

void write_exception_report(Runtime& runtime, Py_ssize_t item, TextBuffer& out) {
  const PythonApi& py = runtime.api();
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  py.PyErr_Fetch(&type, &value, &traceback);
  if (type == nullptr) {
    write_plain_report("ERR_PYTHON_EXCEPTION", "the handler failed without an exception", out);
    return;
  }
  py.PyErr_NormalizeException(&type, &value, &traceback);
  PyRef owned_type(py, type), owned_value(py, value), owned_traceback(py, traceback);
  if (traceback != nullptr) py.PyException_SetTraceback(value, traceback);
  if (item >= 0) {
    PyRef index(py, py.PyLong_FromLongLong(item));
    if (!index || py.PyObject_SetAttrString(value, "__rxp_item__", index.get()) != 0) {
      py.PyErr_Clear();
    }
  }
  // An interrupt may arrive while the report is written; the report wins.
  for (int attempt = 0; attempt < 2; attempt++) {
    PyRef describe(py, py.PyObject_GetAttrString(runtime.host_module(), "describe_error"));
    PyRef text(
        py, describe ? py.PyObject_CallFunctionObjArgs(describe.get(), value, nullptr) : nullptr);
    if (text && append_string(py, text.get(), out)) return;
    py.PyErr_Clear();
  }
  PyRef name(py, py.PyObject_GetAttrString(type, "__name__"));
  Py_ssize_t size = 0;
  const char* chars = name ? py.PyUnicode_AsUTF8AndSize(name.get(), &size) : nullptr;
  py.PyErr_Clear();
  write_plain_report("ERR_PYTHON_EXCEPTION",
                     std::string(chars == nullptr ? "an exception" : chars) +
                         " was raised, and could not be described",
                     out);
}

void raise_host_error(Runtime& runtime, const char* type, const std::string& message) {
  const PythonApi& py = runtime.api();
  PyRef error_type(py, py.PyObject_GetAttrString(runtime.host_module(), type));
  PyRef text(py, py.PyUnicode_FromString(message.c_str()));
  if (error_type && text) py.PyErr_SetObject(error_type.get(), text.get());
}

}  // namespace rxp
