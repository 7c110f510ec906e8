// What the namespace shim is told about the world outside. C, for both sides.
#pragma once

#include <stdint.h>

struct rxp_shim_setting {
  const char* library;  // path of libpython; kept for as long as the process lives
  // The first C library's heap and how it is given back.
  const void* heap;
  void* (*sbrk)(intptr_t increment);
  void (*free)(void* memory);
};
