#include "binding/backing_store.h"

#include <dlfcn.h>

#include <memory>

namespace rxp {
namespace {

// std::shared_ptr<v8::BackingStore> v8::ArrayBuffer::GetBackingStore(). A napi_value is a
// v8::Local, whose content is the `this` of such a call; what a shared_ptr points to does not show
// in how it is returned or released.
using GetBackingStore = std::shared_ptr<void> (*)(void* self);
// void* v8::BackingStore::Data() const
using Data = void* (*)(const void* self);

struct Functions {
  GetBackingStore get = nullptr;
  Data data = nullptr;
};

const Functions& functions() {
  static const Functions found = [] {
    Functions result;
    result.get = reinterpret_cast<GetBackingStore>(
        dlsym(RTLD_DEFAULT, "_ZN2v811ArrayBuffer15GetBackingStoreEv"));
    result.data = reinterpret_cast<Data>(dlsym(RTLD_DEFAULT, "_ZNK2v812BackingStore4DataEv"));
    return result;
  }();
  return found;
}

}  // namespace

bool can_take_backing_store() { return functions().get != nullptr && functions().data != nullptr; }

MemoryBlock* take_backing_store(napi_env env, napi_value buffer, void* data, size_t size) {
  if (!can_take_backing_store()) return nullptr;
  auto* store = new std::shared_ptr<void>(functions().get(buffer));
  bool same = *store != nullptr && functions().data(store->get()) == data;
  if (!same || napi_detach_arraybuffer(env, buffer) != napi_ok) {
    delete store;
    return nullptr;
  }
  return MemoryBlock::keep(
      data, size, [](void* context) { delete static_cast<std::shared_ptr<void>*>(context); },
      store);
}

}  // namespace rxp
