#include "process/mapped_blocks.h"

namespace rxp {

bool MappedBlocks::map(uint32_t id, int descriptor, size_t size) {
  auto block = descriptor < 0 ? nullptr : SharedBlock::adopt(id, descriptor, size);
  if (block == nullptr) return false;
  std::lock_guard<std::mutex> lock(mutex_);
  blocks_[id].block = std::move(block);
  return true;
}

void MappedBlocks::unmap(uint32_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = blocks_.find(id);
  if (found == blocks_.end()) return;
  if (found->second.users == 0) {
    blocks_.erase(found);
  } else {
    found->second.doomed = true;
  }
}

bool MappedBlocks::examine(const std::function<bool(const Find&)>& look) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return look([this](uint32_t id) -> const SharedBlock* {
    auto found = blocks_.find(id);
    return found == blocks_.end() ? nullptr : found->second.block.get();
  });
}

// One use more; null when there is no such block.
SharedBlock* MappedBlocks::take(uint32_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = blocks_.find(id);
  if (found == blocks_.end()) return nullptr;
  found->second.users++;
  return found->second.block.get();
}

char* MappedBlocks::use(uint32_t id) {
  SharedBlock* block = take(id);
  return block == nullptr ? nullptr : block->data;
}

void MappedBlocks::drop(uint32_t id) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = blocks_.find(id);
    if (found == blocks_.end() || --found->second.users > 0) return;
    if (found->second.doomed) blocks_.erase(found);
  }
  give_back_(id);
}

MemoryBlock* MappedBlocks::lend(uint32_t id, char* data, size_t size) {
  struct Use {
    MappedBlocks* blocks;
    uint32_t id;
  };
  SharedBlock* block = take(id);
  if (block == nullptr) return nullptr;
  if (data == nullptr) {
    data = block->data;
    size = block->size;
  }
  return MemoryBlock::pin(
      data, size,
      [](void* context) {
        std::unique_ptr<Use> use(static_cast<Use*>(context));
        use->blocks->drop(use->id);
      },
      new Use{this, id});
}

}  // namespace rxp
