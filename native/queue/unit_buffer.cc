#include "queue/unit_buffer.h"

#include <mutex>
#include <vector>

namespace rxp {
namespace {

constexpr size_t kLarge = 32 << 10;     // units; below, malloc keeps the memory by itself
constexpr size_t kKeepUnits = 8 << 20;  // in all

struct Piece {
  char16_t* data;
  size_t units;
};
// Leaked on purpose, like all that interpreter threads use.
struct Kept {
  std::mutex mutex;
  std::vector<Piece> pieces;
  size_t units = 0;
};
Kept& kept() {
  static Kept& instance = *new Kept;
  return instance;
}

}  // namespace

UnitBuffer::UnitBuffer(size_t units) {
  if (units < kLarge) {
    data_ = new char16_t[units];
    return;
  }
  units_ = kLarge;
  while (units_ < units) units_ *= 2;
  {
    std::lock_guard<std::mutex> lock(kept().mutex);
    auto& pieces = kept().pieces;
    for (size_t i = pieces.size(); i-- > 0;) {
      if (pieces[i].units != units_) continue;
      data_ = pieces[i].data;
      kept().units -= units_;
      pieces[i] = pieces.back();
      pieces.pop_back();
      return;
    }
  }
  data_ = new char16_t[units_];
}

UnitBuffer::~UnitBuffer() {
  if (units_ > 0) {
    std::lock_guard<std::mutex> lock(kept().mutex);
    if (kept().units + units_ <= kKeepUnits) {
      kept().pieces.push_back({data_, units_});
      kept().units += units_;
      return;
    }
  }
  delete[] data_;
}

}  // namespace rxp
