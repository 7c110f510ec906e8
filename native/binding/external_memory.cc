#include "binding/external_memory.h"

#include <cstring>

#include "buffer/exported.h"

namespace rxp {
namespace {

// Below this, copying costs less than an external buffer's bookkeeping.
constexpr size_t kCopyBelow = 8 << 10;

napi_value copy_of(napi_env env, const void* data, size_t size) {
  napi_value buffer = nullptr;
  void* target = nullptr;
  if (napi_create_arraybuffer(env, size, &target, &buffer) != napi_ok) return nullptr;
  if (size > 0) std::memcpy(target, data, size);
  return buffer;
}

}  // namespace

napi_value wrap_block(napi_env env, MemoryBlock* block) {
  auto release = [](void* context) { static_cast<MemoryBlock*>(context)->release(); };
  napi_value buffer = make_node_buffer(env, block->data(), block->size(), release, block);
  if (buffer != nullptr) return buffer;
  // Where external buffers are allowed it was too large for one, and so for a copy.
  if (!takes_external_memory(env)) buffer = copy_of(env, block->data(), block->size());
  block->release();
  return buffer;
}

napi_value make_array_buffer(napi_env env, BinaryItem& item,
                             const std::shared_ptr<MemoryAccount>& account) {
  if (item.exported != nullptr) {
    ExportedBuffer* exported = item.exported;
    item.exported = nullptr;
    // Whoever drops the ArrayBuffer must not touch Python there: the buffer is sent home.
    napi_value buffer = make_external_buffer(
        env, exported->data, item.size,
        [](void* context) { static_cast<ExportedBuffer*>(context)->give_back(); }, exported,
        account);
    if (buffer != nullptr) return buffer;
    buffer = copy_of(env, exported->data, item.size);
    exported->give_back();
    return buffer;
  }
  MemoryBlock* block = item.block;
  item.block = nullptr;
  if (block == nullptr) return copy_of(env, nullptr, 0);
  napi_value buffer = nullptr;
  if (block->size() >= kCopyBelow) {
    buffer = make_external_buffer(
        env, block->data(), block->size(),
        [](void* context) { static_cast<MemoryBlock*>(context)->release(); }, block, account);
    if (buffer != nullptr) return buffer;
  }
  buffer = copy_of(env, block->data(), block->size());
  block->release();
  return buffer;
}

}  // namespace rxp
