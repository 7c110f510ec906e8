// Python objects → JSON text for JavaScript's JSON.parse.
//
// What JSON has no form for travels as a string that starts with U+0000, and sets `specials` in the
// output: "\0N" NaN, "\0I" Infinity, "\0J" -Infinity, "\0b<digits>" a BigInt (an int that is not
// safe as a number, or any rxjs_python.BigInt). A real string value that starts with U+0000 gets
// one more in front. Keys are never marked this way. None, bool, int, float, str, list, tuple and
// dict are written here, subclasses by their plain value; any other object goes through
// `json_default` first.
//
// One encoder belongs to one interpreter thread: create, use and destroy it there, GIL held.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codec/json_common.h"
#include "codec/json_error.h"
#include "codec/json_writer.h"
#include "codec/text.h"
#include "interpreter/python_api.h"

namespace rxp {

class JsonEncoder {
 public:
  // All borrowed, to outlive the encoder: rxjs_python.BigInt, _host.json_default, and the class of
  // the error for what cannot be encoded, called with the message.
  JsonEncoder(const PythonApi& api, PyObject* bigint_type, PyObject* json_default,
              PyObject* encode_error_type);
  ~JsonEncoder();
  JsonEncoder(const JsonEncoder&) = delete;
  JsonEncoder& operator=(const JsonEncoder&) = delete;

  // Appends one value. Returns false with a Python exception set and `out` as it was. The exception
  // is an encode error whose message and attribute `path` say where, or what json_default raised.
  bool encode(PyObject* value, TextBuffer& out);
  // Appends a list as a JSON array, and says "result 3, at .users[0].id: …" in errors, which also
  // get the attribute `__rxp_item__`. `bad_item`: the index of the item that failed, else -1.
  bool encode_batch(PyObject* list, TextBuffer& out, Py_ssize_t* bad_item);

 private:
  static constexpr size_t kKeySlots = 1024;
  // Room for the code points of one string; more is not kept.
  static constexpr size_t kKeepPoints = size_t{1} << 20;

  // A key in quotes with its colon and a comma in front, found by the address of its str, which the
  // reference keeps from being used again.
  struct KeySlot {
    PyObject* key = nullptr;
    size_t size = 0;
    char text[64] = {};
  };

  bool value(PyObject* value, int depth);
  bool compound(PyObject* value, PyObject* type, int depth);
  bool list(PyObject* list, int depth);
  bool tuple(PyObject* tuple, int depth);
  bool dict(PyObject* dict, int depth);
  bool dict_subclass(PyObject* dict, int depth);
  bool entry(PyObject* key, PyObject* value, int depth);
  bool by_default(PyObject* value, int depth);

  bool is_scalar(PyObject* value, PyObject* type) const;
  bool scalar(PyObject* value, PyObject* type);
  bool integer(PyObject* value);
  bool big_integer(PyObject* value);
  bool real(PyObject* value);
  bool key(PyObject* name);
  bool refuse_key(PyObject* name);
  bool string(PyObject* text, bool is_key);
  bool ascii_string(const char* text, size_t size, bool is_key);
  bool other_string(PyObject* text, bool is_key);
  bool special(const char* text, size_t size);
  bool literal(const char* text, size_t size);

  bool no_memory();
  bool refuse(std::string message);
  bool changed(const char* what);
  bool shrunk();
  bool finish(bool ok, TextBuffer& out, Py_ssize_t item);

  const PythonApi& api_;
  PyObject* bigint_type_;
  PyObject* json_default_;
  PyObject* encode_error_type_;
  const TextLayout layout_;
  JsonWriter writer_;
  bool specials_ = false;
  std::unique_ptr<KeySlot[]> keys_;
  std::vector<uint32_t> points_;  // of the string that is being written

  JsonError error_;
  std::vector<std::string> path_;  // of the error; innermost step first
};

}  // namespace rxp
