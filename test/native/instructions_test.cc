// Batches of one codec through an interpreter, for `npm run instructions`, which counts what
// Interpreter::run executes under callgrind: decoding, the call of an empty handler, encoding.
//
//   instructions_test LIBPYTHON EXECUTABLE PYTHON_DIR CODEC
#include <cstring>
#include <functional>

#include "core/script.h"

// Where counting starts anew; everything before it has filled caches and imported what it needs.
extern "C" __attribute__((noinline)) void rxp_counting_starts() { __asm__ volatile(""); }

namespace rxp::test {
namespace {

constexpr int kWarmUp = 8;
constexpr int kBatches = 32;  // scripts/instructions.ts divides by it
constexpr int kItems = 256;
constexpr size_t kBytes = 4096;

constexpr const char* kIdentity = "def handle(batch):\n  return batch\n";
constexpr const char* kCopies = "def handle(batch):\n  return [bytes(view) for view in batch]\n";
constexpr const char* kFirst = "def handle(array):\n  return array[:1].copy()\n";

std::string record(int index) {
  std::string number = std::to_string(index);
  return "{\"id\":" + number + ",\"name\":\"person " + number +
         "\",\"age\":" + std::to_string(20 + index % 60) + ",\"score\":" + number +
         ".25,\"member\":true,\"note\":null,\"city\":\"Graz\",\"tags\":[\"a\",\"b\"]}";
}

std::vector<std::string> strings() {
  std::vector<std::string> items;
  for (int i = 0; i < kItems; i++) items.push_back(std::string(36, 'x') + std::to_string(1000 + i));
  return items;
}

std::string json_array() {
  std::string text = "[";
  for (int i = 0; i < kItems; i++) text += (i == 0 ? "" : ",") + record(i);
  return text + "]";
}

void measure(Script& script, const std::function<int32_t()>& call, size_t expected) {
  for (int i = 0; i < kWarmUp + kBatches; i++) {
    if (i == kWarmUp) rxp_counting_starts();
    Result result = script.result(call());
    if (!result.ok) std::fprintf(stderr, "%s\n", result.text.c_str());
    CHECK(result.ok && (result.text.size() >= expected || result.items.size() >= expected));
  }
}

void run(Script& script, Pool& pool, const std::string& codec) {
  if (codec == "string") {
    int32_t handler = script.handler(pool, kIdentity);
    auto items = strings();
    measure(script, [&] { return script.call(pool, handler, items); }, kItems * 40);
  } else if (codec == "json") {
    int32_t handler = script.handler(pool, kIdentity, CodecKind::kJson);
    std::string text = json_array();
    measure(script, [&] { return script.call(pool, handler, text, kItems); }, kItems * 40);
  } else if (codec == "buffer" || codec == "array") {
    bool buffer = codec == "buffer";
    int32_t handler = script.handler(pool, buffer ? kCopies : kFirst,
                                     buffer ? CodecKind::kBuffer : CodecKind::kArray);
    measure(script, [&] { return script.call(pool, handler, MemoryBlock::allocate(kBytes)); }, 1);
  } else {
    std::fprintf(stderr, "There is no codec %s.\n", codec.c_str());
    std::exit(2);
  }
}

}  // namespace
}  // namespace rxp::test

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: instructions_test LIBPYTHON EXECUTABLE PYTHON_DIR CODEC\n");
    return 2;
  }
  rxp::RuntimeOptions options;
  options.library = argv[1];
  options.executable = argv[2];
  options.python_dir = argv[3];
  options.isolation = rxp::Isolation::kShared;
  rxp::test::Script script(options);
  auto pool = script.open();
  rxp::test::run(script, *pool, argv[4]);
  script.close(*pool);
  std::printf("instructions, %s: done\n", argv[4]);
  return 0;
}
