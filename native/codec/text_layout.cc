#include "codec/text_layout.h"

namespace rxp {
namespace {

uint32_t load32(const char* from) {
  uint32_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

}  // namespace

TextLayout::TextLayout(const PythonApi& api) {
  const uint16_t wide[] = {0x20ac, 0x20ad};
  const uint32_t astral[] = {0x1f600, 0x1f601};
  PyRef short_ascii(api, api.PyUnicode_New(2, 127));
  PyRef long_ascii(api, api.PyUnicode_FromStringAndSize("records of a stream", 19));
  PyRef latin(api, api.PyUnicode_FromKindAndData(1, "\xe9\xe8", 2));
  PyRef two_bytes(api, api.PyUnicode_FromKindAndData(2, wide, 2));
  PyRef four_bytes(api, api.PyUnicode_FromKindAndData(4, astral, 2));
  if (!short_ascii || !long_ascii || !latin || !two_bytes || !four_bytes) {
    api.PyErr_Clear();
    return;
  }
  size_t offset = api.object_size + sizeof(Py_ssize_t) * 2;  // behind the length and the hash
  auto word = [offset](const PyRef& text) {
    return load32(reinterpret_cast<const char*>(text.get()) + offset);
  };
  uint32_t bit = word(long_ascii) ^ word(latin);
  bool single = bit != 0 && (bit & (bit - 1)) == 0;
  if (single && (word(short_ascii) & bit) != 0 && (word(long_ascii) & bit) != 0 &&
      (word(two_bytes) & bit) == 0 && (word(four_bytes) & bit) == 0) {
    flags = offset;
    ascii = bit;
  }
  auto data = [&api](const PyRef& text) {
    const char* start = api.PyUnicode_AsUTF8AndSize(text.get(), nullptr);
    return start - reinterpret_cast<const char*>(text.get());
  };
  if (data(short_ascii) == data(long_ascii) && data(short_ascii) > 0 && data(short_ascii) <= 96) {
    ascii_data = static_cast<size_t>(data(short_ascii));
  }
}

}  // namespace rxp
