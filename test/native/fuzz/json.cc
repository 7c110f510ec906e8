// JSON text of any kind, and whether what was read is written as it was.
#include "codec/json_decode.h"
#include "codec/json_encode.h"
#include "fuzz/fuzz.h"

namespace rxp::fuzz {
namespace {

class Json final : public Target {
 public:
  explicit Json(Runtime& runtime)
      : api_(runtime.api()),
        default_(api_, api_.PyObject_GetAttrString(runtime.host_module(), "json_default")),
        decoder_(api_, runtime.bigint_type()),
        encoder_(api_, runtime.bigint_type(), default_.get(), runtime.result_encode_error()) {}

  void run(Input input) override {
    bool batch = (input.byte() & 1) != 0;
    for (int width = 1; width <= 2; width++) {
      size_t units = input.left() / static_cast<size_t>(width);
      // Memory of exactly the text's size, so that a read behind it shows.
      std::unique_ptr<char16_t[]> aligned(new char16_t[units / (width == 1 ? 2 : 1) + 1]);
      std::unique_ptr<char[]> exact(new char[units > 0 ? units : 1]);
      void* text = width == 1 ? static_cast<void*>(exact.get()) : aligned.get();
      if (units > 0) std::memcpy(text, input.rest(), units * static_cast<size_t>(width));
      decode({text, units, width == 1}, batch);
    }
  }

 private:
  void decode(TextView text, bool batch) {
    PyRef value(api_, batch ? decoder_.decode_batch(text) : decoder_.decode(text));
    if (!value) {
      CHECK(api_.PyErr_Occurred() != nullptr);
      api_.PyErr_Clear();
      return;
    }
    CHECK(api_.PyErr_Occurred() == nullptr);
    TextBuffer first;
    if (!encoder_.encode(value.get(), first)) {
      CHECK(api_.PyErr_Occurred() != nullptr && first.size() == 0);
      api_.PyErr_Clear();
      return;
    }
    if (first.specials) return;  // JavaScript's reader knows those, not this one
    PyRef again(api_, decoder_.decode(first.view()));
    CHECK(again);
    TextBuffer second;
    CHECK(encoder_.encode(again.get(), second));
    // A large float is written without a point, and so comes back as an int that JavaScript has to
    // be told about.
    if (second.specials) return;
    TextView one = first.view();
    TextView other = second.view();
    CHECK(one.size == other.size && one.narrow == other.narrow &&
          std::memcmp(one.data, other.data, one.size * (one.narrow ? 1 : 2)) == 0);
  }

  const PythonApi& api_;
  PyRef default_;
  JsonDecoder decoder_;
  JsonEncoder encoder_;
};

}  // namespace

std::unique_ptr<Target> json_target(Runtime& runtime) { return std::make_unique<Json>(runtime); }

}  // namespace rxp::fuzz
