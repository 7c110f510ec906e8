// Where the interpreter of a worker process puts its results: the ring back to the pool.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "process/link.h"
#include "process/shared_block.h"
#include "queue/call.h"
#include "queue/result_sink.h"

namespace rxp {

// Any thread of the worker may post output; results come from the main thread.
class WorkerSink final : public ResultSink {
 public:
  explicit WorkerSink(Link& link) : link_(link) {}

  void post_text(int32_t pool, int32_t call, ResultStatus status, TextBuffer& text,
                 std::vector<int32_t>& lengths) override;
  void post_binary(int32_t pool, int32_t call, std::vector<BinaryItem>& items) override;
  void post_output(int32_t pool, BlockKind kind, int32_t stream, TextBuffer& text) override;
  bool post_callback(int32_t pool, int32_t number, TextBuffer& text) override;
  void say_waiting(int32_t callback);
  void say_in_flight(uint64_t ticket, bool full);
  void at_first_callback(std::function<void()> listen) { listen_ = std::move(listen); }

  // The call that results belong to from now on; its time is measured from here.
  void begin(const Call& call);
  // A call that runs inside another one stands between save() and restore().
  struct Place {
    uint64_t ticket;
    uint64_t began;
  };
  Place save() const { return {ticket_, began_}; }
  void restore(const Place& place);
  // About blocks.
  void say_block(MessageType type, uint32_t block, size_t size);
  bool take_back(uint32_t block);

  // A copy of this process (os.fork) shares the ring, and must not write into it.
  static std::atomic<bool> forked;

 private:
  char* reserve(size_t size, MessageType type);
  void publish();
  // Room for a message and its body. Null when there is no memory.
  char* place(size_t message_size, MessageType type, size_t body_size, Body& body, char** data);
  uint64_t nanoseconds() const;

  Link& link_;
  std::mutex mutex_;
  BlockStore ours_;
  std::function<void()> listen_;
  uint64_t ticket_ = kStartTicket;
  uint64_t began_ = 0;
};

}  // namespace rxp
