// How a pool and its worker processes talk: two rings of messages in shared memory, a socket that
// wakes whoever waits and passes descriptors, and blocks of shared memory for what is large.
//
// P1  A message is read where it lies; it is given up only when it has been dealt with.
// P2  What a worker writes is data to the pool: sizes and offsets are checked before they are used,
//     and a message that does not fit ends that worker, nothing else.
// P3  The shared memory has no name: memory files, passed over the socket, of this user alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rxp {

enum class MessageType : uint32_t {
  kPadding = 0,  // the rest of the ring up to its end
  // To the worker.
  kCall = 1,     // CallMessage, then lengths, text or segments
  kDefine = 2,   // DefineMessage, then the request that opens the handler
  kStop = 3,
  kUnmap = 4,    // a block is gone
  // From the worker.
  kReady = 16,   // ReadyMessage, then a text
  kBlock = 17,   // BlockMessage, then meta, items, text
  kDone = 18,    // a call has come to its end
  kRelease = 19, // a block that the pool lent is not used any more
};

struct MessageHeader {
  uint32_t size;  // of the whole message, a multiple of 16
  MessageType type;
  int32_t call;
  uint32_t reserved;
};

// Shared by both sides, at the start of the memory file.
struct SharedState {
  static constexpr uint32_t kMagic = 0x52585031;
  uint32_t magic;
  uint32_t ring_size;
  std::atomic<int32_t> running_call;      // written by the worker
  std::atomic<int32_t> interrupted_call;  // written by the pool
};

// Positions in bytes since the start; each is written by one side only.
struct alignas(64) RingState {
  std::atomic<uint64_t> written;
  char padding1[56];
  std::atomic<uint64_t> read;
  char padding2[56];
  std::atomic<uint32_t> reader_waits;
  std::atomic<uint32_t> writer_waits;
};

}  // namespace rxp
