// Where a str keeps what the hot path asks for.
#pragma once

#include <cstdint>
#include <cstring>

#include "interpreter/python_api.h"

namespace rxp {

// The values are found by comparing samples, so they hold for every version; zero where the samples
// were not as expected, and then the public API is used instead.
struct TextLayout {
  size_t flags = 0;       // offset of a 32-bit word
  uint32_t ascii = 0;     // the bit in it that says that the text is ASCII
  size_t ascii_data = 0;  // offset of the text itself in an ASCII str that PyUnicode_New made

  // GIL held, after PythonApi::measure_layout().
  explicit TextLayout(const PythonApi& api);

  bool is_ascii(PyObject* text) const {
    uint32_t word;
    std::memcpy(&word, reinterpret_cast<const char*>(text) + flags, sizeof word);
    return (word & ascii) != 0;
  }
};

}  // namespace rxp
