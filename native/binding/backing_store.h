// The memory of a JavaScript ArrayBuffer, kept without the ArrayBuffer.
#pragma once

#include <napi.h>

#include "buffer/memory.h"

namespace rxp {

// Whether this Node can do that. Node-API cannot; V8 itself can, and Node exports the functions for
// it, which are looked up at run time.
bool can_take_backing_store();

// Detaches an ArrayBuffer and gives its memory, of which `size` bytes from `data` on are of
// interest, as a block that no JavaScript thread has a part in any more. Null, and the ArrayBuffer
// as it was, when that is not possible: it may not be detachable.
//
// No new ArrayBuffer is made for the memory, as a structured clone would: for each large one V8
// collects its heap.
MemoryBlock* take_backing_store(napi_env env, napi_value buffer, void* data, size_t size);

}  // namespace rxp
