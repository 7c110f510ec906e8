// Blocks of shared memory without a name, known to both sides by a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace rxp {

// Owns a mapping and, on the side that made it, the descriptor to pass on.
struct SharedBlock {
  uint32_t id = 0;
  int descriptor = -1;
  char* data = nullptr;
  size_t size = 0;
  bool lent = false;   // the other side may use it (rule P4)
  bool known = false;  // the other side has its descriptor

  // Null when there is no memory, or no descriptor.
  static std::unique_ptr<SharedBlock> create(uint32_t id, size_t size);
  // Maps what the other side made; closes the descriptor. Null when it is not what was announced.
  static std::unique_ptr<SharedBlock> adopt(uint32_t id, int descriptor, size_t size);
  ~SharedBlock();
};

// The blocks that one side made. Those that came back are used again: fresh memory has to be
// faulted in page by page on both sides. Used under one lock.
class BlockStore {
 public:
  // Blocks at a time: a process has only so many mappings and descriptors.
  static constexpr size_t kMost = 16 << 10;

  // A block of at least this size, lent out. Null when there is no memory, or too many exist.
  SharedBlock* lend(size_t size);
  // What the other side gave back; false when it was never lent.
  bool take_back(uint32_t id);
  // A block to do away with because too much is kept; 0 when there is none. The caller tells the
  // other side.
  uint32_t surplus();

 private:
  std::unordered_map<uint32_t, std::unique_ptr<SharedBlock>> blocks_;
  std::map<size_t, std::vector<SharedBlock*>> free_;  // by size
  size_t free_bytes_ = 0;
  uint32_t last_id_ = 0;
};

}  // namespace rxp
