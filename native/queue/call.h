// A call on its way to an interpreter, and the envelope that several calls travel in.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "buffer/layout.h"
#include "buffer/memory.h"
#include "codec/text.h"
#include "queue/unit_buffer.h"

namespace rxp {

enum class CodecKind : uint8_t { kString = 0, kJson = 1, kBuffer = 2, kArray = 3, kColumns = 4 };

enum class CallKind : uint8_t {
  kText = 0,     // a batch as text: the string and json codecs
  kBinary = 1,   // a batch as memory: the buffer and array codecs
  kControl = 2,  // a request to the interpreter's host, JSON in and out
  kForget = 3,   // drops this interpreter's reference to a handler
};

// What does not wait for batches: an interpreter does it in the middle of one, if that waits.
constexpr bool is_service(CallKind kind) {
  return kind == CallKind::kControl || kind == CallKind::kForget;
}

// In place of a callback: the JavaScript thread waits for the call, so any interpreter that waits
// for JavaScript may take it, and it goes before others.
inline constexpr int32_t kAwaited = INT32_MAX;

inline constexpr int32_t kMostInFlight = 1 << 16;  // batches of one async handler
inline constexpr int32_t kAnyInterpreter = -1;
// Handlers have the numbers below; interpreters keep a list that long at most.
inline constexpr int32_t kMostHandlers = 1 << 20;

struct Envelope;

// One batch. Lives inside its envelope; is touched by one thread at a time.
struct Call {
  int32_t id = 0;
  uint64_t ticket = 0;  // given by the queue, and never again; JavaScript uses ids again
  int64_t began = 0;    // when it came to run (CallQueue::now); guarded by the queue
  bool beside = false;  // it runs whatever else its seat does; guarded by the queue
  int32_t handler = 0;
  int32_t interpreter = kAnyInterpreter;
  bool keyed = false;  // it would rather be run there, but leaves no state that it needs
  int32_t count = 0;   // items in the batch
  CallKind kind = CallKind::kText;
  // The callback that JavaScript was busy with when it made this call, kAwaited or 0, and the seat
  // whose interpreter may wait for it, or -1 (callback/desk.h).
  int32_t within = 0;
  int asker = -1;
  uint8_t deliveries = 0;            // to worker processes that ended before they had claimed it
  TextView text;                     // all items of this call, joined
  const int32_t* lengths = nullptr;  // `count` lengths in code units; null for other codecs
  std::vector<Segment> segments;
  Layout layout;  // of the first segment, when it is an array with a shape
  Envelope* envelope = nullptr;

  // A batch for a handler that has its state in one interpreter.
  bool stateful() const {
    return interpreter != kAnyInterpreter && !keyed &&
           (kind == CallKind::kText || kind == CallKind::kBinary);
  }
};

// Several calls made in one turn of the JavaScript thread share one text, so that they cost one
// crossing. Freed when the last of its calls is done.
struct Envelope {
  UnitBuffer units;
  std::vector<int32_t> meta;
  std::vector<Call> calls;
  std::atomic<int> open{0};

  void finish_one() {
    if (open.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  ~Envelope() {
    for (auto& call : calls) {
      for (auto& segment : call.segments) {
        if (segment.block != nullptr) segment.block->release();
      }
    }
  }
};

}  // namespace rxp
