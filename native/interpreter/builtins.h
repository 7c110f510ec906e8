// What Python sees of this addon: a few functions, and a type that lends JavaScript's memory.
#pragma once

#include "buffer/memory.h"
#include "interpreter/python_api.h"

namespace rxp {

class Runtime;

// A module object with write(stream, text), log(text) and interrupt_requested(). New reference.
PyObject* make_builtins(Runtime& runtime);

// The type of the objects that new_memory() makes. New reference.
PyObject* make_memory_type(Runtime& runtime);

// An object with the buffer protocol over a part of a block, which it keeps alive (rule M1).
PyObject* new_memory(Runtime& runtime, MemoryBlock* block, size_t offset, size_t size);

}  // namespace rxp
