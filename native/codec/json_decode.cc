#include "codec/json_decode.h"

#include <new>

#include "codec/json_parser.h"

namespace rxp {
namespace {

// Texts up to here are copied into padded memory, so that their last keys are cached as well.
constexpr size_t kSmallText = 4096;
// A copy larger than this is not kept for the next batch.
constexpr size_t kKeepCopy = size_t{8} << 20;

// Copies while every unit fits in a byte. Returns false, with a part copied, when one does not.
bool narrow_units(const char16_t* from, size_t size, uint8_t* to) {
  using Wide = uint16_t __attribute__((vector_size(32)));
  using Narrow = uint8_t __attribute__((vector_size(16)));
  size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    Wide units;
    std::memcpy(&units, from + i, sizeof units);
    Narrow bytes = __builtin_convertvector(units, Narrow);
    Wide high = units >> 8;
    uint64_t words[4];
    std::memcpy(words, &high, sizeof words);
    if ((words[0] | words[1] | words[2] | words[3]) != 0) return false;
    std::memcpy(to + i, &bytes, sizeof bytes);
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
