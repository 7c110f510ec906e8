// Memory that JavaScript and Python may hold at the same time.
//
// M1  A block lives until the last side drops it; no side frees it under the other.
// M2  A block either owns its bytes, or shares bytes of JavaScript's that cannot be detached: a
//     SharedArrayBuffer, or an ArrayBuffer that was transferred to this library. It keeps their
//     memory itself, and so needs neither the buffer nor its thread; where Node does not let it,
//     it pins the buffer, and the thread's end waits until no call runs with it.
// M3  A pin is undone on the JavaScript thread that made it, whichever thread drops the block.
// M4  A transferred ArrayBuffer that goes back as a result is the caller's again, who may detach
// it.
//     So it only goes back itself when Python has let go of it, else a copy does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace rxp {

class MemoryBlock {
 public:
  // Zeroed and aligned to 64 bytes. Null when there is no memory. One reference, the caller's.
  static MemoryBlock* allocate(size_t size);
  // The same in a memory file, which worker processes can map too; whole pages. Null also when no
  // file can be made.
  static MemoryBlock* allocate_shareable(size_t size);
  // `undo(context)` is called once, on any thread, when the last reference is dropped.
  static MemoryBlock* pin(void* data, size_t size, void (*undo)(void*), void* context);
  // The same for bytes that no JavaScript thread can take away: pinned() is false.
  static MemoryBlock* keep(void* data, size_t size, void (*undo)(void*), void* context);
  // The block allocated here whose first byte is `data`, with a reference for the caller; or null.
  static MemoryBlock* find(void* data);

  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release();

  char* data() const { return data_; }
  size_t size() const { return size_; }
  bool pinned() const { return pinned_; }
  // Of a shareable block: its memory file, and a number that no other block ever has. Else -1 and
  // 0.
  int descriptor() const { return descriptor_; }
  uint32_t number() const { return number_; }
  // `farewell` is called once, on any thread, when a shareable block is gone.
  void when_gone(std::function<void()> farewell);
  // Whether somebody else holds a reference beside the caller.
  bool held_elsewhere() const { return references_.load(std::memory_order_acquire) > 1; }

 private:
  MemoryBlock() = default;

  std::atomic<int> references_{1};
  char* data_ = nullptr;
  size_t size_ = 0;
  void* allocation_ = nullptr;
  bool pinned_ = false;
  void (*undo_)(void*) = nullptr;
  void* context_ = nullptr;
  int descriptor_ = -1;
  uint32_t number_ = 0;
  std::vector<std::function<void()>> farewells_;
};

// What a call carries in: a part of a block, with its element type (a napi_typedarray_type).
struct Segment {
  MemoryBlock* block = nullptr;
  size_t offset = 0;
  size_t size = 0;  // bytes
  int type = 0;
  bool detachable = false;  // a transferred ArrayBuffer (rule M4)
  bool shared = false;  // JavaScript sees the same bytes, so a result inside them is the same array
};

}  // namespace rxp
