// A small fuzzing driver for compilers that bring none: inputs are changed blindly, without knowing
// what they reach. Each one that ends the program is left behind as a file.
#include <dirent.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "fuzz/fuzz.h"

extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace rxp::fuzz {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kLongest = 4096;
constexpr size_t kKept = 512;  // inputs that further ones are made of

Bytes current;
std::string artifact = "./";

void leave_input() {
  std::ofstream(artifact + "crash-" + std::to_string(getpid()), std::ios::binary)
      .write(reinterpret_cast<const char*>(current.data()),
             static_cast<std::streamsize>(current.size()));
}

Bytes contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// False when it is not a folder.
bool read_folder(const std::string& path, std::vector<Bytes>& inputs) {
  DIR* folder = opendir(path.c_str());
  if (folder == nullptr) return false;
  while (dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') inputs.push_back(contents(path + "/" + entry->d_name));
  }
  closedir(folder);
  return true;
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  Bytes next(const std::vector<Bytes>& inputs) {
    Bytes bytes = inputs.empty() || below(8) == 0 ? fresh() : inputs[below(inputs.size())];
    for (size_t changes = 1 + below(6); changes > 0; changes--) change(bytes, inputs);
    if (bytes.size() > kLongest) bytes.resize(kLongest);
    return bytes;
  }
  bool keeps() { return below(64) == 0; }
  size_t below(size_t limit) { return static_cast<size_t>(random_() % limit); }

 private:
  Bytes fresh() {
    Bytes bytes(below(below(16) == 0 ? kLongest : 200));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
    return bytes;
  }

  void change(Bytes& bytes, const std::vector<Bytes>& inputs) {
    static constexpr uint8_t kEdges[] = {0,    1,   0x7f, 0x80, 0xff, '"',
                                         '\\', '[', '{',  'e',  '-',  '0'};
    if (bytes.empty()) {
      bytes = fresh();
      return;
    }
    const size_t at = below(bytes.size());
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        *place = static_cast<uint8_t>(random_());
        return;
      case 1:
        *place = kEdges[below(std::size(kEdges))];
        return;
      case 2:
        *place = static_cast<uint8_t>(*place ^ (1u << below(8)));
        return;
      case 3:
        bytes.insert(place, 1 + below(8), static_cast<uint8_t>(random_()));
        return;
      case 4:
        bytes.erase(place, place + static_cast<std::ptrdiff_t>(1 + below(bytes.size() - at)));
        return;
      default: {  // a part of itself or of another
        const Bytes other = inputs.empty() ? bytes : inputs[below(inputs.size())];
        if (other.empty()) return;
        const size_t from = below(other.size());
        const auto start = other.begin() + static_cast<std::ptrdiff_t>(from);
        bytes.insert(place, start,
                     start + static_cast<std::ptrdiff_t>(1 + below(other.size() - from)));
      }
    }
  }

  std::mt19937_64 random_;
};

}  // namespace

int drive(int argc, char** argv, int (*one)(const uint8_t*, size_t)) {
  double seconds = 10;
  uint64_t seed = 1;
  bool folders = false;
  std::vector<Bytes> inputs;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    const std::string value = argument.substr(argument.find('=') + 1);
    if (argument.rfind("-max_total_time=", 0) == 0) {
      seconds = std::atof(value.c_str());
    } else if (argument.rfind("-seed=", 0) == 0) {
      seed = std::strtoull(value.c_str(), nullptr, 10);
    } else if (argument.rfind("-artifact_prefix=", 0) == 0) {
      artifact = value;
    } else if (argument[0] != '-') {
      bool folder = read_folder(argument, inputs);
      folders = folders || folder;
      if (!folder) inputs.push_back(contents(argument));
    }
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(leave_input);
  for (const Bytes& input : inputs) {
    current = input;
    one(current.data(), current.size());
  }
  uint64_t executions = inputs.size();
  if (inputs.empty() || folders) {
    Mutator mutator(seed);
    const auto until = std::chrono::steady_clock::now() +
                       std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
    while (std::chrono::steady_clock::now() < until) {
      current = mutator.next(inputs);
      one(current.data(), current.size());
      executions++;
      if (!mutator.keeps()) continue;
      if (inputs.size() < kKept) {
        inputs.push_back(current);
      } else {
        inputs[mutator.below(kKept)] = current;
      }
    }
  }
  std::fprintf(stderr, "stat::number_of_executed_units: %llu\n",
               static_cast<unsigned long long>(executions));
  return 0;
}

}  // namespace rxp::fuzz
