// The pool's blocks of shared memory as a worker process has them: mapped, and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "buffer/memory.h"
#include "process/shared_block.h"

namespace rxp {

// Python objects may use blocks, and let go of them, on any thread.
class MappedBlocks {
 public:
  // Told that nobody here uses a block any more; called on whichever thread drops the last use.
  using GiveBack = std::function<void(uint32_t id)>;

  explicit MappedBlocks(GiveBack give_back) : give_back_(std::move(give_back)) {}

  // Maps what comes with a descriptor, which is closed. False when it is not what was announced.
  bool map(uint32_t id, int descriptor, size_t size);
  // The pool has done away with it; it is unmapped once nobody uses it.
  void unmap(uint32_t id);

  // Null for a block that is not there.
  using Find = std::function<const SharedBlock*(uint32_t id)>;
  // What `look` answers; none of the blocks that it finds goes away meanwhile.
  bool examine(const std::function<bool(const Find&)>& look) const;

  // A use, to be dropped again; null when there is no such block.
  char* use(uint32_t id);
  void drop(uint32_t id);
  // A part of a block, or where `data` is null the whole of it, for as long as Python uses it; null
  // when there is no such block.
  MemoryBlock* lend(uint32_t id, char* data, size_t size);

 private:
  struct Mapped {
    std::unique_ptr<SharedBlock> block;
    int users = 0;
    bool doomed = false;
  };

  SharedBlock* take(uint32_t id);

  const GiveBack give_back_;
  mutable std::mutex mutex_;
  std::unordered_map<uint32_t, Mapped> blocks_;
};

}  // namespace rxp
