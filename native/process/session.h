// The pool's side of one life of a worker process: what is said to it, and the blocks that both
// hold.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "interpreter/workplace.h"
#include "process/callback_line.h"
#include "process/link.h"
#include "process/shared_block.h"
#include "queue/call.h"

namespace rxp {

class WorkerSession : public std::enable_shared_from_this<WorkerSession> {
 public:
  // Null with `error` filled when there is no memory or no descriptor.
  static std::shared_ptr<WorkerSession> create(std::string& error);

  // To be used by one thread only, except for what is said below.
  Link& link() { return *link_; }

  // Any thread, the following ones.
  void start(int32_t pool, const std::string& host_options);
  void define(int32_t handler, const HandlerDefinition& definition);
  void stop();
  void cancel(uint64_t ticket);

  // A call that was sent. Its claim is its own until free_claim().
  struct Sent {
    uint32_t claim = 0;
    size_t bytes = 0;
  };
  enum class Answer { kSent, kNoRoom, kNoMemory };
  // `within`: the worker's number of the callback that made the call.
  Answer send(const Call& call, int32_t within, Sent& sent);
  std::atomic<uint64_t>& claim(uint32_t place) { return link_->state().claims[place]; }
  void free_claim(uint32_t place);

  // The answer to a callback. False when it found no room: flush() sends it later.
  bool answer(int32_t number, bool ok, TextView text) { return answers_.send(number, ok, text); }

  // The worker uses one of our blocks no more. False when that cannot be (rule P2).
  bool take_back(uint32_t block);
  // One of the worker's blocks, adopted on `map`; null when there is no such block.
  bool map(uint32_t block, size_t size);
  bool unmap(uint32_t block);
  std::shared_ptr<SharedBlock> theirs(uint32_t block);
  void give_back(uint32_t block);

  // Sends what found no room before. True when nothing is left.
  bool flush();
  bool broken();
  // The process has gone: nothing is written any more.
  void close();

 private:
  WorkerSession() = default;
  void say(const void* message, size_t size, MessageType type, const void* body, size_t body_size);
  void say_block(MessageType type, uint32_t block, size_t size);
  bool write(const std::vector<char>& message);
  bool flush_locked();
  bool introduce(SharedBlock& block);
  bool introduce(MemoryBlock& block);
  Answer place_body(size_t message_size, size_t body_size, char** message, char** body,
                    SharedBlock** block);

  std::mutex mutex_;
  std::unique_ptr<Link> link_;
  AnswerWriter answers_;
  std::vector<uint32_t> free_claims_;
  BlockStore ours_;
  std::unordered_map<uint32_t, std::shared_ptr<SharedBlock>> theirs_;
  std::unordered_set<uint32_t> known_;  // blocks of pool.allocate() that the worker has
  std::deque<std::vector<char>> unsent_;
  bool closed_ = false;
  bool deaf_ = false;  // the worker reads nothing
};

}  // namespace rxp
