// Where JsonParser stands in its text, and the values that need nothing but that: numbers.
#pragma once

#include <charconv>
#include <limits>

#include "codec/json_decode.h"

namespace rxp {

template <class Unit>
class JsonCursor {
 protected:
  static constexpr bool kNarrow = sizeof(Unit) == 1;

  JsonCursor(JsonDecoder& decoder, const Unit* begin, size_t size)
      : d_(decoder), api_(decoder.api_), begin_(begin), at_(begin), end_(begin + size) {}

  PyObject* fail(const char* what) { return fail_at(at_, what); }

  PyObject* fail_at(const Unit* where, const char* what) {
    std::string message = "malformed JSON at character " + std::to_string(where - begin_) + ": ";
    message += what;
    api_.PyErr_SetString(*api_.PyExc_ValueError, message.c_str());
    return nullptr;
  }

  void skip_space() {
    while (at_ < end_ && *at_ <= ' ' &&
           (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
      ++at_;
    }
  }
  bool take(char unit) {
    if (at_ == end_ || *at_ != static_cast<Unit>(unit)) return false;
    ++at_;
    return true;
  }
  bool take_word(const char* word) {
    const Unit* at = at_;
    for (; *word != '\0'; ++word, ++at) {
      if (at == end_ || *at != static_cast<Unit>(*word)) return false;
    }
    at_ = at;
    return true;
  }
  PyObject* shared(PyObject* object) {
    api_.Py_IncRef(object);
    return object;
  }
  PyObject* real(double number) { return api_.PyFloat_FromDouble(number); }

  static bool is_digit(Unit unit) { return static_cast<unsigned>(unit) - '0' <= 9; }
  bool digit_here() const { return at_ < end_ && is_digit(*at_); }

  PyObject* number() {
    const Unit* start = at_;
    bool negative = take('-');
    if (negative && at_ < end_ && *at_ == 'I') {
      return take_word("Infinity") ? real(-std::numeric_limits<double>::infinity())
                                   : fail("unknown word");
    }
    if (!digit_here()) return fail("a value was expected");
    const Unit* digits = at_;
    uint64_t magnitude = 0;
    if (*at_ == '0') {
      ++at_;
    } else {
      while (digit_here()) magnitude = magnitude * 10 + (*at_++ - '0');
    }
    Unit next = at_ < end_ ? *at_ : Unit{0};
    if (next == '.' || next == 'e' || next == 'E') return fraction(start, digits, magnitude);
    PyObject* result;
    if (at_ - digits <= 18) {
      long long plain = static_cast<long long>(magnitude);
      result = api_.PyLong_FromLongLong(negative ? -plain : plain);
    } else {
      result = integer_from_digits(api_, ascii(start), static_cast<size_t>(at_ - start));
    }
    if (next != 'n' || result == nullptr) return result;
    ++at_;
    PyObject* big = api_.PyObject_CallFunctionObjArgs(d_.bigint_type_, result, nullptr);
    api_.Py_DecRef(result);
    return big;
  }

  // The rest of a number behind its integer digits, which are worth `significand` so far.
  PyObject* fraction(const Unit* start, const Unit* digits, uint64_t significand) {
    ptrdiff_t count = at_ - digits;
    int decimals = 0;
    if (take('.')) {
      if (!digit_here()) return fail("a digit was expected");
      const Unit* from = at_;
      while (digit_here()) significand = significand * 10 + (*at_++ - '0');
      count += at_ - from;
      decimals = at_ - from <= kExactPower ? static_cast<int>(at_ - from) : kExactPower + 1;
    }
    bool has_exponent = at_ < end_ && (*at_ == 'e' || *at_ == 'E');
    if (has_exponent) {
      ++at_;
      if (!take('-')) take('+');
      if (!digit_here()) return fail("a digit was expected");
      while (digit_here()) ++at_;
    }
    // Both numbers are exact as doubles, so one division rounds correctly.
    if (!has_exponent && count <= 18 && significand <= uint64_t{kMaxSafeInteger} &&
        decimals <= kExactPower) {
      double plain = static_cast<double>(significand) / power_of_ten(decimals);
      return real(*start == '-' ? -plain : plain);
    }
    const char* text = ascii(start);
    size_t size = static_cast<size_t>(at_ - start);
    double number = 0;
    std::from_chars_result read = std::from_chars(text, text + size, number);
    if (read.ec == std::errc()) return real(number);
    // Out of a double's range: Python knows whether that is zero or infinity.
    PyRef str(api_, api_.PyUnicode_FromStringAndSize(text, static_cast<Py_ssize_t>(size)));
    return str ? api_.PyFloat_FromString(str.get()) : nullptr;
  }

  static constexpr int kExactPower = 22;  // 10^22 is the last power of ten that a double holds
  static double power_of_ten(int exponent) {
    static constexpr double kPowers[kExactPower + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    return kPowers[exponent];
  }

  // What was read since `start`, which is known to be ASCII, as bytes.
  const char* ascii(const Unit* start) {
    if constexpr (kNarrow) return reinterpret_cast<const char*>(start);
    d_.number_.assign(start, at_);
    return d_.number_.data();
  }

  JsonDecoder& d_;
  const PythonApi& api_;
  const Unit* begin_;
  const Unit* at_;
  const Unit* end_;
};

}  // namespace rxp
