// What the fuzzing targets share. A target turns any bytes into work for one native entry, and
// aborts where the entry did not do what it promises; a sanitizer sees the rest.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "interpreter/runtime.h"

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

namespace rxp::fuzz {

// An input read as numbers; zeros when it is used up.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }
  size_t left() const { return left_; }
  const uint8_t* rest() const { return data_; }
  template <typename Number>
  Number take() {
    Number value = 0;
    size_t size = left_ < sizeof value ? left_ : sizeof value;
    if (size > 0) std::memcpy(&value, data_, size);
    data_ += size;
    left_ -= size;
    return value;
  }
  uint8_t byte() { return take<uint8_t>(); }
  // Below `limit`.
  uint32_t below(uint32_t limit) { return take<uint16_t>() % limit; }
  // Mostly small, sometimes at an edge of what a number can be.
  uint64_t size() {
    static constexpr uint64_t kEdges[] = {0,           1,          7,           8,
                                          16,          64,         0x7f,        0xff,
                                          0xfff0,      0xffff,     128 << 10,   (128 << 10) + 1,
                                          1 << 20,     0x7fffffff, 0x80000000u, 0xfffffff0u,
                                          0xffffffffu, 1ull << 40, 1ull << 63,  ~uint64_t{0}};
    uint8_t way = byte();
    if (way < 160) return way % 48;
    if (way < 200) return take<uint32_t>() % 4096;
    if (way < 245) return kEdges[byte() % std::size(kEdges)];
    return take<uint64_t>();
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

class Target {
 public:
  virtual ~Target() = default;
  virtual void run(Input input) = 0;
};

// Made and run on a thread of the runtime, with its GIL held.
std::unique_ptr<Target> json_target(Runtime& runtime);
std::unique_ptr<Target> text_target(Runtime& runtime);
std::unique_ptr<Target> values_target(Runtime& runtime);
std::unique_ptr<Target> responses_target(Runtime& runtime);
std::unique_ptr<Target> requests_target(Runtime& runtime);

// Runs `one` with changing inputs, like libFuzzer's driver, which takes its place where there is
// one. Arguments: -max_total_time=SECONDS -seed=N -artifact_prefix=PATH and files or folders of
// inputs; of files alone each is run once.
int drive(int argc, char** argv, int (*one)(const uint8_t*, size_t));

}  // namespace rxp::fuzz
