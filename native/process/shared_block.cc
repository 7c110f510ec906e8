#include "process/shared_block.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/platform.h"

namespace rxp {

SharedBlock* SharedBlock::create(uint32_t id, size_t size) {
  size_t rounded = 4096;
  while (rounded < size) rounded *= 2;
  int descriptor = platform::create_memory_file(rounded);
  if (descriptor < 0) return nullptr;
  void* data = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) {
    close(descriptor);
    return nullptr;
  }
  auto* block = new SharedBlock;
  block->id = id;
  block->descriptor = descriptor;
  block->data = static_cast<char*>(data);
  block->size = rounded;
  return block;
}

SharedBlock* SharedBlock::adopt(uint32_t id, int descriptor, size_t size) {
  struct stat status {};
  // A file that is shorter than announced would end in SIGBUS here (rule P2); it cannot shrink
  // later, since create_memory_file seals its size.
  bool fits = fstat(descriptor, &status) == 0 && static_cast<size_t>(status.st_size) >= size &&
              platform::is_sealed(descriptor);
  void* data = fits ? mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                    : MAP_FAILED;
  close(descriptor);
  if (data == MAP_FAILED) return nullptr;
  auto* block = new SharedBlock;
  block->id = id;
  block->data = static_cast<char*>(data);
  block->size = size;
  return block;
}

SharedBlock::~SharedBlock() {
  if (data != nullptr) munmap(data, size);
  if (descriptor >= 0) close(descriptor);
}

}  // namespace rxp
