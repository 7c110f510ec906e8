// The parser behind JsonDecoder, for text of one byte a unit or two. Recursive descent; what one
// text needs only while it is parsed lives here, what is worth keeping lives in the decoder.
#pragma once

#include <charconv>
#include <limits>

#include "codec/json_decode.h"

namespace rxp {

template <class Unit>
class JsonParser {
 public:
  // `readable` counts the units that may be read from `begin`: at least `size`.
  JsonParser(JsonDecoder& decoder, const Unit* begin, size_t size, size_t readable, bool batch)
      : d_(decoder),
        api_(decoder.api_),
        keys_(kNarrow ? decoder.narrow_keys_ : decoder.wide_keys_),
        strings_(kNarrow ? decoder.narrow_strings_ : decoder.wide_strings_),
        begin_(begin),
        at_(begin),
        end_(begin + size),
        cacheable_(begin + (readable > kReach ? readable - kReach : 0)),
        batch_(batch),
        max_depth_(kJsonMaxDepth + (batch ? 1 : 0)) {
    if (cacheable_ > end_) cacheable_ = end_;
    keys_.prepare();
    strings_.prepare();
  }

  PyObject* run() {
    skip_space();
    if (batch_ && (at_ == end_ || *at_ != '[')) return fail("a list was expected");
    PyObject* result = value(KeyCache::kRoot);
    if (result == nullptr) return nullptr;
    skip_space();
    if (at_ == end_) return result;
    api_.Py_DecRef(result);
    return fail("more text after the end of the value");
  }

 private:
  static constexpr bool kNarrow = sizeof(Unit) == 1;
  static constexpr size_t kReach = kCacheReach / sizeof(Unit);
  // A key whose string values repeat this rarely gets them made without a look in the cache.
  static constexpr uint16_t kTooManyMisses = 64;

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

  // `under` is the key whose value, or part of whose value, comes now.
  PyObject* value(uint32_t under) {
    if (at_ == end_) return fail("the text ends where a value was expected");
    switch (*at_) {
      case '"': return string(under);
      case '{': return object(under);
      case '[': return list(under);
      case 't': return take_word("true") ? shared(api_.True) : fail("unknown word");
      case 'f': return take_word("false") ? shared(api_.False) : fail("unknown word");
      case 'n': return take_word("null") ? shared(api_.None) : fail("unknown word");
      case 'N':
        return take_word("NaN") ? real(std::numeric_limits<double>::quiet_NaN())
                                : fail("unknown word");
      case 'I':
        return take_word("Infinity") ? real(std::numeric_limits<double>::infinity())
                                     : fail("unknown word");
      default: return number();
    }
  }

  bool enter() {
    if (++depth_ <= max_depth_) return true;
    std::string what = "nested more than " + std::to_string(kJsonMaxDepth) + " levels deep";
    fail(what.c_str());
    return false;
  }

  PyObject* list(uint32_t under) {
    if (!enter()) return nullptr;
    ++at_;
    skip_space();
    size_t base = d_.items_.size();
    if (!take(']')) {
      for (;;) {
        PyObject* item = value(under);
        if (item == nullptr) return drop_items(base);
        d_.items_.push_back(item);
        skip_space();
        if (take(',')) {
          skip_space();
          continue;
        }
        if (take(']')) break;
        fail("',' or ']' was expected");
        return drop_items(base);
      }
    }
    --depth_;
    size_t count = d_.items_.size() - base;
    PyObject* result = api_.PyList_New(static_cast<Py_ssize_t>(count));
    if (result == nullptr) return drop_items(base);
    for (size_t i = 0; i < count; ++i) {
      api_.PyList_SetItem(result, static_cast<Py_ssize_t>(i), d_.items_[base + i]);
    }
    d_.items_.resize(base);
    return result;
  }

