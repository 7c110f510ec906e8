#include "buffer/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <unordered_map>

#include "platform/processes.h"

namespace rxp {
namespace {

// Leaked on purpose: threads that outlive static destruction still drop blocks.
struct Registry {
  std::mutex mutex;
  std::unordered_map<void*, MemoryBlock*> blocks;
  uint32_t last_number = 0;
};
Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

}  // namespace

MemoryBlock* MemoryBlock::allocate(size_t size) {
  constexpr size_t kAlignment = 64;
  // calloc rather than aligned_alloc + memset: large blocks come as untouched zero pages.
  void* allocation = std::calloc(1, size + kAlignment);
  if (allocation == nullptr) return nullptr;
  auto* block = new MemoryBlock;
  auto address = reinterpret_cast<uintptr_t>(allocation);
  block->allocation_ = allocation;
  block->data_ = reinterpret_cast<char*>((address + kAlignment - 1) & ~(kAlignment - 1));
  block->size_ = size;
  std::lock_guard<std::mutex> lock(registry().mutex);
  registry().blocks.emplace(block->data_, block);
  return block;
}

MemoryBlock* MemoryBlock::allocate_shareable(size_t size) {
  int descriptor = platform::create_memory_file(size);
  if (descriptor < 0) return nullptr;
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) {
    close(descriptor);
    return nullptr;
  }
  auto* block = new MemoryBlock;
  block->data_ = static_cast<char*>(data);
  block->size_ = size;
  block->descriptor_ = descriptor;
  std::lock_guard<std::mutex> lock(registry().mutex);
  block->number_ = ++registry().last_number;
  registry().blocks.emplace(block->data_, block);
  return block;
}

void MemoryBlock::when_gone(std::function<void()> farewell) {
  std::lock_guard<std::mutex> lock(registry().mutex);
  farewells_.push_back(std::move(farewell));
}

MemoryBlock* MemoryBlock::pin(void* data, size_t size, void (*undo)(void*), void* context) {
  MemoryBlock* block = keep(data, size, undo, context);
  block->pinned_ = true;
  return block;
}

MemoryBlock* MemoryBlock::keep(void* data, size_t size, void (*undo)(void*), void* context) {
  auto* block = new MemoryBlock;
  block->data_ = static_cast<char*>(data);
  block->size_ = size;
  block->undo_ = undo;
  block->context_ = context;
  return block;
}

MemoryBlock* MemoryBlock::find(void* data) {
  std::lock_guard<std::mutex> lock(registry().mutex);
  auto found = registry().blocks.find(data);
  if (found == registry().blocks.end()) return nullptr;
  found->second->retain();
  return found->second;
}

void MemoryBlock::release() {
  if (undo_ != nullptr) {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    undo_(context_);
    delete this;
    return;
  }
  {
    // find() may add a reference between the count reaching zero and the entry's removal, so both
    // happen under the registry's lock.
    std::lock_guard<std::mutex> lock(registry().mutex);
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    registry().blocks.erase(data_);
  }
  std::free(allocation_);
  if (descriptor_ >= 0) {
    munmap(data_, size_);
    close(descriptor_);
    for (auto& farewell : farewells_) farewell();
  }
  delete this;
}

}  // namespace rxp
