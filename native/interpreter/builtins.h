// What Python sees of this addon: a few functions, and a type that lends JavaScript's memory.
#pragma once

#include "buffer/memory.h"
#include "interpreter/python_api.h"

namespace rxp {

class Runtime;

// A module object with write(stream, text), log(text), interrupt_requested(), interrupted() (the
// ticket of the call that was last asked to stop) and the functions of callback/python.h. New
// reference.
PyObject* make_builtins(Runtime& runtime);

// The runtime that a function of that module belongs to, by its `self`.
Runtime& runtime_of_builtin(PyObject* self);

// The type of the objects that new_memory() makes. New reference.
PyObject* make_memory_type(Runtime& runtime);

// An object with the buffer protocol over a part of a block, which it keeps alive (rule M1).
PyObject* new_memory(Runtime& runtime, MemoryBlock* block, size_t offset, size_t size);

}  // namespace rxp
