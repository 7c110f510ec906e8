// What the JSON decoder and encoder share: limits, eight-bytes-at-a-time scanning, big integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "codec/text_layout.h"
#include "interpreter/python_api.h"

namespace rxp {

// How deep lists and objects may nest in one item, in both directions.
inline constexpr int kJsonMaxDepth = 512;
// Integers up to here are exact as a JavaScript number; larger ones travel as BigInt.
inline constexpr long long kMaxSafeInteger = (1LL << 53) - 1;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the scanning below reads words as bytes");

inline uint64_t load64(const void* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

inline uint32_t load32(const void* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Marks (with their top bit) the bytes of `word` that end plain text in a JSON string: a quote, a
// backslash, a control character. Only the lowest mark is exact, which is the one that is used.
inline uint64_t string_stops(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  constexpr uint64_t kTops = 0x8080808080808080u;
  uint64_t quote = word ^ (kOnes * '"');
  uint64_t backslash = word ^ (kOnes * '\\');
  uint64_t control = (word - kOnes * 0x20) & ~word;
  return (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) | control) & kTops;
}

inline bool is_surrogate(uint32_t unit) { return (unit & 0xfffff800u) == 0xd800u; }

// A new int from `size` decimal digits with an optional minus in front, of any length: Python's own
// limit on the digits of a text (sys.set_int_max_str_digits) is about hostile input, and these
// digits were a number in JavaScript already. Returns nullptr with an exception set.
PyObject* integer_from_digits(const PythonApi& api, const char* text, size_t size);

// The decimal digits of an int (or an instance of a subclass of it), of any size.
// Returns false with an exception set.
bool digits_from_integer(const PythonApi& api, PyObject* value, std::string& out);

// The content of a str as UTF-8, lone surrogates as \udXXX; for messages. Never raises.
std::string readable(const PythonApi& api, PyObject* text);
// The name of an object's type, for messages. Never raises.
std::string type_name(const PythonApi& api, PyObject* object);

}  // namespace rxp
