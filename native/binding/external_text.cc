#include "binding/external_text.h"

#include <dlfcn.h>

#include <cstring>
#include <mutex>
#include <vector>

namespace rxp {
namespace {

// Part of Node-API since 20.4, though still marked as experimental: found at run time, done without
// where it is missing.
using Finalize = void (*)(napi_env env, void* data, void* hint);
using CreateExternal = napi_status (*)(napi_env env, char* text, size_t size, Finalize finalize,
                                       void* hint, napi_value* result, bool* copied);

CreateExternal find_create_external() {
  return reinterpret_cast<CreateExternal>(
      dlsym(RTLD_DEFAULT, "node_api_create_external_string_latin1"));
}

// Buffers of one size, for texts come and go by the thousand. Leaked on purpose: strings of a
// Worker that ends are finalised late.
constexpr size_t kBufferSize = 64 << 10;
constexpr size_t kKeptBuffers = 256;
struct Buffers {
  std::mutex mutex;
  std::vector<char*> free;
};
Buffers& buffers() {
  static Buffers& instance = *new Buffers;
  return instance;
}

char* take_buffer() {
  Buffers& all = buffers();
  {
    std::lock_guard<std::mutex> lock(all.mutex);
    if (!all.free.empty()) {
      char* buffer = all.free.back();
      all.free.pop_back();
      return buffer;
    }
  }
  return new char[kBufferSize];
}

void give_back(napi_env, void* data, void*) {
  Buffers& all = buffers();
  {
    std::lock_guard<std::mutex> lock(all.mutex);
    if (all.free.size() < kKeptBuffers) {
      all.free.push_back(static_cast<char*>(data));
      return;
    }
  }
  delete[] static_cast<char*>(data);
}

napi_value make_external(napi_env env, TextView text) {
  static const CreateExternal create = find_create_external();
  if (create == nullptr) return nullptr;
  char* buffer = take_buffer();
  std::memcpy(buffer, text.data, text.size);
  napi_value value = nullptr;
  bool copied = false;
  if (create(env, buffer, text.size, give_back, nullptr, &value, &copied) != napi_ok) {
    give_back(env, buffer, nullptr);
    return nullptr;
  }
  return value;  // where the engine copied, it has finalised the buffer already
}

}  // namespace

napi_value make_text(napi_env env, TextView text, bool external) {
  napi_value value = nullptr;
  if (external && text.narrow && text.size <= kBufferSize) {
    value = make_external(env, text);
    if (value != nullptr) return value;
  }
  napi_status status =
      text.narrow
          ? napi_create_string_latin1(env, static_cast<const char*>(text.data), text.size, &value)
          : napi_create_string_utf16(env, text.units(), text.size, &value);
  if (status != napi_ok) napi_get_null(env, &value);
  return value;
}

}  // namespace rxp
