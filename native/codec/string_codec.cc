#include "codec/string_codec.h"

#include <cstring>
#include <memory>

namespace rxp {
namespace {

constexpr int kKindLatin1 = 1;
constexpr int kKindUcs2 = 2;
constexpr int kKindUcs4 = 4;

bool is_surrogate(char16_t unit) { return (unit & 0xf800) == 0xd800; }
bool is_high(char16_t unit) { return (unit & 0xfc00) == 0xd800; }
bool is_low(char16_t unit) { return (unit & 0xfc00) == 0xdc00; }

PyObject* make_astral_string(const PythonApi& api, const char16_t* units, size_t size) {
  std::vector<uint32_t> points;
  points.reserve(size);
  for (size_t i = 0; i < size; i++) {
    uint32_t point = units[i];
    if (is_high(units[i]) && i + 1 < size && is_low(units[i + 1])) {
      point = 0x10000 + ((point - 0xd800) << 10) + (units[++i] - 0xdc00u);
    }
    points.push_back(point);
  }
  return api.PyUnicode_FromKindAndData(kKindUcs4, points.data(),
                                       static_cast<Py_ssize_t>(points.size()));
}

}  // namespace

bool append_string(const PythonApi& api, PyObject* string, TextBuffer& out) {
  Py_ssize_t length = api.PyUnicode_GetLength(string);
  if (length < 0) return false;
  Py_ssize_t size = 0;
  const char* utf8 = api.PyUnicode_AsUTF8AndSize(string, &size);
  if (utf8 != nullptr && size == length) {  // ASCII: the str's own memory, no copy was made
    out.append_ascii(utf8, static_cast<size_t>(size));
    return true;
  }
  if (utf8 == nullptr) api.PyErr_Clear();  // lone surrogates have no UTF-8
  constexpr Py_ssize_t kOnStack = 256;
  uint32_t small[kOnStack];
  std::unique_ptr<uint32_t[]> large;
  uint32_t* points = small;
  if (length > kOnStack) {
    large.reset(new uint32_t[static_cast<size_t>(length)]);
    points = large.get();
  }
  if (api.PyUnicode_AsUCS4(string, points, length, 0) == nullptr) return false;
  for (Py_ssize_t i = 0; i < length; i++) out.append_code_point(points[i]);
  return true;
}

PyObject* make_string(const PythonApi& api, TextView text) {
  auto size = static_cast<Py_ssize_t>(text.size);
  if (text.narrow) return api.PyUnicode_FromKindAndData(kKindLatin1, text.data, size);
  const char16_t* units = text.units();
  for (size_t i = 0; i < text.size; i++) {
    if (is_surrogate(units[i])) return make_astral_string(api, units, text.size);
  }
  return api.PyUnicode_FromKindAndData(kKindUcs2, units, size);
}

TextView StringCodec::narrowed(TextView text) {
  if (text.narrow) return text;
  const char16_t* units = text.units();
  // A plain reduction first: the compiler turns it into vector code, a loop with an exit it cannot.
  char16_t seen = 0;
  for (size_t i = 0; i < text.size; i++) seen |= units[i];
  if (seen > 0xff) return text;
  if (scratch_.size() < text.size) scratch_.resize(text.size);
  char* bytes = scratch_.data();
  for (size_t i = 0; i < text.size; i++) bytes[i] = static_cast<char>(units[i]);
  return {bytes, text.size, true};
}

// Vector code, which a loop with an exit would not become.
static bool is_ascii_text(const uint8_t* text, size_t size) {
  uint8_t seen = 0;
  for (size_t i = 0; i < size; i++) seen |= text[i];
  return seen < 0x80;
}

PyObject* StringCodec::make_ascii(const uint8_t* text, size_t size) {
  // Strings of one character are shared objects, which only the public function knows.
  if (size < 2) {
    return api_.PyUnicode_FromKindAndData(kKindLatin1, text, static_cast<Py_ssize_t>(size));
  }
  PyObject* string = api_.PyUnicode_New(static_cast<Py_ssize_t>(size), 0x7f);
  if (string != nullptr) {
    std::memcpy(reinterpret_cast<char*>(string) + layout_.ascii_data, text, size);
  }
  return string;
}

PyObject* StringCodec::decode(TextView text, const int32_t* lengths, int32_t count) {
  PyObject* list = api_.PyList_New(count);
  if (list == nullptr) return nullptr;
  text = narrowed(text);
  bool ascii = text.narrow && layout_.ascii_data != 0 && is_ascii_text(text.bytes(), text.size);
  size_t from = 0;
  for (int32_t i = 0; i < count; i++) {
    // A negative length is a large one here.
    auto length = static_cast<size_t>(lengths[i]);
    if (length > text.size - from) {
      api_.Py_DecRef(list);
      api_.PyErr_SetString(*api_.PyExc_TypeError, "the lengths do not fit the text of the batch");
      return nullptr;
    }
    PyObject* string = ascii ? make_ascii(text.bytes() + from, length)
                             : make_string(api_, text.slice(from, length));
    from += length;
    if (string == nullptr) {
      api_.Py_DecRef(list);
      return nullptr;
    }
    api_.PyList_SetItem(list, i, string);
  }
  return list;
}

// A list of nothing but ASCII strings, which is what most batches are: measured first, then copied
// in one go. False, with nothing done, for any other list.
bool StringCodec::encode_ascii(PyObject* list, Py_ssize_t count, TextBuffer& out,
                               std::vector<int32_t>& lengths) {
  if (layout_.flags == 0 || !out.narrow()) return false;
  runs_.resize(static_cast<size_t>(count));
  size_t total = 0;
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject* item = api_.PyList_GetItem(list, i);
    if (item == nullptr || !api_.is_exact(item, api_.PyUnicode_Type) || !layout_.is_ascii(item)) {
      return false;
    }
    Py_ssize_t size = 0;
    const char* text = api_.PyUnicode_AsUTF8AndSize(item, &size);
    if (text == nullptr) return false;
    runs_[static_cast<size_t>(i)] = {text, static_cast<size_t>(size)};
    total += static_cast<size_t>(size);
  }
  char* to = out.extend_narrow(total);
  size_t first = lengths.size();
  lengths.resize(first + static_cast<size_t>(count));
  int32_t* length = lengths.data() + first;
  for (const Run& run : runs_) {
    std::memcpy(to, run.text, run.size);
    to += run.size;
    *length++ = static_cast<int32_t>(run.size);
  }
  return true;
}

Py_ssize_t StringCodec::encode(PyObject* list, TextBuffer& out, std::vector<int32_t>& lengths) {
  Py_ssize_t count = api_.PyList_Size(list);
  if (encode_ascii(list, count, out, lengths)) return -1;
  lengths.reserve(lengths.size() + static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject* item = api_.PyList_GetItem(list, i);
    if (item == nullptr || !api_.is_instance_of(item, api_.PyUnicode_Type)) return i;
    size_t before = out.size();
    if (!append_string(api_, item, out)) return i;
    lengths.push_back(static_cast<int32_t>(out.size() - before));
  }
  return -1;
}

}  // namespace rxp
