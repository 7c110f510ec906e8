// The memory of a JavaScript ArrayBuffer, kept without the ArrayBuffer; and the other way round, an
// ArrayBuffer over memory of ours.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <memory>

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

// The memory of a SharedArrayBuffer, as a block that stays whatever becomes of the buffer and of
// its thread. Null where this Node does not let it be taken.
MemoryBlock* share_backing_store(napi_value buffer, void* data, size_t size);

// How many bytes JavaScript holds in buffers made here. V8 starts to collect its heap as soon as it
// hears of a large ArrayBuffer, so it is told when the result has been delivered.
class MemoryAccount {
 public:
  void add(int64_t bytes) { held_.fetch_add(bytes, std::memory_order_relaxed); }
  // JavaScript thread only.
  void tell(napi_env env);

 private:
  std::atomic<int64_t> held_{0};  // given back on any thread
  int64_t told_ = 0;
};

// An ArrayBuffer over memory of ours, of at least one byte. `release(context)` is called once, on
// any thread, when no ArrayBuffer has the memory any more: unlike Node-API's external ones, these
// can be transferred to other threads. Null, and nothing called, where the engine allows none
// (Electron).
napi_value make_external_buffer(napi_env env, void* data, size_t size, void (*release)(void*),
                                void* context, const std::shared_ptr<MemoryAccount>& account);

// The same by Node-API, which cannot be transferred and has a largest size. Null, and nothing
// called, where the engine allows none or the size is too large.
napi_value make_node_buffer(napi_env env, void* data, size_t size, void (*release)(void*),
                            void* context);

// Whether the engine takes memory that is not its own: with pointer compression it cannot.
bool takes_external_memory(napi_env env);

}  // namespace rxp
