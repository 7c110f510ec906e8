#include "buffer/layout.h"

#include <cstring>

namespace rxp {

bool extent_of(const int64_t* shape, const int64_t* strides, size_t dimensions, Extent& extent) {
  extent = {0, 0, 1};
  for (size_t i = 0; i < dimensions; i++) {
    if (shape[i] < 0) return false;
    if (shape[i] == 0) extent = {0, -1, 0};
  }
  if (extent.elements == 0) return true;
  for (size_t i = 0; i < dimensions; i++) {
    int64_t reach = 0;
    int64_t& end = strides[i] < 0 ? extent.first : extent.last;
    if (__builtin_mul_overflow(shape[i], extent.elements, &extent.elements) ||
        __builtin_mul_overflow(shape[i] - 1, strides[i], &reach) ||
        __builtin_add_overflow(end, reach, &end)) {
      return false;
    }
  }
  return true;
}

bool layout_fits(const int64_t* numbers, size_t count, uint64_t elements) {
  if (count % 2 == 0 || count > kMostLayoutNumbers) return false;
  const size_t dimensions = dimensions_of(count);
  Extent extent;
  if (!extent_of(numbers + 1, numbers + 1 + dimensions, dimensions, extent)) return false;
  const int64_t offset = numbers[0];
  if (offset < 0) return false;
  if (extent.elements == 0) return static_cast<uint64_t>(offset) <= elements;
  int64_t last = 0;
  if (__builtin_add_overflow(offset, extent.last, &last)) return false;
  return offset + extent.first >= 0 && static_cast<uint64_t>(last) < elements;
}

Layout compact(const Layout& layout) {
  const size_t dimensions = dimensions_of(layout.size());
  Layout result = layout;
  result[0] = 0;
  int64_t stride = 1;
  for (size_t i = dimensions; i-- > 0;) {
    result[1 + dimensions + i] = stride;
    // Of an array without elements the strides do not matter, and its other sizes may be anything.
    if (__builtin_mul_overflow(stride, layout[1 + i], &stride)) stride = 0;
  }
  return result;
}

uint64_t elements_of(const Layout& layout) {
  uint64_t elements = 1;
  for (size_t i = 0; i < dimensions_of(layout.size()); i++) {
    elements *= static_cast<uint64_t>(layout[1 + i]);
  }
  return elements;
}

namespace {

void gather_from(char*& to, const char* from, const int64_t* shape, const int64_t* strides,
                 size_t dimensions, size_t size) {
  if (dimensions == 0) {
    std::memcpy(to, from, size);
    to += size;
    return;
  }
  const int64_t step = strides[0] * static_cast<int64_t>(size);
  if (dimensions == 1 && strides[0] == 1) {
    const size_t bytes = static_cast<size_t>(shape[0]) * size;
    std::memcpy(to, from, bytes);
    to += bytes;
    return;
  }
  for (int64_t i = 0; i < shape[0]; i++) {
    gather_from(to, from + i * step, shape + 1, strides + 1, dimensions - 1, size);
  }
}

}  // namespace

void gather(char* to, const char* from, const Layout& layout, size_t element_size) {
  const size_t dimensions = dimensions_of(layout.size());
  const int64_t* shape = layout.data() + 1;
  const int64_t* strides = shape + dimensions;
  for (size_t i = 0; i < dimensions; i++) {
    if (shape[i] == 0) return;
  }
  from += layout[0] * static_cast<int64_t>(element_size);
  gather_from(to, from, shape, strides, dimensions, element_size);
}

}  // namespace rxp
