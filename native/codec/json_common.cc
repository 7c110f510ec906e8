#include "codec/json_common.h"

#include <cstdio>
#include <vector>

namespace rxp {
namespace {

// Python refuses limits below 640 digits, so pieces of this size always convert.
constexpr size_t kPieceDigits = 600;

PyRef power_of_ten(const PythonApi& api, size_t exponent) {
  PyRef ten(api, api.PyLong_FromLong(10));
  PyRef digits(api, api.PyLong_FromLongLong(static_cast<long long>(exponent)));
  if (!ten || !digits) return {};
  return PyRef(api, api.PyNumber_Power(ten.get(), digits.get(), api.None));
}

// Splits in halves, so that Python's fast multiplication does the work.
PyObject* from_unsigned_digits(const PythonApi& api, const char* text, size_t size) {
  if (size <= kPieceDigits) {
    char piece[kPieceDigits + 1];
    std::memcpy(piece, text, size);
    piece[size] = '\0';
    return api.PyLong_FromString(piece, nullptr, 10);
  }
  size_t low_size = size / 2;
  PyRef high(api, from_unsigned_digits(api, text, size - low_size));
  if (!high) return nullptr;
  PyRef low(api, from_unsigned_digits(api, text + size - low_size, low_size));
  PyRef scale = power_of_ten(api, low_size);
  if (!low || !scale) return nullptr;
  PyRef shifted(api, api.PyNumber_Multiply(high.get(), scale.get()));
  if (!shifted) return nullptr;
  return api.PyNumber_Add(shifted.get(), low.get());
}

// Appends `value`, which is not negative and below 10**size, as exactly `size` digits.
bool to_padded_digits(const PythonApi& api, PyObject* value, size_t size, std::string& out) {
  if (size <= kPieceDigits) {
    PyRef text(api, api.PyNumber_ToBase(value, 10));
    Py_ssize_t length = 0;
    const char* digits = text ? api.PyUnicode_AsUTF8AndSize(text.get(), &length) : nullptr;
    if (digits == nullptr) return false;
    out.append(size - static_cast<size_t>(length), '0');
    out.append(digits, static_cast<size_t>(length));
    return true;
  }
  size_t low_size = size / 2;
  PyRef scale = power_of_ten(api, low_size);
  if (!scale) return false;
  PyRef parts(api, api.PyNumber_Divmod(value, scale.get()));
  if (!parts) return false;
  return to_padded_digits(api, api.PyTuple_GetItem(parts.get(), 0), size - low_size, out) &&
         to_padded_digits(api, api.PyTuple_GetItem(parts.get(), 1), low_size, out);
}

}  // namespace

PyObject* integer_from_digits(const PythonApi& api, const char* text, size_t size) {
  bool negative = size > 0 && *text == '-';
  PyRef value(api, from_unsigned_digits(api, text + negative, size - negative));
  if (!value || !negative) return value.release();
  PyRef minus(api, api.PyLong_FromLong(-1));
  if (!minus) return nullptr;
  return api.PyNumber_Multiply(value.get(), minus.get());
}

bool digits_from_integer(const PythonApi& api, PyObject* value, std::string& out) {
  // Base 16 has no limit, reads a subclass's plain value, and gives a plain int to work with.
  PyRef text(api, api.PyNumber_ToBase(value, 16));
  Py_ssize_t length = 0;
  const char* hex = text ? api.PyUnicode_AsUTF8AndSize(text.get(), &length) : nullptr;
  if (hex == nullptr) return false;
  bool negative = *hex == '-';
  PyRef absolute(api, api.PyLong_FromString(hex + negative, nullptr, 16));
  if (!absolute) return false;
  // A hexadecimal digit is worth 1.2042 decimal ones; "0x" and the sign only add slack.
  size_t size = static_cast<size_t>(length) * 5 / 4 + 1;
  std::string digits;
  if (!to_padded_digits(api, absolute.get(), size, digits)) return false;
  size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) first = digits.size() - 1;
  if (negative) out += '-';
  out.append(digits, first, std::string::npos);
  return true;
}

std::string readable(const PythonApi& api, PyObject* text) {
  Py_ssize_t length = api.PyUnicode_GetLength(text);
  if (length < 0) {
    api.PyErr_Clear();
    return "?";
  }
  std::vector<uint32_t> points(static_cast<size_t>(length) + 1);
  if (api.PyUnicode_AsUCS4(text, points.data(), length + 1, 1) == nullptr) {
    api.PyErr_Clear();
    return "?";
  }
  std::string out;
  for (Py_ssize_t i = 0; i < length; ++i) {
    uint32_t point = points[static_cast<size_t>(i)];
    if (is_surrogate(point) || point < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", point);
      out += escape;
    } else if (point < 0x80) {
      out += static_cast<char>(point);
    } else if (point < 0x800) {
      out += static_cast<char>(0xc0 | (point >> 6));
      out += static_cast<char>(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
      out += static_cast<char>(0xe0 | (point >> 12));
      out += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
      out += static_cast<char>(0x80 | (point & 0x3f));
    } else {
      out += static_cast<char>(0xf0 | (point >> 18));
      out += static_cast<char>(0x80 | ((point >> 12) & 0x3f));
      out += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
      out += static_cast<char>(0x80 | (point & 0x3f));
    }
  }
  return out;
}

std::string type_name(const PythonApi& api, PyObject* object) {
  PyRef type(api, api.PyObject_Type(object));
  PyRef name(api, type ? api.PyObject_GetAttrString(type.get(), "__name__") : nullptr);
  if (!name || !api.is_instance_of(name.get(), api.PyUnicode_Type)) {
    api.PyErr_Clear();
    return "object";
  }
  return readable(api, name.get());
}

}  // namespace rxp
