// The string codec: a joined text and its lengths to a list of str, and back.
#pragma once

#include <string>
#include <vector>

#include "codec/text.h"
#include "codec/text_layout.h"
#include "interpreter/python_api.h"

namespace rxp {

// Appends a str of any content, lone surrogates included. False with an exception set when it is
// not a str or memory ran out.
bool append_string(const PythonApi& api, PyObject* string, TextBuffer& out);

// A str from code units; surrogate pairs become one code point, lone surrogates stay. New
// reference.
PyObject* make_string(const PythonApi& api, TextView text);

// One per interpreter thread; keeps scratch memory between batches.
class StringCodec {
 public:
  explicit StringCodec(const PythonApi& api) : api_(api), layout_(api) {}

  // A list of `count` str, or null with an exception set. New reference.
  PyObject* decode(TextView text, const int32_t* lengths, int32_t count);

  // Appends the strings of a list and their lengths in code units. Returns -1, or the index of the
  // first result that is not a str (no exception set) or failed (exception set).
  Py_ssize_t encode(PyObject* list, TextBuffer& out, std::vector<int32_t>& lengths);

  // The view itself, or a narrow copy of it in scratch memory when every unit fits in a byte; valid
  // until the next call.
  TextView narrowed(TextView text);

 private:
  struct Run {
    const char* text;
    size_t size;
  };
  PyObject* make_ascii(const uint8_t* text, size_t size);
  bool encode_ascii(PyObject* list, Py_ssize_t count, TextBuffer& out,
                    std::vector<int32_t>& lengths);

  const PythonApi& api_;
  const TextLayout layout_;
  std::string scratch_;
  std::vector<Run> runs_;
};

}  // namespace rxp
