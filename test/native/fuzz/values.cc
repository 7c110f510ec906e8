// What a handler may return: any Python value (values.py makes them), through every encoder.
#include "buffer/exported.h"
#include "codec/binary_codec.h"
#include "codec/json_encode.h"
#include "codec/string_codec.h"
#include "fuzz/fuzz.h"

namespace rxp::fuzz {
namespace {

class Values final : public Target {
 public:
  explicit Values(Runtime& runtime)
      : runtime_(runtime),
        api_(runtime.api()),
        default_(api_, api_.PyObject_GetAttrString(runtime.host_module(), "json_default")),
        json_(api_, runtime.bigint_type(), default_.get(), runtime.result_encode_error()),
        strings_(api_),
        binary_(runtime) {
    PyRef module(api_, api_.PyImport_ImportModule("values"));
    if (!module) std::fprintf(stderr, "%s\n", take_error_text(api_).c_str());
    CHECK(module);
    build_ = api_.PyObject_GetAttrString(module.get(), "build");
    settle_ = api_.PyObject_GetAttrString(module.get(), "settle");
    CHECK(build_ != nullptr && settle_ != nullptr);
    call_.kind = CallKind::kBinary;
    for (size_t size : {64u, 100'000u}) {
      Segment segment;
      segment.block = MemoryBlock::allocate(size);
      segment.size = size;
      segment.shared = true;
      call_.segments.push_back(segment);
    }
    call_.count = static_cast<int32_t>(call_.segments.size());
  }

  void run(Input input) override {
    const uint32_t encoder = input.byte() % 5;
    PyRef inputs(api_, binary_.decode_buffers(call_));
    PyRef seed(api_, api_.PyUnicode_FromKindAndData(1, input.rest(),
                                                    static_cast<Py_ssize_t>(input.left())));
    CHECK(inputs && seed);
    PyRef list(api_, api_.PyObject_CallFunctionObjArgs(build_, seed.get(), inputs.get(), nullptr));
    if (!list) std::fprintf(stderr, "%s\n", take_error_text(api_).c_str());
    CHECK(list);
    if (encoder == 0) {
      encode_json(list.get());
    } else if (encoder == 1) {
      encode_strings(list.get());
    } else {
      call_.layout = encoder == 4 ? Layout{0} : Layout{};
      encode_binary(list.get(), encoder == 2);
    }
    binary_.release_views(inputs.get());
    inputs.reset();
    list.reset();
    PyRef settled(api_, api_.PyObject_CallFunctionObjArgs(settle_, nullptr));
    CHECK(settled);
    runtime_.drain_reaper();
  }

 private:
  void failed() {
    CHECK(api_.PyErr_Occurred() != nullptr);
    api_.PyErr_Clear();
  }

  void encode_json(PyObject* list) {
    TextBuffer out;
    Py_ssize_t bad = -1;
    if (json_.encode_batch(list, out, &bad)) {
      CHECK(bad == -1 && out.size() >= 2);
    } else {
      CHECK(out.size() == 0);
      failed();
    }
  }

  void encode_strings(PyObject* list) {
    TextBuffer out;
    std::vector<int32_t> lengths;
    if (strings_.encode(list, out, lengths) >= 0) {
      api_.PyErr_Clear();  // there need not be one
      return;
    }
    size_t sum = 0;
    for (int32_t length : lengths) sum += static_cast<size_t>(length);
    CHECK(sum == out.size());
  }

  void encode_binary(PyObject* list, bool buffers) {
    std::vector<BinaryItem> items;
    PyObject* value = buffers || api_.PyList_Size(list) == 0 ? list : api_.PyList_GetItem(list, 0);
    PyRef held(api_, value);
    api_.Py_IncRef(value);
    Py_ssize_t bad = buffers ? binary_.encode_buffers(list, call_, items)
                             : binary_.encode_array(value, call_, items);
    if (bad >= 0) {
      CHECK(items.empty());
      return failed();
    }
    CHECK(binary_.settle_aliases(call_, items));
    for (BinaryItem& item : items) {
      touch(item);
      discard(item);
    }
  }

  // Reads a result as JavaScript would.
  void touch(const BinaryItem& item) {
    CHECK(item.layout.empty() || layout_fits(item.layout.data(), item.layout.size(),
                                             item.size / kElementSizes[item.type]));
    if (item.size == 0) return;
    const char* from = nullptr;
    if (item.alias >= 0) {
      const Segment& segment = call_.segments.at(static_cast<size_t>(item.alias));
      CHECK(item.offset + item.size <= segment.block->size());
      from = segment.block->data() + item.offset;
    } else if (item.block != nullptr) {
      CHECK(item.offset + item.size <= item.block->size());
      from = item.block->data() + item.offset;
    } else {
      CHECK(item.exported != nullptr);
      from = item.exported->data;
    }
    for (size_t i = 0; i < item.size; i += 61) sink_ = sink_ + static_cast<uint8_t>(from[i]);
    sink_ = sink_ + static_cast<uint8_t>(from[item.size - 1]);
  }

  Runtime& runtime_;
  const PythonApi& api_;
  PyRef default_;
  JsonEncoder json_;
  StringCodec strings_;
  BinaryCodec binary_;
  PyObject* build_ = nullptr;
  PyObject* settle_ = nullptr;
  Call call_;
  volatile uint32_t sink_ = 0;
};

}  // namespace

std::unique_ptr<Target> values_target(Runtime& runtime) {
  return std::make_unique<Values>(runtime);
}

}  // namespace rxp::fuzz
