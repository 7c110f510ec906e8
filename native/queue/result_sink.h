// Where interpreters put what they have to say: results, output and log records. In Node's own
// process that is the result channel of a JavaScript thread, in a worker process the way back to
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer/layout.h"
#include "buffer/memory.h"
#include "codec/text.h"

namespace rxp {

// Python memory that JavaScript holds; given back to the runtime that made it (runtime.h).
struct ExportedBuffer;

// One element of a binary result. Exactly one of block, exported and alias is set.
struct BinaryItem {
  MemoryBlock* block = nullptr;        // a reference
  ExportedBuffer* exported = nullptr;  // owned
  int alias = -1;                      // index of the input that the bytes lie in
  int type = 0;                        // napi_typedarray_type
  size_t offset = 0;                   // bytes into the block, the export or the input's block
  size_t size = 0;                     // bytes
  Layout layout;                       // of an array with a shape, else empty
};

enum class ResultStatus : int32_t {
  kOk = 0,
  kError = 1,     // the text is an error report (JSON)
  kSpecials = 2,  // the JSON text holds escaped values (json_encode.h)
};

// kNotice: JSON about the runtime itself (python/rxjs_python/_gil.py).
enum class BlockKind : int32_t {
  kText = 0,
  kBinary = 1,
  kOutput = 2,
  kLog = 3,
  kCallback = 4,
  kNotice = 5
};

class ResultSink {
 public:
  virtual ~ResultSink() = default;
  // Take the contents of what they are given, which comes back empty, with other memory.
  virtual void post_text(int32_t pool, int32_t call, ResultStatus status, TextBuffer& text,
                         std::vector<int32_t>& lengths) = 0;
  virtual void post_binary(int32_t pool, int32_t call, std::vector<BinaryItem>& items) = 0;
  virtual void post_output(int32_t pool, BlockKind kind, int32_t stream, TextBuffer& text) = 0;
  // A request to JavaScript (callback/desk.h): a JSON array of the callback's name and its
  // arguments. False when it cannot be passed on.
  virtual bool post_callback(int32_t pool, int32_t number, TextBuffer& text) = 0;
};

// Drops what a binary item holds, when it did not become JavaScript's.
void discard(BinaryItem& item);

}  // namespace rxp
