// Where the elements of an array with a shape lie in memory. All numbers count elements: first
// where the one with index 0, 0, … lies; then the shape; then as many strides, which may be zero
// or negative. An array without a shape of its own has no layout: an empty list of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rxp {

using Layout = std::vector<int64_t>;

inline constexpr size_t kMostDimensions = 32;  // what every numpy can do
inline constexpr size_t kMostLayoutNumbers = 1 + 2 * kMostDimensions;

// The bytes of an element of each napi_typedarray_type.
inline constexpr size_t kElementSizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
inline constexpr int32_t kArrayTypes = 11;

constexpr size_t dimensions_of(size_t numbers) { return (numbers - 1) / 2; }
constexpr size_t numbers_of(size_t dimensions) { return 1 + 2 * dimensions; }

// The places that elements lie at, from the first to the last, as seen from the one with index 0,
// 0, …; `elements` is how many there are.
struct Extent {
  int64_t first = 0;
  int64_t last = 0;
  int64_t elements = 0;
};

// False when the numbers are no layout, or too large to count with. `shape` and `strides` have
// `dimensions` numbers each.
bool extent_of(const int64_t* shape, const int64_t* strides, size_t dimensions, Extent& extent);

// Whether the numbers are a layout whose elements all lie within `elements`.
bool layout_fits(const int64_t* numbers, size_t count, uint64_t elements);

// The same shape with all elements one behind the other in C order, from 0 on.
Layout compact(const Layout& layout);

// How many elements a layout that fits has.
uint64_t elements_of(const Layout& layout);

// Copies the elements of a layout that fits, in C order.
void gather(char* to, const char* from, const Layout& layout, size_t element_size);

}  // namespace rxp
