#include "codec/binary_codec.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "buffer/exported.h"
#include "interpreter/builtins.h"
#include "interpreter/runtime.h"

namespace rxp {
namespace {

// napi_typedarray_type, in its order.
enum ArrayType {
  kInt8,
  kUint8,
  kUint8Clamped,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kFloat32,
  kFloat64,
  kBigInt64,
  kBigUint64
};
constexpr const char* kDtypes[] = {"|i1", "|u1", "|u1", "<i2", "<u2", "<i4",
                                   "<u4", "<f4", "<f8", "<i8", "<u8"};
constexpr int kNoType = -1;

// Buffers below this are copied: an ArrayBuffer of its own costs more than the bytes.
constexpr size_t kShareFrom = 64 << 10;

// Copies start where any element may.
constexpr size_t aligned_size(size_t size) { return (size + 7) & ~size_t{7}; }

// The typed array for a struct-module format and item size, or kNoType.
int type_of_format(const char* format, Py_ssize_t size) {
  if (format == nullptr) return kUint8;
  if (*format == '<' || *format == '=' || *format == '@' || *format == '|') format++;
  if (*format == '\0' || format[1] != '\0') return kNoType;
  if (std::strchr("bhilqn", *format) != nullptr) {
    return size == 1   ? kInt8
           : size == 2 ? kInt16
           : size == 4 ? kInt32
           : size == 8 ? kBigInt64
                       : kNoType;
  }
  if (std::strchr("BHILQNc", *format) != nullptr) {
    return size == 1   ? kUint8
           : size == 2 ? kUint16
           : size == 4 ? kUint32
           : size == 8 ? kBigUint64
                       : kNoType;
  }
  if (*format == 'f' && size == 4) return kFloat32;
  if (*format == 'd' && size == 8) return kFloat64;
  return kNoType;
}

// The lowest byte, the size and the layout of a strided array. False when its strides are no whole
// elements, or its memory does not start where an element may.
bool take_layout(const Py_buffer& view, ExportedBuffer& exported, BinaryItem& item) {
  const auto dimensions = static_cast<size_t>(view.ndim);
  if (dimensions > kMostDimensions) return false;
  const auto width = static_cast<int64_t>(view.itemsize);
  Layout layout(numbers_of(dimensions));
  for (size_t i = 0; i < dimensions; i++) {
    layout[1 + i] = view.shape[i];
    layout[1 + dimensions + i] = view.strides[i] / width;
    // The stride of a single element is never gone along, and numpy leaves it as it may be.
    if (view.shape[i] > 1 && view.strides[i] % width != 0) return false;
  }
  Extent extent;
  if (!extent_of(layout.data() + 1, layout.data() + 1 + dimensions, dimensions, extent)) {
    return false;
  }
  if (extent.elements == 0) {
    item.size = 0;
    item.layout = compact(layout);
    return true;
  }
  char* data = static_cast<char*>(view.buf) + extent.first * width;
  if (reinterpret_cast<uintptr_t>(data) % static_cast<size_t>(width) != 0) return false;
  layout[0] = -extent.first;
  exported.data = data;
  item.size = static_cast<size_t>((extent.last - extent.first + 1) * width);
  item.layout = std::move(layout);
  return true;
}

}  // namespace

// The parts of a batch that JavaScript sees too: a result inside one of them is the same memory.
class BinaryCodec::SharedParts {
 public:
  explicit SharedParts(const Call& call) {
    for (size_t i = 0; i < call.segments.size(); i++) {
      const Segment& segment = call.segments[i];
      if (!segment.shared) continue;
      const char* from = segment.block->data() + segment.offset;
      parts_.push_back({from, from + segment.size, segment.block, static_cast<int>(i)});
    }
    std::stable_sort(parts_.begin(), parts_.end(),
                     [](const Part& a, const Part& b) { return a.from < b.from; });
    // From here on: where the part, or an earlier one, ends. Parts may overlap.
    reach_.reserve(parts_.size());
    for (const Part& part : parts_) {
      reach_.push_back(reach_.empty() ? part.to : std::max(reach_.back(), part.to));
    }
  }

  bool find(const char* from, BinaryItem& item) const {
    const char* to = from + item.size;
    auto after = std::upper_bound(parts_.begin(), parts_.end(), from,
                                  [](const char* at, const Part& part) { return at < part.from; });
    for (auto i = static_cast<size_t>(after - parts_.begin()); i-- > 0 && reach_[i] >= to;) {
      if (parts_[i].to < to) continue;
      item.alias = parts_[i].index;
      item.offset = static_cast<size_t>(from - parts_[i].block->data());
      return true;
    }
    return false;
  }

