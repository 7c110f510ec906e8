// Results on their way back to one JavaScript thread: many results per wake-up.
//
// Interpreter threads post; the JavaScript thread is woken once and then takes block after block
// until none is left. Small results that follow each other share a block, hence one string and one
// crossing.
//
// L1  A channel outlives its JavaScript thread: interpreters hold it by shared_ptr.
// L2  Once close() has returned, the waker is never called again, so the thread that it wakes may
//     go away.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "buffer/memory.h"
#include "codec/text.h"

namespace rxp {

// Python memory that JavaScript holds; given back to the runtime that made it (runtime.h).
struct ExportedBuffer;

// One element of a binary result. Exactly one of block, exported and alias is set.
struct BinaryItem {
  MemoryBlock* block = nullptr;       // a reference
  ExportedBuffer* exported = nullptr;  // owned
  int alias = -1;                     // index of the input that the bytes lie in
  int type = 0;                       // napi_typedarray_type
  size_t offset = 0;                  // bytes into the block, the export or the input's block
  size_t size = 0;                    // bytes
};

enum class ResultStatus : int32_t {
  kOk = 0,
  kError = 1,     // the text is an error report (JSON)
  kSpecials = 2,  // the JSON text holds escaped values (json_encode.h)
};

enum class BlockKind : int32_t { kText = 0, kBinary = 1, kOutput = 2, kLog = 3 };

// Text: meta holds, for each call, its id, its status, the number of strings, and their lengths in
// code units. Binary: meta holds id, status, count; items follow. Output: meta holds the stream.
struct ResultBlock {
  BlockKind kind = BlockKind::kText;
  int32_t pool = 0;
  TextBuffer text;
  std::vector<int32_t> meta;
  std::vector<BinaryItem> items;
};

class ResultChannel {
 public:
  class Waker {
   public:
    virtual ~Waker() = default;
    virtual void wake() = 0;  // called with the channel's lock held; must not block
  };

  explicit ResultChannel(Waker* waker) : waker_(waker) {}
  ~ResultChannel();

  // Takes the contents of `text` and `lengths` (they come back empty, with other memory).
  void post_text(int32_t pool, int32_t call, ResultStatus status, TextBuffer& text,
                 std::vector<int32_t>& lengths);
  void post_binary(int32_t pool, int32_t call, std::vector<BinaryItem>& items);
  void post_output(int32_t pool, BlockKind kind, int32_t stream, TextBuffer& text);
  // Wakes the JavaScript thread for other work of its own.
  void nudge();

  // JavaScript thread only. Null when nothing is left; the next post wakes again.
  ResultBlock* front();
  void pop();  // frees what front() returned
  void close();

 private:
  ResultBlock* append(std::unique_ptr<ResultBlock> block);
  std::unique_ptr<ResultBlock> fresh();
  void signal();

  std::mutex mutex_;
  Waker* waker_;
  std::deque<std::unique_ptr<ResultBlock>> blocks_;
  std::vector<std::unique_ptr<ResultBlock>> spare_;
  bool front_taken_ = false;
  bool signalled_ = false;
  bool closed_ = false;
};

// Drops what a binary item holds, when it did not become JavaScript's.
void discard(BinaryItem& item);

}  // namespace rxp
