// The growing text that the JSON encoder writes into. Like TextBuffer it starts with one byte a
// unit and widens once, but its memory is raw: a value reserves what it needs at most, then is
// written without further checks.
#pragma once

#include <cstdlib>

#include "codec/json_common.h"
#include "codec/text.h"

namespace rxp {

class JsonWriter {
 public:
  // Units that a reservation always leaves free behind what was asked for, so that short texts can
  // be copied in pieces of fixed size.
  static constexpr size_t kSlack = 72;

  JsonWriter() = default;
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;
  ~JsonWriter() { std::free(data_); }

  void clear() {
    if (capacity_ > kKeep) {
      std::free(data_);
      data_ = nullptr;
      capacity_ = 0;
    }
    size_ = 0;
    wide_ = false;
  }
  bool wide() const { return wide_; }
  size_t size() const { return size_; }
  TextView view() const { return {data_, size_, !wide_}; }

  // Makes room for `units` more. Returns false when memory has run out.
  bool reserve(size_t units) {
    size_t bytes = (size_ + units + kSlack) * (wide_ ? 2 : 1);
    return bytes <= capacity_ || grow(bytes);
  }
  // From here on two bytes a unit. Returns false when memory has run out.
  bool widen() {
    if (wide_) return true;
    size_t bytes = (size_ + kSlack) * 2;
    if (bytes < capacity_) bytes = capacity_;
    char16_t* to = static_cast<char16_t*>(std::malloc(bytes));
    if (to == nullptr) return false;
    for (size_t i = 0; i < size_; ++i) to[i] = narrow_at(0)[i];
    std::free(data_);
    data_ = to;
    capacity_ = bytes;
    wide_ = true;
    return true;
  }

  // Everything below writes into what was reserved.
  void put(char unit) {
    if (wide_) {
      wide_at(size_)[0] = static_cast<uint8_t>(unit);
    } else {
      narrow_at(size_)[0] = static_cast<uint8_t>(unit);
    }
    ++size_;
  }
  void put_wide(char16_t unit) { wide_at(size_++)[0] = unit; }
  void put_text(const char* text, size_t units) {
    if (wide_) {
      char16_t* to = wide_at(size_);
      for (size_t i = 0; i < units; ++i) to[i] = static_cast<uint8_t>(text[i]);
    } else {
      std::memcpy(narrow_at(size_), text, units);
    }
    size_ += units;
  }
  // `text` lies in memory of at least 64 bytes; `units` is at most that.
  void put_padded(const char* text, size_t units) {
    if (wide_) return put_text(text, units);
    std::memcpy(narrow_at(size_), text, 16);
    if (units > 16) std::memcpy(narrow_at(size_ + 16), text + 16, 48);
    size_ += units;
  }
  char16_t unit(size_t at) { return wide_ ? wide_at(at)[0] : narrow_at(at)[0]; }
  void overwrite(size_t at, char unit) {
    if (wide_) {
      wide_at(at)[0] = static_cast<uint8_t>(unit);
    } else {
      narrow_at(at)[0] = static_cast<uint8_t>(unit);
    }
  }
  // Where the next unit goes while not wide(), for writing without put(); then advance().
  uint8_t* cursor() { return narrow_at(size_); }
  void advance(size_t units) { size_ += units; }

 private:
  // A larger buffer is not kept for the next batch.
  static constexpr size_t kKeep = size_t{16} << 20;

  uint8_t* narrow_at(size_t index) { return static_cast<uint8_t*>(data_) + index; }
  char16_t* wide_at(size_t index) { return static_cast<char16_t*>(data_) + index; }

  bool grow(size_t bytes) {
    size_t doubled = capacity_ * 2;
    if (bytes < doubled) bytes = doubled;
    if (bytes < 4096) bytes = 4096;
    void* larger = std::realloc(data_, bytes);
    if (larger == nullptr) return false;
    data_ = larger;
    capacity_ = bytes;
    return true;
  }

  void* data_ = nullptr;
  size_t size_ = 0;      // in units
  size_t capacity_ = 0;  // in bytes
  bool wide_ = false;
};

}  // namespace rxp
