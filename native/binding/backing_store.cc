#include "binding/backing_store.h"

#include <dlfcn.h>

#include <atomic>
#include <memory>
#include <new>
#include <utility>

namespace rxp {
namespace {

// std::shared_ptr<v8::BackingStore> v8::ArrayBuffer::GetBackingStore(). A napi_value is a
// v8::Local, whose content is the `this` of such a call; what a shared_ptr points to does not show
// in how it is returned or released.
using GetBackingStore = std::shared_ptr<void> (*)(void* self);
// void* v8::BackingStore::Data() const
using Data = void* (*)(const void* self);

// A std::unique_ptr<v8::BackingStore> as it is returned: one pointer, in memory.
struct OwnedStore {
  void* store;
  ~OwnedStore() {}  // NOLINT: what is not trivial to destroy is not returned in a register
};
using Deleter = void (*)(void* data, size_t size, void* context);
// std::unique_ptr<v8::BackingStore> v8::ArrayBuffer::NewBackingStore(void*, size_t, Deleter, void*)
using NewBackingStore = OwnedStore (*)(void* data, size_t size, Deleter deleter, void* context);
// v8::BackingStore::~BackingStore()
using Destroy = void (*)(void* self);
// v8::Isolate* v8::Isolate::GetCurrent()
using CurrentIsolate = void* (*)();
// v8::Local<v8::ArrayBuffer> v8::ArrayBuffer::New(Isolate*, std::shared_ptr<BackingStore>)
using NewArrayBuffer = napi_value (*)(void* isolate, std::shared_ptr<void> store);

struct Functions {
  GetBackingStore get = nullptr;
  GetBackingStore get_shared = nullptr;  // v8::SharedArrayBuffer's
  Data data = nullptr;
  NewBackingStore make_store = nullptr;
  Deleter empty_deleter = nullptr;
  Destroy destroy = nullptr;
  CurrentIsolate isolate = nullptr;
  NewArrayBuffer make_buffer = nullptr;

  bool can_make() const {
    return make_store != nullptr && empty_deleter != nullptr && destroy != nullptr &&
           isolate != nullptr && make_buffer != nullptr;
  }
};

template <typename Function>
void look_up(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

const Functions& functions() {
  static const Functions found = [] {
    Functions result;
    look_up(result.get, "_ZN2v811ArrayBuffer15GetBackingStoreEv");
    look_up(result.get_shared, "_ZN2v817SharedArrayBuffer15GetBackingStoreEv");
    look_up(result.data, "_ZNK2v812BackingStore4DataEv");
    look_up(result.make_store, "_ZN2v811ArrayBuffer15NewBackingStoreEPvmPFvS1_mS1_ES1_");
    look_up(result.empty_deleter, "_ZN2v812BackingStore12EmptyDeleterEPvmS1_");
    look_up(result.destroy, "_ZN2v812BackingStoreD1Ev");
    look_up(result.isolate, "_ZN2v87Isolate10GetCurrentEv");
    look_up(result.make_buffer,
            "_ZN2v811ArrayBuffer3NewEPNS_7IsolateESt10shared_ptrINS_12BackingStoreEE");
    return result;
  }();
  return found;
}

// What is left to do when V8 has dropped a backing store, maybe in its collector's own thread.
struct Farewell {
  void (*release)(void*);
  void* context;
  int64_t bytes;
  std::shared_ptr<MemoryAccount> account;

  void operator()(void* store) const {
    functions().destroy(store);
    ::operator delete(store);
    account->add(-bytes);
    release(context);
  }
};

struct Fallback {
  void (*release)(void*);
  void* context;
  bool made;
};

MemoryBlock* keep_store(void* data, size_t size, std::shared_ptr<void>* store) {
  return MemoryBlock::keep(
      data, size, [](void* context) { delete static_cast<std::shared_ptr<void>*>(context); },
      store);
}

}  // namespace

bool takes_external_memory(napi_env env) {
  static std::atomic<int> known{-1};
  int takes = known.load(std::memory_order_relaxed);
  if (takes < 0) {
    static char byte;
    napi_value buffer = nullptr;
    napi_status status = napi_create_external_arraybuffer(
        env, &byte, 1, [](napi_env, void*, void*) {}, nullptr, &buffer);
    takes = status == napi_ok ? 1 : 0;
    known.store(takes, std::memory_order_relaxed);
  }
  return takes == 1;
}

napi_value make_node_buffer(napi_env env, void* data, size_t size, void (*release)(void*),
                            void* context) {
  auto* kept = new Fallback{release, context, false};
  napi_value buffer = nullptr;
  napi_status status = napi_create_external_arraybuffer(
      env, data, size,
      [](napi_env, void*, void* hint) {
        // Node finalises what is too large for it at once, and then fails: it stays the caller's.
        if (!static_cast<Fallback*>(hint)->made) return;
        std::unique_ptr<Fallback> done(static_cast<Fallback*>(hint));
        done->release(done->context);
      },
      kept, &buffer);
  kept->made = status == napi_ok;
  if (status == napi_ok) return buffer;
  delete kept;
  bool pending = false;
  napi_value error = nullptr;
  napi_is_exception_pending(env, &pending);
  if (pending) napi_get_and_clear_last_exception(env, &error);
  return nullptr;
}

void MemoryAccount::tell(napi_env env) {
  int64_t held = held_.load(std::memory_order_relaxed);
  if (held == told_) return;
  int64_t total = 0;
  napi_adjust_external_memory(env, held - told_, &total);
  told_ = held;
}

napi_value make_external_buffer(napi_env env, void* data, size_t size, void (*release)(void*),
                                void* context, const std::shared_ptr<MemoryAccount>& account) {
  if (!takes_external_memory(env)) return nullptr;
  const Functions& v8 = functions();
  if (!v8.can_make()) return make_node_buffer(env, data, size, release, context);
  // With this deleter V8 does not count the bytes: see MemoryAccount.
  OwnedStore store = v8.make_store(data, size, v8.empty_deleter, nullptr);
  auto bytes = static_cast<int64_t>(size);
  account->add(bytes);
  std::shared_ptr<void> shared(store.store, Farewell{release, context, bytes, account});
  return v8.make_buffer(v8.isolate(), std::move(shared));
}

bool can_take_backing_store() { return functions().get != nullptr && functions().data != nullptr; }

MemoryBlock* take_backing_store(napi_env env, napi_value buffer, void* data, size_t size) {
  if (!can_take_backing_store()) return nullptr;
  auto* store = new std::shared_ptr<void>(functions().get(buffer));
  bool same = *store != nullptr && functions().data(store->get()) == data;
  if (!same || napi_detach_arraybuffer(env, buffer) != napi_ok) {
    delete store;
    return nullptr;
  }
  return keep_store(data, size, store);
}

MemoryBlock* share_backing_store(napi_value buffer, void* data, size_t size) {
  const Functions& v8 = functions();
  if (v8.get_shared == nullptr || v8.data == nullptr) return nullptr;
  auto* store = new std::shared_ptr<void>(v8.get_shared(buffer));
  if (*store != nullptr && v8.data(store->get()) == data) return keep_store(data, size, store);
  delete store;
  return nullptr;
}

}  // namespace rxp