 private:
  struct Part {
    const char* from;
    const char* to;
    const MemoryBlock* block;
    int index;
  };
  std::vector<Part> parts_;  // by their start
  std::vector<const char*> reach_;
};

BinaryCodec::BinaryCodec(Runtime& runtime) : runtime_(runtime), api_(runtime.api()) {
  to_array_ = api_.PyObject_GetAttrString(runtime.host_module(), "to_array");
  from_array_ = api_.PyObject_GetAttrString(runtime.host_module(), "from_array");
  from_buffer_ = api_.PyObject_GetAttrString(runtime.host_module(), "from_buffer");
  to_columns_ = api_.PyObject_GetAttrString(runtime.host_module(), "to_columns");
  release_name_ = api_.PyUnicode_FromString("release");
}

BinaryCodec::~BinaryCodec() {
  for (PyObject* object :
       {to_array_, from_array_, from_buffer_, to_columns_, plain_array_type_, release_name_}) {
    if (object != nullptr) api_.Py_DecRef(object);
  }
}

PyObject* BinaryCodec::decode_buffers(const Call& call) {
  PyRef list(api_, api_.PyList_New(static_cast<Py_ssize_t>(call.segments.size())));
  if (!list) return nullptr;
  for (size_t i = 0; i < call.segments.size(); i++) {
    const Segment& segment = call.segments[i];
    PyRef memory(api_, new_memory(runtime_, segment.block, segment.offset, segment.size));
    PyObject* view = memory ? api_.PyMemoryView_FromObject(memory.get()) : nullptr;
    if (view == nullptr) return nullptr;
    api_.PyList_SetItem(list.get(), static_cast<Py_ssize_t>(i), view);
  }
  return list.release();
}

PyObject* BinaryCodec::decode_array(const Call& call) {
  const Segment& segment = call.segments.front();
  PyRef memory(api_, new_memory(runtime_, segment.block, segment.offset, segment.size));
  PyRef dtype(api_, api_.PyUnicode_FromString(kDtypes[segment.type]));
  if (!memory || !dtype) return nullptr;
  if (call.layout.empty()) {
    return api_.PyObject_CallFunctionObjArgs(to_array_, memory.get(), dtype.get(), nullptr);
  }
  PyRef layout(api_, api_.PyList_New(static_cast<Py_ssize_t>(call.layout.size())));
  if (!layout) return nullptr;
  for (size_t i = 0; i < call.layout.size(); i++) {
    PyObject* number = api_.PyLong_FromLongLong(call.layout[i]);
    if (number == nullptr) return nullptr;
    api_.PyList_SetItem(layout.get(), static_cast<Py_ssize_t>(i), number);
  }
  return api_.PyObject_CallFunctionObjArgs(to_array_, memory.get(), dtype.get(), layout.get(),
                                           nullptr);
}

PyObject* BinaryCodec::decode_columns(const Call& call) {
  PyRef parts[kColumnsParts];
  for (size_t i = 0; i < kColumnsParts; i++) {
    const Segment& segment = call.segments[i];
    parts[i] = PyRef(api_, new_memory(runtime_, segment.block, segment.offset, segment.size));
    if (!parts[i]) return nullptr;
  }
  return api_.PyObject_CallFunctionObjArgs(to_columns_, parts[0].get(), parts[1].get(), nullptr);
}

void BinaryCodec::release_views(PyObject* list) {
  Py_ssize_t count = api_.PyList_Size(list);
  for (Py_ssize_t i = 0; i < count; i++) {
    PyRef view = list_item(api_, list, i);
    PyRef done(
        api_, view ? api_.PyObject_CallMethodObjArgs(view.get(), release_name_, nullptr) : nullptr);
    if (!done) api_.PyErr_Clear();  // something still exports it, and so keeps its memory alive
  }
}

// Fills `view` with the bytes of a result, of whatever shape. False with an exception set.
bool BinaryCodec::view_of(PyObject* result, Py_buffer& view) const {
  constexpr int kWanted = kBufCContiguous | kBufFormat;
  if (api_.PyObject_GetBuffer(result, &view, kWanted) == 0) {
    // An 'O' in the format means pointers to Python objects (or a field's name has one).
    if (view.format == nullptr || std::strchr(view.format, 'O') == nullptr) return true;
    api_.PyBuffer_Release(&view);
  } else {
    api_.PyErr_Clear();
  }
  // Strided memory becomes a copy there, anything else an error that says what it is.
  PyRef bytes(api_, api_.PyObject_CallFunctionObjArgs(from_buffer_, result, nullptr));
  return bytes && api_.PyObject_GetBuffer(bytes.get(), &view, kBufCContiguous) == 0;
}

Py_ssize_t BinaryCodec::encode_buffers(PyObject* list, const Call& call,
                                       std::vector<BinaryItem>& out) {
  Py_ssize_t count = api_.PyList_Size(list);
  std::vector<Py_buffer> views(static_cast<size_t>(count));
  SharedParts shared(call);
  size_t copied = 0;
  Py_ssize_t bad = -1;
  Py_ssize_t taken = 0;
  for (; taken < count; taken++) {
    Py_buffer& view = views[static_cast<size_t>(taken)];
    PyRef item = list_item(api_, list, taken);
    if (!item || !view_of(item.get(), view)) {
      bad = taken;
      break;
    }
    BinaryItem result;
    result.type = kUint8;
    result.size = static_cast<size_t>(view.len);
    bool lend = view.readonly == 0 && result.size >= kShareFrom;
    if (!shared.find(static_cast<const char*>(view.buf), result) && !lend) {
      copied += aligned_size(result.size);
    }
    out.push_back(result);
  }
  MemoryBlock* block = nullptr;
  if (bad < 0 && copied > 0) {
    block = MemoryBlock::allocate(copied);
    if (block == nullptr) {
      api_.PyErr_NoMemory();
      bad = 0;
    }
  }
  size_t at = 0;
  for (Py_ssize_t i = 0; i < taken; i++) {
    Py_buffer& view = views[static_cast<size_t>(i)];
    BinaryItem& item = out[static_cast<size_t>(i)];
    bool lend = view.readonly == 0 && item.size >= kShareFrom;
    if (bad >= 0 || item.alias >= 0 || item.size == 0) {
      api_.PyBuffer_Release(&view);
    } else if (lend) {
      item.exported = new ExportedBuffer{view, &runtime_, static_cast<char*>(view.buf)};
      // A Py_buffer may point into itself (shape, strides); its address has changed, but only the
      // object's own release function reads those, through `internal`.
    } else {
      std::memcpy(block->data() + at, view.buf, item.size);
      block->retain();
      item.block = block;
      item.offset = at;
      at += aligned_size(item.size);
      api_.PyBuffer_Release(&view);
    }
  }
  if (block != nullptr) block->release();
  if (bad >= 0) out.clear();
  return bad;
}

// Takes an array's memory: its elements' type, where they lie, and for a shaped result how. False
// without an exception when a typed array cannot show it so; with one when it has no memory at all.
bool BinaryCodec::take_array(PyObject* array, bool shaped, ExportedBuffer& exported,
                             BinaryItem& item) const {
  const int wanted = (shaped ? kBufStrides : kBufCContiguous) | kBufFormat | kBufWritable;
  Py_buffer& view = exported.buffer;
  if (api_.PyObject_GetBuffer(array, &view, wanted) != 0) return false;
  item.type = type_of_format(view.format, view.itemsize);
  exported.data = static_cast<char*>(view.buf);
  item.size = static_cast<size_t>(view.len);
  if (item.type != kNoType && (!shaped || take_layout(view, exported, item))) return true;
  api_.PyBuffer_Release(&view);
  return false;
}

Py_ssize_t BinaryCodec::encode_array(PyObject* result, const Call& call,
                                     std::vector<BinaryItem>& out) {
  const bool shaped = !call.layout.empty();
  auto exported = std::make_unique<ExportedBuffer>();
  exported->runtime = &runtime_;
  BinaryItem item;
  PyObject* kind = api_.type_of(result);
  bool taken = false;
  if (kind == plain_array_type_) {
    taken = take_array(result, shaped, *exported, item);
    api_.PyErr_Clear();
  }
  if (!taken) {
    // Anything else becomes such an array there, or an error that names what is wrong with it.
    PyRef array(api_, api_.PyObject_CallFunctionObjArgs(from_array_, result,
                                                        shaped ? api_.True : api_.False, nullptr));
    if (array.get() == result && plain_array_type_ == nullptr) {
      api_.Py_IncRef(kind);
      plain_array_type_ = kind;
    }
    if (!array) return 0;
    if (!take_array(array.get(), shaped, *exported, item)) {
      if (api_.PyErr_Occurred() == nullptr) {
        api_.PyErr_SetString(*api_.PyExc_TypeError, "no typed array has this result's elements");
      }
      return 0;
    }
  }
  if (SharedParts(call).find(exported->data, item) || item.size == 0) {
    api_.PyBuffer_Release(&exported->buffer);
  } else {
    item.exported = exported.release();
  }
  out.push_back(std::move(item));
  return -1;
}

bool BinaryCodec::settle_aliases(const Call& call, std::vector<BinaryItem>& items) {
  bool kept = false;
  for (const Segment& segment : call.segments) {
    kept = kept || (segment.detachable && segment.block->held_elsewhere());
  }
  if (!kept) return true;
  for (BinaryItem& item : items) {
    if (item.alias < 0) continue;
    const Segment& segment = call.segments[static_cast<size_t>(item.alias)];
    if (!segment.detachable) continue;
    MemoryBlock* block = MemoryBlock::allocate(item.size);
    if (block == nullptr) {
      for (BinaryItem& other : items) discard(other);
      items.clear();
      api_.PyErr_NoMemory();
      return false;
    }
    std::memcpy(block->data(), segment.block->data() + item.offset, item.size);
    item.block = block;
    item.offset = 0;
    item.alias = -1;
  }
  return true;
}

}  // namespace rxp
