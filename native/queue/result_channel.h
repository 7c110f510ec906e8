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

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "queue/result_sink.h"

namespace rxp {

// Text: meta holds, for each call, its id, its status, the number of strings, and their lengths in
// code units. Binary: meta holds id, status, count; items follow. Output: meta holds the stream.
// Callback: its number, and whether the text holds escaped values.
struct ResultBlock {
  BlockKind kind = BlockKind::kText;
  int32_t pool = 0;
  TextBuffer text;
  std::vector<int32_t> meta;
  std::vector<BinaryItem> items;
};

class ResultChannel final : public ResultSink {
 public:
  class Waker {
   public:
    virtual ~Waker() = default;
    virtual void wake() = 0;  // called with the channel's lock held; must not block
  };

  explicit ResultChannel(Waker* waker) : waker_(waker) {}
  ~ResultChannel() override;

  void post_text(int32_t pool, int32_t call, ResultStatus status, TextBuffer& text,
                 std::vector<int32_t>& lengths) override;
  void post_binary(int32_t pool, int32_t call, std::vector<BinaryItem>& items) override;
  void post_output(int32_t pool, BlockKind kind, int32_t stream, TextBuffer& text) override;
  bool post_callback(int32_t pool, int32_t number, TextBuffer& text) override;
  // Wakes the JavaScript thread for other work of its own.
  void nudge();

  // JavaScript thread only: waits until there is something to take, or so long. False when there is
  // not. No interpreter waits for the thread meanwhile, and it takes no GIL (rule T4).
  bool wait(std::chrono::milliseconds most);
  // JavaScript thread only. Null when nothing is left; the next post wakes again.
  ResultBlock* front();
  void pop();  // frees what front() returned
  void close();

 private:
  ResultBlock* append(std::unique_ptr<ResultBlock> block);
  std::unique_ptr<ResultBlock> fresh();
  void signal();
  void spin();

  std::mutex mutex_;
  std::condition_variable posted_;
  bool waiting_ = false;
  std::atomic<bool> filled_{false};  // since the wait began
  Waker* waker_;
  std::deque<std::unique_ptr<ResultBlock>> blocks_;
  std::vector<std::unique_ptr<ResultBlock>> spare_;
  bool front_taken_ = false;
  bool signalled_ = false;
  bool closed_ = false;
};

}  // namespace rxp
