// How a pool and its worker processes talk: two rings of messages in shared memory, a socket that
// wakes whoever waits and passes descriptors, and blocks of shared memory for what is large.
//
// P1  A message is read where it lies; its place is given up when it has been dealt with.
// P2  What a worker writes is data to the pool: sizes and offsets are copied, then checked, then
//     used. A message that does not fit ends that worker, and nothing else.
// P3  The shared memory has no name and belongs to this user alone: sealed memory files, passed on
//     by descriptor.
// P4  A block is used again by the side that made it, once the other side has given it back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rxp {

// Descriptors of a worker process.
inline constexpr int kSocketDescriptor = 3;
inline constexpr int kMemoryDescriptor = 4;
inline constexpr int kFaultDescriptor = 5;

inline constexpr uint64_t kStartTicket = 0;  // calls have others

enum class MessageType : uint32_t {
  kPadding = 0,  // the rest of the ring up to its end
  // To the worker.
  kStart = 1,
  kCall = 2,
  kDefine = 3,
  kStop = 4,
  kCancel = 5,  // a batch in flight is asked to stop
  // From the worker.
  kText = 16,
  kBinary = 17,
  kOutput = 18,
  kCallback = 19,      // a request to JavaScript
  kCallbackWait = 20,  // the main thread waits for its answer, and runs calls meanwhile
  kInFlight = 21,      // a call of an async handler has begun, and others may run beside it
  // Both ways, about blocks.
  kMap = 32,       // a new block; its descriptor came over the socket before
  kUnmap = 33,     // its maker has done away with it
  kGiveBack = 34,  // the side that was given it uses it no more
};

struct MessageHeader {
  uint32_t size;  // of the whole message, a multiple of kAlignment
  MessageType type;
};
inline constexpr size_t kAlignment = 16;
constexpr size_t aligned(size_t size) { return (size + kAlignment - 1) & ~(kAlignment - 1); }

// Numbers, texts and bytes that belong to a message: behind it, or when they are large in a block.
struct Body {
  uint64_t size;
  uint32_t block;  // 0: behind the message
  uint32_t reserved;
};
// Instead of a block's number, beside a descriptor: the socket that answers to callbacks come by.
inline constexpr uint32_t kAnswerLine = 0x7fffffffu;
// Set in the numbers of blocks that pool.allocate() made; the others are a session's own.
inline constexpr uint32_t kAllocatedBlock = 0x80000000u;
// What goes behind a message; more goes into a block.
inline constexpr size_t kInlineLimit = 128 << 10;

// Where the parts of a body that JavaScript or numpy may look at directly begin.
inline constexpr size_t kPartAlignment = 64;
constexpr size_t part_aligned(size_t size) {
  return (size + kPartAlignment - 1) & ~(kPartAlignment - 1);
}

struct StartMessage {  // body: the host's options, UTF-8
  MessageHeader header;
  int32_t pool;
  int32_t reserved;
  Body body;
};

// Whoever changes a call's claim first decides whether it runs. Claims lie apart from the messages,
// whose places the worker gives up when it waits for a callback. A claim has its call's ticket in
// it, so a message whose call was withdrawn never takes the claim of a later one.
enum class Claim : uint64_t { kWaiting = 0, kTaken = 1, kWithdrawn = 2 };
constexpr uint64_t claim_of(uint64_t ticket, Claim claim) {
  return ticket << 2 | static_cast<uint64_t>(claim);
}
inline constexpr uint32_t kClaims = 256;  // calls that a worker holds at a time

// Body of a text: `lengths` lengths, then at text_at the text. Of a binary batch: `segments`
// SegmentRecords, then their bytes.
struct CallMessage {
  MessageHeader header;
  uint64_t ticket;
  uint32_t claim;  // where its claim lies
  int32_t within;  // the worker's callback that made it, -1 for another's, 0 for none
  int32_t call;
  int32_t handler;
  int32_t count;
  uint32_t kind;
  uint32_t narrow;
  uint32_t lengths;
  uint32_t segments;
  uint64_t text_at;
  uint64_t units;
  Body body;
};

inline constexpr int32_t kArrayTypes = 11;  // of napi_typedarray_type

struct SegmentRecord {
  uint32_t block;  // one of pool.allocate(); 0: in the body
  int32_t type;
  uint64_t offset;
  uint64_t size;
};

struct DefineMessage {  // body: the request, UTF-16
  MessageHeader header;
  int32_t handler;
  uint32_t codec_in;
  uint32_t codec_out;
  uint32_t exact;
  uint32_t async_limit;
  uint32_t reserved;
  uint64_t units;
  Body body;
};

struct FlightMessage {  // also of kCancel
  MessageHeader header;
  uint64_t ticket;
  uint32_t full;  // no further one is to come yet
  uint32_t reserved;
};

struct BlockMessage {
  MessageHeader header;
  uint32_t block;
  uint32_t reserved;
  uint64_t size;
  uint64_t reserved2;
};

// Body: lengths, then at text_at the text.
struct TextMessage {
  MessageHeader header;
  uint64_t ticket;
  int32_t status;
  uint32_t narrow;
  uint64_t lengths;
  uint64_t text_at;
  uint64_t units;
  uint64_t nanoseconds;  // that the call took
  Body body;
};

// Body: ItemRecords, then at data_at their bytes.
struct BinaryMessage {
  MessageHeader header;
  uint64_t ticket;
  uint64_t items;
  uint64_t data_at;
  uint64_t nanoseconds;
  Body body;
};

struct ItemRecord {
  int32_t alias;  // index of the input that the bytes lie in; -1: in the body, from data_at on
  int32_t type;
  uint64_t offset;
  uint64_t size;
};

struct OutputMessage {  // body: the text
  MessageHeader header;
  int32_t kind;
  int32_t stream;
  uint32_t narrow;
  uint32_t reserved;
  uint64_t units;
  Body body;
};

struct CallbackMessage {  // body: the text
  MessageHeader header;
  int32_t number;
  uint32_t specials;
  uint32_t narrow;
  uint32_t reserved;
  uint64_t units;
  Body body;
};

struct CallbackWaitMessage {
  MessageHeader header;
  int32_t number;
  uint32_t reserved;
};

// Positions in bytes since the start; each is written by one side only.
struct alignas(64) RingState {
  std::atomic<uint64_t> written;
  char padding1[56];
  std::atomic<uint64_t> read;
  char padding2[56];
  std::atomic<uint32_t> reader_waits;
  char padding3[60];
};

// At the start of the memory file; the bytes of both rings follow.
struct alignas(64) SharedState {
  std::atomic<uint64_t> running;      // ticket of the call that runs; written by the worker
  std::atomic<uint64_t> interrupted;  // ticket of the call to stop; written by the pool
  int32_t parent;                     // process id of the pool
  int32_t reserved;
  RingState requests;
  RingState responses;
  std::atomic<uint64_t> claims[kClaims];
};
inline constexpr size_t kRingSize = 1 << 20;
inline constexpr size_t kSharedSize = sizeof(SharedState) + 2 * kRingSize;
static_assert(sizeof(SharedState) % 64 == 0);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace rxp
