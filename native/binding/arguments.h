// Arguments as JavaScript passes them: nothing is used before its type and its range are checked. A
// wrong one is a TypeError, whatever else follows in the same call.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace rxp {

// Throws, unless something is being thrown already (a getter, a proxy).
inline void throw_type_error(napi_env env, const std::string& message) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) != napi_ok || pending) return;
  napi_throw_type_error(env, nullptr, message.c_str());
}

class Arguments {
 public:
  // `function` is what messages call it.
  Arguments(const Napi::CallbackInfo& info, const char* function)
      : info_(info), env_(info.Env()), function_(function) {}

  // False once an argument was wrong; then an exception is pending and the call must end.
  bool ok() const { return ok_; }
  napi_env env() const { return env_; }
  napi_value at(size_t index) const { return info_[index]; }

  void refuse(const std::string& what) {
    if (ok_) throw_type_error(env_, std::string(function_) + ": " + what);
    ok_ = false;
  }

  double number(size_t index, const char* name, double least, double most) {
    double value = 0;
    bool fits = napi_get_value_double(env_, info_[index], &value) == napi_ok &&
                std::trunc(value) == value && value >= least && value <= most;
    if (fits) return value;
    refuse(std::string(name) + " must be a whole number from " + text_of(least) + " to " +
           text_of(most));
    return least;
  }
  int32_t integer(size_t index, const char* name,
                  int32_t least = std::numeric_limits<int32_t>::min(),
                  int32_t most = std::numeric_limits<int32_t>::max()) {
    return static_cast<int32_t>(number(index, name, least, most));
  }
  bool boolean(size_t index, const char* name) {
    bool value = false;
    if (napi_get_value_bool(env_, info_[index], &value) != napi_ok) {
      refuse(std::string(name) + " must be a boolean");
    }
    return value;
  }
  std::string string(size_t index, const char* name) { return string_of(info_[index], name); }
  std::u16string text(size_t index, const char* name) {
    size_t size = 0;
    std::u16string value;
    if (napi_get_value_string_utf16(env_, info_[index], nullptr, 0, &size) != napi_ok) {
      refuse(std::string(name) + " must be a string");
      return value;
    }
    value.resize(size);
    napi_get_value_string_utf16(env_, info_[index], &value[0], size + 1, &size);
    return value;
  }
  // Of an array; its elements are still to be checked.
  uint32_t array_length(napi_value value, const char* name) {
    uint32_t length = 0;
    bool array = false;
    if (napi_is_array(env_, value, &array) != napi_ok || !array ||
        napi_get_array_length(env_, value, &length) != napi_ok) {
      refuse(std::string(name) + " must be an array");
    }
    return length;
  }

  // The memory of a Float64Array that has room for so many numbers.
  double* doubles(size_t index, const char* name, size_t least) {
    bool typed = false;
    napi_typedarray_type type = napi_uint8_array;
    size_t length = 0;
    void* data = nullptr;
    if (napi_is_typedarray(env_, info_[index], &typed) == napi_ok && typed &&
        napi_get_typedarray_info(env_, info_[index], &type, &length, &data, nullptr, nullptr) ==
            napi_ok &&
        type == napi_float64_array && length >= least && data != nullptr) {
      return static_cast<double*>(data);
    }
    refuse(std::string(name) + " must be a Float64Array with room for " + std::to_string(least) +
           " numbers");
    return nullptr;
  }

  // Fields of the object at `index`, which may have getters that throw.
  napi_value field(size_t index, const char* name) {
    napi_value value = nullptr;
    napi_valuetype type = napi_undefined;
    napi_typeof(env_, info_[index], &type);
    if (!ok_ || type != napi_object ||
        napi_get_named_property(env_, info_[index], name, &value) != napi_ok) {
      refuse(std::string("the options must be an object with the field ") + name);
      napi_get_undefined(env_, &value);
    }
    return value;
  }
  std::string string_field(size_t index, const char* name) {
    return string_of(field(index, name), name);
  }
  int32_t integer_field(size_t index, const char* name) {
    double value = 0;
    bool fits = napi_get_value_double(env_, field(index, name), &value) == napi_ok &&
                std::trunc(value) == value && value >= std::numeric_limits<int32_t>::min() &&
                value <= std::numeric_limits<int32_t>::max();
    if (!fits) refuse(std::string(name) + " must be a whole number of 32 bits");
    return fits ? static_cast<int32_t>(value) : 0;
  }
  std::string string_of(napi_value value, const char* name) {
    size_t size = 0;
    std::string result;
    if (!ok_ || napi_get_value_string_utf8(env_, value, nullptr, 0, &size) != napi_ok) {
      refuse(std::string(name) + " must be a string");
      return result;
    }
    result.resize(size);
    napi_get_value_string_utf8(env_, value, &result[0], size + 1, &size);
    return result;
  }

 private:
  static std::string text_of(double value) { return std::to_string(static_cast<long long>(value)); }

  const Napi::CallbackInfo& info_;
  napi_env env_;
  const char* function_;
  bool ok_ = true;
};

}  // namespace rxp