  PyObject* drop_items(size_t base) {
    for (size_t i = base; i < d_.items_.size(); ++i) api_.Py_DecRef(d_.items_[i]);
    d_.items_.resize(base);
    return nullptr;
  }

  PyObject* object(uint32_t under) {
    if (!enter()) return nullptr;
    ++at_;
    skip_space();
    PyRef dict;
    if (take('}')) {
      --depth_;
      return api_.PyDict_New();
    }
    uint32_t first = KeyCache::kRoot;
    uint32_t last = KeyCache::kRoot;
    for (uint32_t count = 1;; ++count) {
      uint32_t guess = count == 1 ? keys_.at(under).child : keys_.at(last).next;
      PyRef own_key;
      uint32_t index = key(guess, own_key);
      if (index == kNoKey) return nullptr;
      if (count == 1) {
        first = index;
        keys_.at(under).child = index;
        dict = PyRef(api_, new_dict(index));
        if (!dict) return nullptr;
      } else {
        keys_.at(last).next = index;
      }
      last = index;

      PyObject* name = own_key ? own_key.get() : keys_.at(index).key;
      skip_space();
      if (!own_key && at_ < end_ && (*at_ == '{' || *at_ == '[')) {
        own_key = PyRef(api_, shared(name));  // what is inside may push it out of the cache
      }
      PyObject* item = value(index);
      if (item == nullptr) return nullptr;
      int failed = api_.PyDict_SetItem(dict.get(), name, item);
      api_.Py_DecRef(item);
      if (failed != 0) return nullptr;

      skip_space();
      if (take(',')) {
        skip_space();
        continue;
      }
      if (!take('}')) return fail("',' or '}' was expected");
      if (first != KeyCache::kRoot) keys_.at(first).entries = count;
      --depth_;
      return dict.release();
    }
  }

  // As large as the last object that began with this key.
  PyObject* new_dict(uint32_t first) {
    uint32_t entries = keys_.at(first).entries;
    if (first == KeyCache::kRoot || entries <= 5 || api_._PyDict_NewPresized == nullptr) {
      return api_.PyDict_New();
    }
    return api_._PyDict_NewPresized(static_cast<Py_ssize_t>(entries < 1024 ? entries : 1024));
  }

  static constexpr uint32_t kNoKey = ~uint32_t{0};

  // Reads a key and its colon. Returns its place in the cache, or kRoot with `own` filled when it
  // is not one to keep, or kNoKey with an exception set.
  uint32_t key(uint32_t guess, PyRef& own) {
    KeyCache::Slot& expected = keys_.at(guess);
    if (at_ < cacheable_ && static_cast<size_t>(end_ - at_) * sizeof(Unit) >= expected.bytes &&
        keys_.matches(guess, at_)) {
      at_ += expected.bytes / sizeof(Unit);
      keys_.count_use(expected);
      return guess;
    }
    if (at_ == end_ || *at_ != '"') {
      fail("a key in quotes was expected");
      return kNoKey;
    }
    const Unit* start = at_;
    ++at_;
    Scan scan = scan_string();
    if (scan == Scan::kFailed) return kNoKey;
    const Unit* close = at_ - 1;
    skip_space();
    if (!take(':')) {
      fail("':' was expected");
      return kNoKey;
    }
    size_t bytes = static_cast<size_t>(at_ - start) * sizeof(Unit);
    bool keeps = start < cacheable_ && bytes <= KeyCache::kMaxBytes;
    if (keeps) {
      KeyCache::Slot* slot = keys_.find(start, bytes);
      if (slot != nullptr) {
        keys_.count_use(*slot);
        return keys_.index_of(slot);
      }
    }
    PyObject* made = make_string(start + 1, close, scan);
    if (made == nullptr) return kNoKey;
    if (keeps) return keys_.index_of(keys_.insert(start, bytes, made));
    own = PyRef(api_, made);
    return KeyCache::kRoot;
  }

