// An encode error on its way from the value that caused it up to the caller, who knows the rest of
// what it must say: "result 3, at .users[0].id: cannot encode a value of type set; …".
#pragma once

#include <string>
#include <vector>

#include "interpreter/python_api.h"

namespace rxp {

// Cuts a text for a message, between characters.
std::string shortened(std::string text, size_t bytes);
// How a path goes on to a dict's key: `.id`, or `["first name"]`.
std::string path_step(const PythonApi& api, PyObject* key);

class JsonError {
 public:
  explicit JsonError(const PythonApi& api) : api_(api) {}

  void set(std::string message) { message_ = std::move(message); }
  // Takes over the exception that is set now if it is an instance of `type`; leaves it if not.
  void take(PyObject* type);
  // Raises what was set or taken as a new `type`, with `path` (innermost step first; emptied) and
  // `item` (-1: not known) in message and attributes. With nothing set, another exception is under
  // way and only gets the item.
  void raise(PyObject* type, std::vector<std::string>& path, Py_ssize_t item);

 private:
  void add_item(PyObject* exception, Py_ssize_t item);

  const PythonApi& api_;
  std::string message_;
  PyRef traceback_;
  PyRef cause_;
};

}  // namespace rxp
