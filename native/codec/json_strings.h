// The strings of JsonParser: finding their end, resolving escapes, making the str.
#pragma once

#include "codec/json_cursor.h"

namespace rxp {

template <class Unit>
class JsonStrings : protected JsonCursor<Unit> {
 protected:
  using Cursor = JsonCursor<Unit>;
  using Cursor::api_;
  using Cursor::at_;
  using Cursor::d_;
  using Cursor::end_;
  using Cursor::fail;
  using Cursor::fail_at;
  using Cursor::JsonCursor;
  using Cursor::kNarrow;

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
      case '"':
        unit = '"';
        break;
      case '\\':
        unit = '\\';
        break;
      case '/':
        unit = '/';
        break;
      case 'b':
        unit = '\b';
        break;
      case 'f':
        unit = '\f';
        break;
      case 'n':
        unit = '\n';
        break;
      case 'r':
        unit = '\r';
        break;
      case 't':
        unit = '\t';
        break;
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
      default:
        fail_at(from, "unknown escape");
        return false;
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
};

}  // namespace rxp
