#include "codec/json_decode.h"

#include <algorithm>
#include <new>

#include "codec/json_parser.h"

namespace rxp {
namespace {

// Texts up to here are copied into padded memory, so that their last keys are cached as well.
constexpr size_t kSmallText = 4096;
// A copy larger than this is not kept for the next batch.
constexpr size_t kKeepCopy = size_t{8} << 20;

// Copies while every unit fits in a byte. Returns false (with a part copied) at the first that
// does not; checked per block, which compilers turn into vector code.
bool narrow_units(const char16_t* from, size_t size, uint8_t* to) {
  constexpr size_t kBlock = 32;
  size_t i = 0;
  for (; i + kBlock <= size; i += kBlock) {
    unsigned seen = 0;
    for (size_t j = 0; j < kBlock; ++j) seen |= from[i + j];
    if (seen > 0xff) return false;
    for (size_t j = 0; j < kBlock; ++j) to[i + j] = static_cast<uint8_t>(from[i + j]);
  }
  for (; i < size; ++i) {
    if (from[i] > 0xff) return false;
    to[i] = static_cast<uint8_t>(from[i]);
  }
  return true;
}

}  // namespace

JsonDecoder::JsonDecoder(const PythonApi& api, PyObject* bigint_type)
    : api_(api),
      bigint_type_(bigint_type),
      layout_(api),
      narrow_keys_(api),
      wide_keys_(api),
      narrow_strings_(api),
      wide_strings_(api) {}

JsonDecoder::~JsonDecoder() = default;

PyObject* JsonDecoder::decode(TextView text) { return run(text, false); }
PyObject* JsonDecoder::decode_batch(TextView text) { return run(text, true); }

PyObject* JsonDecoder::run(TextView text, bool batch) {
  bool copies = !text.narrow || text.size <= kSmallText;
  if (copies && copy_size_ < text.size + kCacheReach) {
    size_t size = text.size + text.size / 4 + kCacheReach;
    copy_.reset(new (std::nothrow) uint8_t[size]());
    copy_size_ = copy_ ? size : 0;
    if (!copy_) return api_.PyErr_NoMemory();
  }
  PyObject* result;
  if (text.narrow) {
    const uint8_t* from = text.bytes();
    size_t readable = text.size;
    if (copies) {
      if (text.size > 0) std::memcpy(copy_.get(), from, text.size);
      from = copy_.get();
      readable += kCacheReach;
    }
    result = JsonParser<uint8_t>(*this, from, text.size, readable, batch).run();
  } else if (narrow_units(text.units(), text.size, copy_.get())) {
    size_t readable = text.size + kCacheReach;
    result = JsonParser<uint8_t>(*this, copy_.get(), text.size, readable, batch).run();
  } else {
    result = JsonParser<char16_t>(*this, text.units(), text.size, text.size, batch).run();
  }
  if (copy_size_ > kKeepCopy) {
    copy_.reset();
    copy_size_ = 0;
  }
  return result;
}

}  // namespace rxp
