// Python memory in JavaScript's hands: a Py_buffer that is held until JavaScript drops the array.
#pragma once

#include <memory>

#include "interpreter/python_api.h"

namespace rxp {

class Runtime;

// Only ever released on a thread of its own runtime (rule T1): give_back() queues it there.
struct ExportedBuffer {
  Py_buffer buffer{};
  Runtime* runtime = nullptr;  // runtimes are never freed
  char* data = nullptr;        // the lowest of its bytes; with negative strides not buffer.buf

  void give_back();
};

}  // namespace rxp
