// The native core without Node: pools, queues, channels and memory, driven from several threads at
// once. Made for sanitizers; it checks results too.
//
//   core_test LIBPYTHON EXECUTABLE PYTHON_DIR [shared|namespace] [ROUNDS]
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "buffer/exported.h"
#include "core/script.h"

namespace rxp::test {
namespace {

RuntimeOptions options;
int rounds = 1;

constexpr const char* kUpper = "def handle(batch):\n  return [item.upper() for item in batch]\n";
// Some microseconds of bytecode, in which an interrupt can strike.
constexpr const char* kShort =
    "def handle(batch):\n"
    "  total = 0\n"
    "  for value in range(len(batch[0]) * 300):\n"
    "    total += value\n"
    "  return [item.upper() for item in batch]\n";
// Endless, with calls into the C library: a sanitizer holds signals back until there is one.
constexpr const char* kLoop =
    "import time\n"
    "def handle(batch):\n"
    "  print('started', flush=True)\n"
    "  while True:\n"
    "    time.sleep(0)\n";
constexpr const char* kPrint =
    "import threading\n"
    "def handle(batch):\n"
    "  other = threading.Thread(target=print, args=('other',))\n"
    "  other.start()\n"
    "  print(batch[0])\n"
    "  other.join()\n"
    "  return batch\n";
// Endless writes through the batch's own view, and through one that was derived from it.
constexpr const char* kWrite =
    "import time\n"
    "def handle(batch):\n"
    "  print('started', flush=True)\n"
    "  part = batch[0][1:]\n"
    "  while True:\n"
    "    batch[0][0] = 1\n"
    "    part[0] = 2\n"
    "    time.sleep(0)\n";
constexpr const char* kKeep =
    "kept = []\n"
    "def handle(batch):\n"
    "  kept.append(batch[0][:10])\n"
    "  return batch\n";
// Large results that count themselves while they are alive; asked by a small batch.
constexpr const char* kCounted =
    "import gc\n"
    "class Counted(bytearray):\n"
    "  alive = 0\n"
    "  def __init__(self, size):\n"
    "    super().__init__(size)\n"
    "    Counted.alive += 1\n"
    "  def __del__(self):\n"
    "    Counted.alive -= 1\n"
    "def handle(batch):\n"
    "  if len(batch[0]) == 1:\n"
    "    return [bytes([Counted.alive])]\n"
    "  return [Counted(100_000)]\n";

void in_threads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) threads.emplace_back(body, i);
  for (auto& thread : threads) thread.join();
}

void pause(int microseconds) {
  auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
}

// Several threads with pools of their own, many calls in flight.
void test_calls() {
  in_threads(3, [](int thread) {
    Script script(options);
    auto pool = script.open(2);
    int32_t upper = script.handler(*pool, kUpper);
    for (int round = 0; round < 20 * rounds; round++) {
      std::vector<int32_t> calls;
      for (int i = 0; i < 20; i++) {
        calls.push_back(script.call(*pool, upper, "item-" + std::to_string(thread * 100 + i)));
      }
      for (int i = 0; i < 20; i++) {
        Result result = script.result(calls[static_cast<size_t>(i)]);
        CHECK(result.ok && result.text == "ITEM-" + std::to_string(thread * 100 + i));
      }
    }
    script.close(*pool);
  });
}

// A call is cancelled at any moment; the next one takes its number, and must not be hit.
void test_cancel() {
  in_threads(2, [](int thread) {
    Script script(options);
    auto pool = script.open();
    int32_t handler = script.handler(*pool, kShort);
    unsigned random = 77u + static_cast<unsigned>(thread);
    for (int round = 0; round < 300 * rounds; round++) {
      random = random * 1664525u + 1013904223u;
      std::string item(1 + (random >> 8) % 10, 'a');
      int32_t cancelled = script.call(*pool, handler, item);
      pause(static_cast<int>((random >> 16) % 300));
      if (script.cancel(*pool, cancelled)) {
        Result result = script.result(cancelled);
        CHECK(result.ok || result.text.find("Interrupted") != std::string::npos);
      }
      int32_t next = script.call(*pool, handler, item);
      CHECK(next == cancelled);
      Result result = script.result(next);
      if (!result.ok) std::fprintf(stderr, "%s\n", result.text.c_str());
      CHECK(result.ok && result.text == std::string(item.size(), 'A'));
    }
    script.close(*pool);
  });
}

