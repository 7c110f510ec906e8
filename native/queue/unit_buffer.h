// Memory for the text of calls. Large pieces are kept for the next call: what malloc gives back to
// the system has to be faulted in page by page again, which costs more than the copy into it.
#pragma once

#include <cstddef>
#include <utility>

namespace rxp {

class UnitBuffer {
 public:
  UnitBuffer() = default;
  explicit UnitBuffer(size_t units);
  UnitBuffer(UnitBuffer&& other) noexcept { swap(other); }
  UnitBuffer& operator=(UnitBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~UnitBuffer();

  char16_t* get() const { return data_; }

 private:
  void swap(UnitBuffer& other) {
    std::swap(data_, other.data_);
    std::swap(units_, other.units_);
  }
  char16_t* data_ = nullptr;
  size_t units_ = 0;  // the size class, for large pieces
};

}  // namespace rxp