  PyObject* string(uint32_t under) {
    ++at_;
    const Unit* start = at_;
    Scan scan = scan_string();
    if (scan == Scan::kFailed) return nullptr;
    const Unit* close = at_ - 1;
    size_t bytes = static_cast<size_t>(close - start) * sizeof(Unit);
    if (bytes <= sizeof(Unit) || bytes > StringCache::kMaxBytes || start >= cacheable_ ||
        !worth_caching(under)) {
      return make_string(start, close, scan);
    }
    StringCache::Slot& slot = strings_.place(start, bytes);
    KeyCache::Slot& field = keys_.at(under);
    if (StringCache::holds(slot, start, bytes)) {
      if (field.misses > 1) field.misses -= 2;
      return shared(slot.value);
    }
    ++field.misses;
    PyObject* made = make_string(start, close, scan);
    if (made != nullptr) strings_.put(slot, start, bytes, made);
    return made;
  }

  // Whether this key's values are worth keeping. A key given up for is tried again now and then.
  bool worth_caching(uint32_t under) {
    KeyCache::Slot& field = keys_.at(under);
    if (field.misses < kTooManyMisses) return true;
    if (++field.misses < kTooManyMisses * 64) return false;
    field.misses = kTooManyMisses / 2;
    return true;
  }

  enum class Scan { kAscii, kPlain, kEscapes, kSurrogates, kFailed };

  // From behind the opening quote to behind the closing one.
  Scan scan_string() {
    Scan found = Scan::kPlain;
    uint64_t seen = 0;
    for (;;) {
      if constexpr (kNarrow) {
        while (end_ - at_ >= 8) {
          uint64_t word = load64(at_);
          seen |= word;  // may look too far ahead, which only costs the shortcut for ASCII
          uint64_t stops = string_stops(word);
          if (stops != 0) {
            at_ += __builtin_ctzll(stops) >> 3;
            break;
          }
          at_ += 8;
        }
      }
      while (at_ < end_ && *at_ != '"' && *at_ != '\\' && *at_ >= 0x20) {
        if (!kNarrow && found == Scan::kPlain && is_surrogate(*at_)) found = Scan::kSurrogates;
        seen |= *at_++;
      }
      if (at_ == end_) {
        fail("the text ends inside a string");
        return Scan::kFailed;
      }
      if (*at_ == '"') {
        ++at_;
        bool ascii = kNarrow && found == Scan::kPlain && (seen & 0x8080808080808080u) == 0;
        return ascii ? Scan::kAscii : found;
      }
      if (*at_ < 0x20) {
        fail("a control character inside a string");
        return Scan::kFailed;
      }
      if (end_ - at_ < 2) {
        fail("the text ends inside a string");
        return Scan::kFailed;
      }
      found = Scan::kEscapes;
      at_ += 2;  // what was escaped is looked at in unescape()
    }
  }

  PyObject* make_string(const Unit* start, const Unit* close, Scan scan) {
    size_t size = static_cast<size_t>(close - start);
    if (scan == Scan::kAscii && size > 1 && d_.layout_.ascii_data != 0) {
      PyObject* made = api_.PyUnicode_New(static_cast<Py_ssize_t>(size), 127);
      if (made == nullptr) return nullptr;
      std::memcpy(reinterpret_cast<char*>(made) + d_.layout_.ascii_data, start, size);
      return made;
    }
    if (scan == Scan::kAscii || scan == Scan::kPlain) {
      return api_.PyUnicode_FromKindAndData(sizeof(Unit), start, static_cast<Py_ssize_t>(size));
    }
    if constexpr (kNarrow) {  // escapes mostly stand for ASCII
      Unescaped result = unescape(start, close, d_.unescaped_narrow_);
      if (result == Unescaped::kFailed) return nullptr;
      if (result == Unescaped::kPlain) return from_units(d_.unescaped_narrow_);
    }
    std::u16string& units = d_.unescaped_;
    Unescaped result = unescape(start, close, units);
    if (result == Unescaped::kFailed) return nullptr;
    if (result == Unescaped::kPlain) return from_units(units);
    d_.points_.clear();
    for (size_t i = 0; i < units.size(); ++i) {
      uint32_t point = units[i];
      if ((point & 0xfc00u) == 0xd800u && i + 1 < units.size() &&
          (units[i + 1] & 0xfc00u) == 0xdc00u) {
        point = 0x10000u + ((point & 0x3ffu) << 10) + (units[++i] & 0x3ffu);
      }
      d_.points_.push_back(point);
    }
    return from_units(d_.points_);
  }

