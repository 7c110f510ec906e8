// Stands for one JavaScript thread in the native tests: makes calls with numbers that are used
// again, sleeps until the channel wakes it, and takes results.
#pragma once

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "interpreter/pool.h"

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

namespace rxp::test {

struct Result {
  bool ok = false;
  std::string text;  // all strings joined, or the error report
  std::vector<BinaryItem> items;
};

class Script : public ResultChannel::Waker {
 public:
  explicit Script(const RuntimeOptions& options);
  ~Script() override;

  void wake() override;

  // Opens a pool and waits for its interpreters.
  std::shared_ptr<Pool> open(int size = 1);
  // A pool whose interpreters `make` makes.
  std::shared_ptr<Pool> elsewhere(Pool::RemoteFactory make);
  // Opens a pool that cannot start, and gives the error's report.
  std::string failure();
  // Stops the interpreters and waits until they have gone.
  void close(Pool& pool);
  // Loads a function from its source in every interpreter that has a host of its own.
  int32_t handler(Pool& pool, const std::string& source, CodecKind codec = CodecKind::kString);

  // Make a call and give its number. A block's reference is taken over.
  int32_t call(Pool& pool, int32_t handler, const std::string& item);
  int32_t call(Pool& pool, int32_t handler, const std::vector<std::string>& items);
  int32_t call(Pool& pool, int32_t handler, const std::string& json, int32_t count);
  int32_t call(Pool& pool, int32_t handler, MemoryBlock* block, bool detachable = false);
  int32_t control(Pool& pool, int seat, const std::string& request);
  // Takes a call back or interrupts it. False when no result will come.
  bool cancel(Pool& pool, int32_t number);

  // Waits for a call's result; its number is free then.
  Result result(int32_t number);
  // Waits until Python has printed this many characters on this thread's pools.
  void wait_for_output(size_t characters);
  size_t output() const { return output_; }

  ResultChannel& channel() { return *channel_; }

 private:
  int32_t number();
  void take_all();
  void take_text(const ResultBlock& block);
  void sleep();

  RuntimeOptions options_;
  std::shared_ptr<ResultChannel> channel_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
  std::map<int32_t, Result> results_;
  std::vector<int32_t> free_;
  int32_t next_ = 1;
  int32_t next_pool_ = 1;
  int32_t next_handler_ = 0;
  size_t output_ = 0;
  std::map<const Pool*, std::vector<int>> seats_;
};

}  // namespace rxp::test
