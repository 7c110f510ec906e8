// The whole of a worker process: reads calls from the ring and has its Python run them.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "interpreter/interpreter.h"
#include "interpreter/runtime.h"
#include "interpreter/workplace.h"
#include "process/link.h"
#include "process/mapped_blocks.h"
#include "process/worker_sink.h"

namespace rxp {

// Lives on Python's main thread, with the GIL held.
class Worker final : public Workplace, public CallbackWaiter {
 public:
  Worker(Runtime& runtime, std::unique_ptr<Link> link);

  // Serves calls until the pool says stop. Where the pool has gone, the process ends in here.
  void serve();

  int32_t pool_id() const override { return pool_; }
  std::shared_ptr<ResultSink> sink() override { return sink_; }
  const std::string& host_options() const override { return host_options_; }
  HandlerDefinition handler(int32_t id) override;
  void answering(const Call& call) override { sink_->begin(call); }

  int seat() const override { return 0; }
  bool wait(int32_t number, CallbackDesk::Clock::time_point until, bool serve) override;
  std::function<void()> waker() override;

 private:
  bool wait();
  void linger();
  // Deals with one message; false when there is none.
  bool step();
  enum class Nested { kNothing, kMessage, kCall };
  Nested nested_step();
  void give_place_up();
  // Whether a message is whole, and what it names is there.
  bool fits(const char* message) const;
  bool dispatch(char* message);
  void start(char* message);
  void define(char* message);
  void run(char* message);
  bool run(char* message, Call& call, char* body);
  // Lets the event loop run until a message comes or a batch in flight has ended.
  void fly();
  void end(Call& call, uint32_t block);
  // Whether a message is a call that has to wait for its turn.
  bool waits(const char* message, bool nested) const;
  char* body_of(char* message, size_t message_size, const Body& body);

  Runtime& runtime_;
  const PythonApi& api_;
  std::unique_ptr<Link> link_;
  std::shared_ptr<WorkerSink> sink_;
  int32_t pool_ = 0;
  std::string host_options_;
  std::unordered_map<int32_t, HandlerDefinition> handlers_;
  std::unique_ptr<Interpreter> interpreter_;
  MappedBlocks blocks_;

  bool reading_ = false;  // the message that was read last still has its place in the ring
  bool stopping_ = false;
  int vain_ = 0;                             // how often nothing came while it lingered, in a row
  int skip_ = 0;                             // how often it does not linger
  std::deque<std::vector<char>> postponed_;  // calls for after the one that waits for a callback
  const int woken_;                          // an event descriptor that ends a wait for a callback
  struct Flight {
    std::unique_ptr<Call> call;
    uint32_t block;
  };
  std::unordered_map<uint64_t, Flight> flights_;
  int32_t announced_ = 0;  // the last callback that the pool knows we wait for
};

}  // namespace rxp
