// The strings and keys of JsonEncoder.
#include "codec/json_encode.h"

namespace rxp {
namespace {

// Copies plain text up to the first byte that must be escaped; returns how much. May write up to
// seven bytes behind that.
size_t copy_plain(const char* from, size_t size, uint8_t* to) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word = load64(from + i);
    std::memcpy(to + i, &word, 8);
    uint64_t stops = string_stops(word);
    if (stops != 0) return i + static_cast<size_t>(__builtin_ctzll(stops) >> 3);
  }
  size_t rest = size - i;
  if (rest == 0) return size;
  uint64_t word = 0;
  if (rest >= 4) {  // two overlapping halves
    word = load32(from + i) | uint64_t{load32(from + size - 4)} << ((rest - 4) * 8);
  } else {
    for (size_t j = 0; j < rest; ++j)
      word |= uint64_t{static_cast<uint8_t>(from[i + j])} << (j * 8);
  }
  std::memcpy(to + i, &word, 8);
  // What is not text is zero here, and would look like a control character.
  uint64_t stops = string_stops(word) & ((uint64_t{1} << (rest * 8)) - 1);
  if (stops != 0) return i + static_cast<size_t>(__builtin_ctzll(stops) >> 3);
  return size;
}

// The room that one escape takes at most.
constexpr size_t kEscape = 6;

void put_escape(JsonWriter& writer, uint32_t unit) {
  static const char kHex[] = "0123456789abcdef";
  char text[kEscape] = {
      '\\',           'u', kHex[unit >> 12 & 15], kHex[unit >> 8 & 15], kHex[unit >> 4 & 15],
      kHex[unit & 15]};
  size_t size = 2;
  switch (unit) {
    case '"':
      text[1] = '"';
      break;
    case '\\':
      text[1] = '\\';
      break;
    case '\b':
      text[1] = 'b';
      break;
    case '\f':
      text[1] = 'f';
      break;
    case '\n':
      text[1] = 'n';
      break;
    case '\r':
      text[1] = 'r';
      break;
    case '\t':
      text[1] = 't';
      break;
    default:
      size = kEscape;
  }
  writer.put_text(text, size);
}

bool needs_escape(uint32_t unit) {
  return unit < 0x20 || unit == '"' || unit == '\\' || is_surrogate(unit);
}

}  // namespace

bool JsonEncoder::string(PyObject* text, bool is_key) {
  // Not by asking for UTF-8 first: that would leave a second copy of the text in every other str.
  bool known = layout_.flags != 0;
  bool ascii = known && layout_.is_ascii(text);
  if (known && !ascii) return other_string(text, is_key);
  Py_ssize_t size = 0;
  const char* bytes = api_.PyUnicode_AsUTF8AndSize(text, &size);
  if (bytes == nullptr) api_.PyErr_Clear();  // a lone surrogate
  if (!known) ascii = bytes != nullptr && size == api_.PyUnicode_GetLength(text);
  if (!ascii || bytes == nullptr) return other_string(text, is_key);
  return ascii_string(bytes, static_cast<size_t>(size), is_key);
}

bool JsonEncoder::ascii_string(const char* text, size_t size, bool is_key) {
  if (!writer_.reserve(size + 2 + kEscape)) return no_memory();
  writer_.put('"');
  if (!is_key && size > 0 && *text == '\0') {
    specials_ = true;
    put_escape(writer_, 0);
  }
  while (size > 0) {
    size_t plain = 0;
    if (writer_.wide()) {
      for (; plain < size && !needs_escape(static_cast<uint8_t>(text[plain])); ++plain) {
        writer_.put_wide(static_cast<uint8_t>(text[plain]));
      }
    } else {
      plain = copy_plain(text, size, writer_.cursor());
      writer_.advance(plain);
    }
    text += plain;
    size -= plain;
    if (size == 0) break;  // most texts have nothing to escape
    if (!writer_.reserve(size + 2 + kEscape)) return no_memory();
    put_escape(writer_, static_cast<uint8_t>(*text));
    ++text;
    --size;
  }
  writer_.put('"');
  return true;
}

bool JsonEncoder::other_string(PyObject* text, bool is_key) {
  Py_ssize_t length = api_.PyUnicode_GetLength(text);
  if (length < 0) return false;
  size_t size = static_cast<size_t>(length);
  if (points_.size() < size + 1) points_.resize(size + 1);
  if (api_.PyUnicode_AsUCS4(text, points_.data(), length + 1, 1) == nullptr) return false;
  uint32_t seen = 0;
  for (size_t i = 0; i < size; ++i) seen |= is_surrogate(points_[i]) ? 0 : points_[i];
  if (seen > 0xff && !writer_.widen()) return no_memory();
  // Two units for each point at most, and one escape; every escape asks for more.
  if (!writer_.reserve(size * 2 + 2 + kEscape * 2)) return no_memory();
  writer_.put('"');
  if (!is_key && size > 0 && points_[0] == 0) {
    specials_ = true;
    put_escape(writer_, 0);
  }
  for (size_t i = 0; i < size; ++i) {
    uint32_t point = points_[i];
    if (needs_escape(point)) {
      put_escape(writer_, point);
      if (!writer_.reserve((size - i) * 2 + 2 + kEscape * 2)) return no_memory();
    } else if (!writer_.wide()) {
      writer_.put(static_cast<char>(point));
    } else if (point <= 0xffff) {
      writer_.put_wide(static_cast<char16_t>(point));
    } else {
      writer_.put_wide(static_cast<char16_t>(0xd7c0 + (point >> 10)));
      writer_.put_wide(static_cast<char16_t>(0xdc00 + (point & 0x3ff)));
    }
  }
  writer_.put('"');
  if (points_.size() > kKeepPoints) points_ = {};
  return true;
}

bool JsonEncoder::key(PyObject* name) {
  bool exact = api_.type_of(name) == api_.PyUnicode_Type;
  KeySlot& slot = keys_[(reinterpret_cast<uintptr_t>(name) >> 4) % kKeySlots];
  if (exact && slot.key == name) {
    if (!writer_.reserve(slot.size)) return no_memory();
    writer_.put_padded(slot.text, slot.size);
    return true;
  }
  if (!exact && !api_.is_instance_of(name, api_.PyUnicode_Type)) return refuse_key(name);

  size_t start = writer_.size();
  if (!writer_.reserve(1)) return no_memory();
  writer_.put(',');
  if (!string(name, true) || !literal(":", 1)) return false;
  size_t size = writer_.size() - start;
  if (!exact || size > sizeof slot.text) return true;
  for (size_t i = 0; i < size; ++i) {
    if (writer_.unit(start + i) > 0xff) return true;
  }
  api_.Py_IncRef(name);
  PyObject* old = slot.key;
  slot.key = name;
  slot.size = size;
  for (size_t i = 0; i < size; ++i) slot.text[i] = static_cast<char>(writer_.unit(start + i));
  if (old != nullptr) api_.Py_DecRef(old);
  return true;
}

bool JsonEncoder::refuse_key(PyObject* name) {
  PyRef shown(api_, api_.PyObject_Repr(name));
  if (!shown) api_.PyErr_Clear();
  std::string text = shown ? shortened(readable(api_, shown.get()), 60) : "?";
  return refuse("cannot encode the dict key " + text + " of type " + type_name(api_, name) +
                "; keys must be str, so make it one with str(key)");
}

}  // namespace rxp
