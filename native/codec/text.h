// Text as it crosses the border: JavaScript strings as V8 holds them (UTF-16 code units, or Latin-1
// where every unit fits in a byte), cut and joined without ever going through UTF-8.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace rxp {

// A run of UTF-16 code units, stored in one byte each (`narrow`) or two. Does not own its memory.
struct TextView {
  const void* data = nullptr;
  size_t size = 0;  // in code units
  bool narrow = true;

  const uint8_t* bytes() const { return static_cast<const uint8_t*>(data); }
  const char16_t* units() const { return static_cast<const char16_t*>(data); }
  TextView slice(size_t from, size_t count) const {
    return {static_cast<const char*>(data) + (narrow ? from : from * 2), count, narrow};
  }
};

// Grows a text. Starts narrow and widens itself once, when the first unit above U+00FF arrives.
class TextBuffer {
 public:
  void clear() {
    narrow_.clear();
    wide_.clear();
    is_narrow_ = true;
    specials = false;
  }
  bool narrow() const { return is_narrow_; }
  // Code units that fit without another allocation.
  size_t capacity() const { return narrow_.capacity() + wide_.capacity(); }
  size_t size() const { return is_narrow_ ? narrow_.size() : wide_.size(); }
  TextView view() const {
    return is_narrow_ ? TextView{narrow_.data(), narrow_.size(), true}
                      : TextView{wide_.data(), wide_.size(), false};
  }

  void append_ascii(const char* text, size_t size) {
    if (is_narrow_) {
      narrow_.append(text, size);
    } else {
      wide_.append(reinterpret_cast<const uint8_t*>(text),
                   reinterpret_cast<const uint8_t*>(text) + size);
    }
  }
  // Room for `size` more bytes of a narrow text, to be filled by the caller.
  char* extend_narrow(size_t size) {
    size_t before = narrow_.size();
    narrow_.resize(before + size);
    return narrow_.data() + before;
  }
  void append_unit(char16_t unit) {
    if (is_narrow_) {
      if (unit <= 0xff) {
        narrow_.push_back(static_cast<char>(unit));
        return;
      }
      widen();
    }
    wide_.push_back(unit);
  }
  // A code point of Python's, lone surrogates included; above U+FFFF it becomes a surrogate pair.
  void append_code_point(uint32_t point) {
    if (point <= 0xffff) {
      append_unit(static_cast<char16_t>(point));
      return;
    }
    if (is_narrow_) widen();
    point -= 0x10000;
    wide_.push_back(static_cast<char16_t>(0xd800 + (point >> 10)));
    wide_.push_back(static_cast<char16_t>(0xdc00 + (point & 0x3ff)));
  }
  void append(TextView text) {
    if (text.narrow) {
      append_ascii(static_cast<const char*>(text.data), text.size);  // Latin-1 widens the same way
      return;
    }
    if (is_narrow_) widen();
    wide_.append(text.units(), text.size);
  }
  // Drops what was appended after `size` units (a half-written result).
  void truncate(size_t size) {
    if (is_narrow_) {
      narrow_.resize(size);
    } else {
      wide_.resize(size);
    }
  }

  // Set by the JSON encoder when the text holds values that JSON has no form for (json_encode.h).
  bool specials = false;

 private:
  void widen() {
    wide_.assign(reinterpret_cast<const uint8_t*>(narrow_.data()),
                 reinterpret_cast<const uint8_t*>(narrow_.data()) + narrow_.size());
    narrow_.clear();
    is_narrow_ = false;
  }

  std::string narrow_;
  std::u16string wide_;
  bool is_narrow_ = true;
};

}  // namespace rxp