// What runs is stopped, what waits is taken back, and the interpreter goes on.
void test_stop_running() {
  Script script(options);
  auto pool = script.open();
  int32_t loop = script.handler(*pool, kLoop);
  int32_t upper = script.handler(*pool, kUpper);
  for (int round = 0; round < 5 * rounds; round++) {
    size_t before = script.output();
    int32_t running = script.call(*pool, loop, "x");
    int32_t waiting = script.call(*pool, upper, "y");
    script.wait_for_output(before + 7);
    CHECK(!script.cancel(*pool, waiting));
    CHECK(script.cancel(*pool, running));
    Result result = script.result(running);
    CHECK(!result.ok && result.text.find("ERR_INTERRUPTED") != std::string::npos);
    CHECK(script.result(script.call(*pool, upper, "z")).text == "Z");
  }
  script.close(*pool);
}

// Pools come and go on several threads; whoever waits for an interpreter's end gets it.
void test_open_and_close() {
  in_threads(3, [](int) {
    for (int round = 0; round < 5 * rounds; round++) {
      Script script(options);
      auto pool = script.open(1 + round % 2);
      int32_t upper = script.handler(*pool, kUpper);
      int32_t call = script.call(*pool, upper, "last");
      CHECK(script.result(call).text == "LAST");
      script.close(*pool);
    }
  });
}

// print() from handlers, and from threads that they start.
void test_output() {
  in_threads(2, [](int) {
    Script script(options);
    auto pool = script.open();
    int32_t handler = script.handler(*pool, kPrint);
    for (int round = 0; round < 20 * rounds; round++) {
      CHECK(script.result(script.call(*pool, handler, "hello")).ok);
    }
    script.wait_for_output(static_cast<size_t>(20 * rounds) * 6);
    script.close(*pool);
  });
}

// Python's memory is given back on any thread, and freed on its own.
void test_reaper() {
  Script script(options);
  auto pool = script.open();
  int32_t handler = script.handler(*pool, kCounted, CodecKind::kBuffer);
  MemoryBlock* small = MemoryBlock::allocate(1);
  MemoryBlock* large = MemoryBlock::allocate(2);
  auto alive = [&] {
    small->retain();
    Result result = script.result(script.call(*pool, handler, small));
    CHECK(result.items.size() == 1 && result.items[0].block != nullptr);
    char count = result.items[0].block->data()[result.items[0].offset];
    discard(result.items[0]);
    return static_cast<int>(count);
  };
  std::vector<BinaryItem> held;
  for (int i = 0; i < 20; i++) {
    large->retain();
    Result result = script.result(script.call(*pool, handler, large));
    CHECK(result.items.size() == 1 && result.items[0].exported != nullptr);
    std::memset(result.items[0].exported->data, i, result.items[0].size);
    held.push_back(result.items[0]);
  }
  CHECK(alive() == 20);
  in_threads(4, [&](int thread) {
    for (int i = 0; i < 5; i++) discard(held[static_cast<size_t>(thread * 5 + i)]);
  });
  // What is given back while a call is on its way may be freed only after that call.
  int left = alive();
  if (left > 0) left = alive();
  CHECK(left == 0);
  small->release();
  large->release();
  script.close(*pool);
}

