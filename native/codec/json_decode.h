// JSON text from JavaScript → Python objects.
//
// The text is standard JSON with a few more tokens, as the JavaScript side writes them: NaN,
// Infinity, -Infinity, and a BigInt as digits that end in `n` (→ rxjs_python.BigInt). A number with
// '.', 'e' or 'E' becomes a float, any other an int of any size. Lone surrogates, escaped or not,
// become lone surrogates in the str; pairs are joined. Of equal keys in one object the last wins.
//
// One decoder belongs to one interpreter thread: create, use and destroy it there, GIL held.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codec/json_cache.h"
#include "codec/text.h"
#include "interpreter/python_api.h"

namespace rxp {

class JsonDecoder {
 public:
  // `bigint_type` is rxjs_python.BigInt, borrowed: it must outlive the decoder.
  JsonDecoder(const PythonApi& api, PyObject* bigint_type);
  ~JsonDecoder();
  JsonDecoder(const JsonDecoder&) = delete;
  JsonDecoder& operator=(const JsonDecoder&) = delete;

  // One value. A new reference, or nullptr with an exception set: ValueError that names the
  // position (in UTF-16 code units) for malformed text or nesting beyond kJsonMaxDepth.
  PyObject* decode(TextView text);
  // A batch: the text must be a JSON array, and each of its items may nest kJsonMaxDepth levels.
  PyObject* decode_batch(TextView text);

 private:
  template <class Unit>
  friend class JsonCursor;
  template <class Unit>
  friend class JsonStrings;
  template <class Unit>
  friend class JsonParser;

  PyObject* run(TextView text, bool batch);

  const PythonApi& api_;
  PyObject* bigint_type_;
  const TextLayout layout_;
  KeyCache narrow_keys_;
  KeyCache wide_keys_;
  StringCache narrow_strings_;
  StringCache wide_strings_;
  std::vector<PyObject*> items_;     // of the lists that are being read; owned
  std::string unescaped_narrow_;     // the string that is being read, where a byte a unit is enough
  std::u16string unescaped_;         // and where it is not
  std::vector<uint32_t> points_;     // and with surrogate pairs joined
  std::string number_;               // of the number that is being read
  std::unique_ptr<uint8_t[]> copy_;  // the input narrowed to one byte a unit, and padded
  size_t copy_size_ = 0;
};

}  // namespace rxp
