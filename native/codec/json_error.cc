#include "codec/json_error.h"

#include "codec/json_common.h"

namespace rxp {
namespace {

// Steps of a path that are shown before the rest is left out.
constexpr size_t kShownSteps = 12;

bool is_word(const std::string& text) {
  for (char c : text) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
    if (!letter && !(c >= '0' && c <= '9')) return false;
  }
  return !text.empty() && text.size() <= 64 && !(text[0] >= '0' && text[0] <= '9');
}

}  // namespace

std::string shortened(std::string text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  text.resize(bytes);
  return text + "…";
}

std::string path_step(const PythonApi& api, PyObject* key) {
  std::string name = readable(api, key);
  if (is_word(name)) return "." + name;
  std::string quoted;
  for (char c : shortened(name, 64)) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return "[\"" + quoted + "\"]";
}

void JsonError::take(PyObject* type) {
  PyObject* raised_type = nullptr;
  PyObject* raised = nullptr;
  PyObject* traceback = nullptr;
  api_.PyErr_Fetch(&raised_type, &raised, &traceback);
  api_.PyErr_NormalizeException(&raised_type, &raised, &traceback);
  if (raised == nullptr || !api_.is_instance_of(raised, type)) {
    api_.PyErr_Restore(raised_type, raised, traceback);
    return;
  }
  PyRef hold_type(api_, raised_type);
  PyRef hold(api_, raised);
  traceback_ = PyRef(api_, traceback);
  PyRef text(api_, api_.PyObject_Str(raised));
  if (!text) api_.PyErr_Clear();
  message_ = text ? readable(api_, text.get()) : "cannot encode this value";
  if (message_.empty()) message_ = "cannot encode this value";
  cause_ = PyRef(api_, api_.PyObject_GetAttrString(raised, "__cause__"));
  if (!cause_) api_.PyErr_Clear();
  if (cause_ && api_.is_none(cause_.get())) cause_.reset();
}

void JsonError::add_item(PyObject* exception, Py_ssize_t item) {
  PyRef index(api_, api_.PyLong_FromLongLong(item));
  if (!index || api_.PyObject_SetAttrString(exception, "__rxp_item__", index.get()) != 0) {
    api_.PyErr_Clear();  // an exception that takes no attributes: it is raised without
  }
}

void JsonError::raise(PyObject* type, std::vector<std::string>& path, Py_ssize_t item) {
  std::string where;
  for (size_t i = path.size(); i-- > 0;) {
    if (path.size() - i > kShownSteps) {
      where += "…";
      break;
    }
    where += path[i];
  }
  path.clear();
  std::string message = std::move(message_);
  message_.clear();
  if (message.empty()) {
    if (item < 0) return;
    PyObject* raised_type = nullptr;
    PyObject* raised = nullptr;
    PyObject* traceback = nullptr;
    api_.PyErr_Fetch(&raised_type, &raised, &traceback);
    api_.PyErr_NormalizeException(&raised_type, &raised, &traceback);
    if (raised != nullptr) add_item(raised, item);
    api_.PyErr_Restore(raised_type, raised, traceback);
    return;
  }

  PyRef traceback = std::move(traceback_);
  PyRef cause = std::move(cause_);
  std::string prefix = item >= 0 ? "result " + std::to_string(item) : "";
  if (!where.empty()) prefix += (prefix.empty() ? "at " : ", at ") + where;
  if (!prefix.empty()) message = prefix + ": " + message;
  PyRef text(api_, api_.PyUnicode_FromStringAndSize(message.data(),
                                                    static_cast<Py_ssize_t>(message.size())));
  PyRef path_str(
      api_, api_.PyUnicode_FromStringAndSize(where.data(), static_cast<Py_ssize_t>(where.size())));
  if (!text || !path_str) return;
  PyRef error(api_, api_.PyObject_CallFunctionObjArgs(type, text.get(), nullptr));
  if (!error) return;
  if (api_.PyObject_SetAttrString(error.get(), "path", path_str.get()) != 0) api_.PyErr_Clear();
  if (cause && api_.PyObject_SetAttrString(error.get(), "__cause__", cause.get()) != 0) {
    api_.PyErr_Clear();
  }
  if (item >= 0) add_item(error.get(), item);
  api_.Py_IncRef(type);
  api_.PyErr_Restore(type, error.release(), traceback.release());
}

}  // namespace rxp
