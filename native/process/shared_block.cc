#include "process/shared_block.h"

#include <sys/mman.h>
#include <unistd.h>

#include "platform/processes.h"

namespace rxp {
namespace {

constexpr size_t kSmallest = 128 << 10;
// Bytes that are kept for the next payloads.
constexpr size_t kKeep = 64 << 20;

// In steps of a quarter of a power of two, so that a block serves again for similar payloads.
size_t rounded(size_t size) {
  size_t power = kSmallest;
  while (power < size) power *= 2;
  size_t step = power / 8;
  size_t result = power / 2;
  while (result < size) result += step;
  return result < kSmallest ? kSmallest : result;
}

void* map(int descriptor, size_t size) {
  return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
}

}  // namespace

std::unique_ptr<SharedBlock> SharedBlock::create(uint32_t id, size_t size) {
  int descriptor = platform::create_memory_file(size);
  if (descriptor < 0) return nullptr;
  void* data = map(descriptor, size);
  if (data == MAP_FAILED) {
    close(descriptor);
    return nullptr;
  }
  auto block = std::make_unique<SharedBlock>();
  block->id = id;
  block->descriptor = descriptor;
  block->data = static_cast<char*>(data);
  block->size = size;
  return block;
}

std::unique_ptr<SharedBlock> SharedBlock::adopt(uint32_t id, int descriptor, size_t size) {
  // A file that is shorter than announced would end in SIGBUS here (rule P2).
  void* data =
      size > 0 && platform::is_sealed(descriptor, size) ? map(descriptor, size) : MAP_FAILED;
  close(descriptor);
  if (data == MAP_FAILED) return nullptr;
  auto block = std::make_unique<SharedBlock>();
  block->id = id;
  block->data = static_cast<char*>(data);
  block->size = size;
  return block;
}

SharedBlock::~SharedBlock() {
  if (data != nullptr) munmap(data, size);
  if (descriptor >= 0) close(descriptor);
}

SharedBlock* BlockStore::lend(size_t size) {
  size = rounded(size);
  auto same = free_.find(size);
  if (same != free_.end() && !same->second.empty()) {
    SharedBlock* block = same->second.back();
    same->second.pop_back();
    free_bytes_ -= size;
    block->lent = true;
    return block;
  }
  if (blocks_.size() >= kMost) return nullptr;
  auto made = SharedBlock::create(++last_id_, size);
  if (made == nullptr) return nullptr;
  made->lent = true;
  return (blocks_[made->id] = std::move(made)).get();
}

bool BlockStore::take_back(uint32_t id) {
  auto found = blocks_.find(id);
  if (found == blocks_.end() || !found->second->lent) return false;
  SharedBlock* block = found->second.get();
  block->lent = false;
  free_[block->size].push_back(block);
  free_bytes_ += block->size;
  return true;
}

uint32_t BlockStore::surplus() {
  if (free_bytes_ <= kKeep) return 0;
  for (auto largest = free_.rbegin(); largest != free_.rend(); ++largest) {
    if (largest->second.empty()) continue;
    SharedBlock* block = largest->second.front();
    largest->second.erase(largest->second.begin());
    free_bytes_ -= block->size;
    uint32_t id = block->id;
    blocks_.erase(id);
    return id;
  }
  return 0;
}

}  // namespace rxp