// A JavaScript thread goes away, with the memory that Python writes into: when abandon() has
// returned, that memory may be freed.
void test_abandon() {
  in_threads(2, [](int) {
    for (int round = 0; round < 3 * rounds; round++) {
      std::atomic<int> undone{0};
      auto memory = std::make_unique<std::vector<char>>(4096);
      auto script = std::make_unique<Script>(options);
      auto pool = script->open();
      int32_t handler = script->handler(*pool, kWrite, CodecKind::kBuffer);
      MemoryBlock* block = MemoryBlock::pin(
          memory->data(), memory->size(),
          [](void* context) { static_cast<std::atomic<int>*>(context)->fetch_add(1); }, &undone);
      block->retain();
      script->call(*pool, handler, block);
      script->call(*pool, handler, block);  // waits behind the first
      script->wait_for_output(7);
      script->channel().close();
      pool->abandon();
      while (undone.load() == 0) std::this_thread::yield();
      memory.reset();
      script.reset();
      pool.reset();
    }
  });
}

// Rule M4: what was transferred goes back as it is, unless Python kept some of it.
void test_transferred() {
  Script script(options);
  auto pool = script.open();
  int32_t same = script.handler(*pool, "def handle(batch): return batch\n", CodecKind::kBuffer);
  int32_t keep = script.handler(*pool, kKeep, CodecKind::kBuffer);
  for (int32_t handler : {same, keep}) {
    MemoryBlock* block = MemoryBlock::allocate(10'000);
    std::memset(block->data(), 5, block->size());
    Result result = script.result(script.call(*pool, handler, block, true));
    CHECK(result.items.size() == 1 && result.items[0].size == 10'000);
    BinaryItem& item = result.items[0];
    if (handler == same) {
      CHECK(item.alias == 0);
    } else {
      CHECK(item.alias < 0 && item.block != nullptr && item.block->data()[9'999] == 5);
      discard(item);
    }
  }
  script.close(*pool);
}

// Blocks are found, held and dropped by several threads at once.
void test_memory() {
  for (int round = 0; round < 50 * rounds; round++) {
    MemoryBlock* block = MemoryBlock::allocate(64);
    char* data = block->data();
    CHECK(reinterpret_cast<uintptr_t>(data) % 64 == 0 && data[63] == 0);
    in_threads(3, [&](int thread) {
      if (thread == 0) return block->release();
      if (MemoryBlock* found = MemoryBlock::find(data)) found->release();
    });
    CHECK(MemoryBlock::find(data) == nullptr);
  }
}

// A runtime that cannot start, or that nobody may have, is an answer and not a crash.
void test_failures() {
  RuntimeOptions wrong = options;
  const char* code = "ERR_PYTHON_CONFLICT";
  if (options.isolation == Isolation::kShared) {
    wrong.executable += "-another";
  } else {
    wrong.library = "/nowhere/libpython.so";
    code = "ERR_NAMESPACE";
  }
  Script script(wrong);
  std::string error = script.failure();
  CHECK(error.find(code) != std::string::npos);
}

void run(const char* name, void (*test)()) {
  std::printf("%s\n", name);
  std::fflush(stdout);
  test();
}

}  // namespace
}  // namespace rxp::test

int main(int argc, char** argv) {
  using namespace rxp::test;
  if (argc < 4) {
    std::fprintf(stderr, "usage: core_test LIBPYTHON EXECUTABLE PYTHON_DIR [ISOLATION] [ROUNDS]\n");
    return 2;
  }
  options.library = argv[1];
  options.executable = argv[2];
  options.python_dir = argv[3];
  bool separate = argc > 4 && std::strcmp(argv[4], "namespace") == 0;
  options.isolation = separate ? rxp::Isolation::kNamespace : rxp::Isolation::kShared;
  if (argc > 5) rounds = std::atoi(argv[5]);
  run("memory", test_memory);
  run("calls", test_calls);
  run("cancel", test_cancel);
  run("stop running", test_stop_running);
  run("open and close", test_open_and_close);
  run("output", test_output);
  run("reaper", test_reaper);
  run("transferred", test_transferred);
  run("abandon", test_abandon);
  run("failures", test_failures);
  std::printf("core, %s: ok\n", separate ? "namespace" : "shared");
  return 0;
}
