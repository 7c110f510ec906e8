// A joined text and lengths that may or may not fit it.
#include "codec/string_codec.h"
#include "fuzz/fuzz.h"

namespace rxp::fuzz {
namespace {

class Text final : public Target {
 public:
  explicit Text(Runtime& runtime) : api_(runtime.api()), codec_(api_) {}

  void run(Input input) override {
    bool narrow = (input.byte() & 1) != 0;
    size_t count = input.below(40);
    bool fit = (input.byte() & 3) != 0;
    std::vector<int32_t> lengths(count);
    size_t sum = 0;
    for (int32_t& length : lengths) {
      length = fit ? static_cast<int32_t>(input.below(24)) : static_cast<int32_t>(input.size());
      sum += static_cast<size_t>(length);
    }
    size_t units = input.left() / (narrow ? 1 : 2);
    std::unique_ptr<char[]> bytes(new char[narrow && units > 0 ? units : 1]);
    std::unique_ptr<char16_t[]> wide(new char16_t[!narrow && units > 0 ? units : 1]);
    void* memory = narrow ? static_cast<void*>(bytes.get()) : wide.get();
    if (units > 0) std::memcpy(memory, input.rest(), units * (narrow ? 1 : 2));
    TextView text{memory, units, narrow};
    PyRef list(api_, codec_.decode(text, lengths.data(), static_cast<int32_t>(count)));
    if (!list) {
      CHECK(api_.PyErr_Occurred() != nullptr);
      api_.PyErr_Clear();
      // One length alone may go too far, a negative one as well.
      CHECK(!fit || sum > units);
      return;
    }
    CHECK(sum <= units);
    TextBuffer back;
    std::vector<int32_t> measured;
    CHECK(codec_.encode(list.get(), back, measured) == -1);
    CHECK(measured == lengths && back.size() == sum);
    TextView view = back.view();
    for (size_t i = 0; i < sum; i++) CHECK(unit(view, i) == unit(text, i));
    control(text);
  }

 private:
  static char16_t unit(TextView text, size_t at) {
    return text.narrow ? text.bytes()[at] : text.units()[at];
  }

  // As the text of a request.
  void control(TextView text) {
    PyRef string(api_, make_string(api_, codec_.narrowed(text)));
    CHECK(string);
    TextBuffer back;
    CHECK(append_string(api_, string.get(), back) && back.size() == text.size);
  }

  const PythonApi& api_;
  StringCodec codec_;
};

}  // namespace

std::unique_ptr<Target> text_target(Runtime& runtime) { return std::make_unique<Text>(runtime); }

}  // namespace rxp::fuzz
