// Memory of ours and of Python's as ArrayBuffers.
#pragma once

#include <napi.h>

#include "binding/backing_store.h"
#include "buffer/memory.h"
#include "queue/result_channel.h"

namespace rxp {

// An ArrayBuffer over a whole block; takes the reference over. Where the engine forbids external
// buffers (Electron) it holds a copy. Null where it is larger than Node lets one be.
napi_value wrap_block(napi_env env, MemoryBlock* block);

// The ArrayBuffer of a binary result's item; takes over what the item holds. Empty items get an
// ArrayBuffer of no bytes.
napi_value make_array_buffer(napi_env env, BinaryItem& item,
                             const std::shared_ptr<MemoryAccount>& account);

}  // namespace rxp
