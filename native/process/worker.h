// The whole of a worker process: reads calls from the ring and has its Python run them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "interpreter/interpreter.h"
#include "interpreter/runtime.h"
#include "interpreter/workplace.h"
#include "process/link.h"
#include "process/worker_sink.h"

namespace rxp {

// Lives on Python's main thread, with the GIL held.
class Worker final : public Workplace {
 public:
  Worker(Runtime& runtime, std::unique_ptr<Link> link);

  // Serves calls until the pool says stop. Where the pool has gone, the process ends in here.
  void serve();

  int32_t pool_id() const override { return pool_; }
  std::shared_ptr<ResultSink> sink() override { return sink_; }
  const std::string& host_options() const override { return host_options_; }
  HandlerDefinition handler(int32_t id) override;

 private:
  // A block of the pool's, mapped here. Python objects may use it from any thread.
  struct Mapped {
    std::unique_ptr<SharedBlock> block;
    int users = 0;
    bool doomed = false;  // the pool has done away with it
  };
  bool wait();
  bool fits(const char* message);
  bool dispatch(char* message);
  void start(char* message);
  void define(char* message);
  void run(char* message);
  void run(char* message, Call& call, char* body);
  void map_block(uint32_t id, size_t size);
  void unmap_block(uint32_t id);
  char* use_block(uint32_t id);
  void drop_block(uint32_t id);
  char* body_of(char* message, size_t message_size, const Body& body);
  MemoryBlock* lend(uint32_t block, char* data, size_t size);

  Runtime& runtime_;
  const PythonApi& api_;
  std::unique_ptr<Link> link_;
  std::shared_ptr<WorkerSink> sink_;
  int32_t pool_ = 0;
  std::string host_options_;
  std::unordered_map<int32_t, HandlerDefinition> handlers_;
  std::unique_ptr<Interpreter> interpreter_;
  std::mutex blocks_mutex_;
  std::unordered_map<uint32_t, Mapped> blocks_;
};

}  // namespace rxp
