// What `require` returns. lib/native.ts declares it for TypeScript.
#include <napi.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>

#include "binding/arguments.h"
#include "binding/backing_store.h"
#include "binding/channel.h"
#include "binding/external_memory.h"
#include "binding/pool.h"
#include "platform/platform.h"

namespace rxp {
namespace {

// allocate(bytes, shareable): an ArrayBuffer whose memory Python may hold too, in worker processes
// as well if it is to be shareable; null when there is none.
Napi::Value allocate(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "allocate");
  constexpr double kMost = 9007199254740991;  // Number.MAX_SAFE_INTEGER
  auto size = static_cast<size_t>(arguments.number(0, "bytes", 0, kMost));
  bool shareable = arguments.boolean(1, "shareable");
  if (!arguments.ok()) return info.Env().Undefined();
  MemoryBlock* block = shareable ? MemoryBlock::allocate_shareable(size) : nullptr;
  if (block == nullptr) block = MemoryBlock::allocate(size);
  if (block == nullptr) return info.Env().Null();
  napi_value buffer = wrap_block(info.Env(), block);
  return buffer == nullptr ? info.Env().Null() : Napi::Value(info.Env(), buffer);
}

// namespaces(): null where isolation 'namespace' works, else why it does not.
Napi::Value namespaces(const Napi::CallbackInfo& info) {
  std::string why_not;
  if (platform::has_namespaces(why_not)) return info.Env().Null();
  return Napi::String::New(info.Env(), why_not);
}

// The locks that JavaScript has: no other descriptor is closed for it. Leaked on purpose.
struct Locks {
  std::mutex mutex;
  std::set<int> held;
};
Locks& locks() {
  static Locks& instance = *new Locks;
  return instance;
}

// lockFile(path): a number for unlockFile, or null when another process holds the lock.
Napi::Value lock_file(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "lockFile");
  std::string path = arguments.string(0, "path");
  if (!arguments.ok()) return info.Env().Undefined();
  std::lock_guard<std::mutex> lock(locks().mutex);
  int descriptor = platform::lock_file(path);
  if (descriptor >= 0) {
    locks().held.insert(descriptor);
    return Napi::Number::New(info.Env(), descriptor);
  }
  if (descriptor == -2) {
    Napi::Error::New(info.Env(), std::string("cannot lock: ") + std::strerror(errno))
        .ThrowAsJavaScriptException();
  }
  return info.Env().Null();
}

void unlock_file(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "unlockFile");
  int descriptor = arguments.integer(0, "lock");
  if (!arguments.ok()) return;
  std::lock_guard<std::mutex> lock(locks().mutex);
  if (locks().held.erase(descriptor) == 0) return arguments.refuse("there is no such lock");
  platform::unlock_file(descriptor);
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeChannel", ChannelBinding::define(env));
  exports.Set("NativePool", PoolBinding::define(env));
  exports.Set("allocate", Napi::Function::New<allocate>(env, "allocate"));
  exports.Set("canTake", Napi::Boolean::New(env, can_take_backing_store()));
  exports.Set("namespaces", Napi::Function::New<namespaces>(env, "namespaces"));
  exports.Set("lockFile", Napi::Function::New<lock_file>(env, "lockFile"));
  exports.Set("unlockFile", Napi::Function::New<unlock_file>(env, "unlockFile"));
  return exports;
}

}  // namespace
}  // namespace rxp

static Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  return rxp::initialize(env, exports);
}
NODE_API_MODULE(rxjs_python, Initialize)
