// A block of shared memory without a name, known to both sides by a number.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rxp {

// Owns a mapping and, on the side that made it, the descriptor to pass on.
struct SharedBlock {
  uint32_t id = 0;
  int descriptor = -1;
  char* data = nullptr;
  size_t size = 0;

  // Sizes are rounded up to a power of two, so that a block serves again for similar payloads.
  static SharedBlock* create(uint32_t id, size_t size);
  // Maps what the other side made; closes the descriptor. Null when it is not what was announced.
  static SharedBlock* adopt(uint32_t id, int descriptor, size_t size);
  ~SharedBlock();
};

}  // namespace rxp