  template <class Units>
  PyObject* from_units(const Units& units) {
    return api_.PyUnicode_FromKindAndData(sizeof(units[0]), units.data(),
                                          static_cast<Py_ssize_t>(units.size()));
  }

  // kOther: not all of the text is what `out` can hold as it is (surrogates, or too wide a unit).
  enum class Unescaped { kPlain, kOther, kFailed };

  template <class Out>
  Unescaped unescape(const Unit* from, const Unit* close, Out& out) {
    constexpr bool kNarrowOut = sizeof(out[0]) == 1;
    bool surrogates = false;
    out.resize(static_cast<size_t>(close - from));  // escapes only make it shorter
    auto* to = &out[0];
    while (from < close) {
      if constexpr (kNarrow && kNarrowOut) {
        while (close - from >= 8) {
          uint64_t word = load64(from);
          if (string_stops(word) != 0) break;
          std::memcpy(to, &word, 8);
          from += 8;
          to += 8;
        }
      }
      while (from < close && *from != '\\') {
        if (!kNarrow && is_surrogate(*from)) surrogates = true;
        *to++ = static_cast<typename Out::value_type>(*from++);
      }
      if (from == close) break;
      char16_t unit = 0;
      if (!escape(from, close, unit)) return Unescaped::kFailed;
      if (kNarrowOut && unit > 0xff) return Unescaped::kOther;
      if (is_surrogate(unit)) surrogates = true;
      *to++ = static_cast<typename Out::value_type>(unit);
    }
    out.resize(static_cast<size_t>(to - &out[0]));
    return surrogates ? Unescaped::kOther : Unescaped::kPlain;
  }

  // Reads one escape, and moves `from` behind it.
  bool escape(const Unit*& from, const Unit* close, char16_t& unit) {
    switch (from[1]) {  // there always is one: the closing quote was not escaped
      case '"': unit = '"'; break;
      case '\\': unit = '\\'; break;
      case '/': unit = '/'; break;
      case 'b': unit = '\b'; break;
      case 'f': unit = '\f'; break;
      case 'n': unit = '\n'; break;
      case 'r': unit = '\r'; break;
      case 't': unit = '\t'; break;
      case 'u':
        for (int i = 2; i < 6; ++i) {
          int digit = close - from > i ? hex_digit(from[i]) : -1;
          if (digit < 0) {
            fail_at(from, "\\u needs four hexadecimal digits");
            return false;
          }
          unit = static_cast<char16_t>(unit << 4 | digit);
        }
        from += 4;
        break;
      default: fail_at(from, "unknown escape"); return false;
    }
    from += 2;
    return true;
  }

  static int hex_digit(Unit unit) {
    if (unit >= '0' && unit <= '9') return unit - '0';
    if (unit >= 'a' && unit <= 'f') return unit - 'a' + 10;
    if (unit >= 'A' && unit <= 'F') return unit - 'A' + 10;
    return -1;
  }

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
  KeyCache& keys_;
  StringCache& strings_;
  const Unit* begin_;
  const Unit* at_;
  const Unit* end_;
  const Unit* cacheable_;  // a text that starts before this may be compared word by word
  bool batch_;
  int max_depth_;
  int depth_ = 0;
};

}  // namespace rxp
