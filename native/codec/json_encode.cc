#include "codec/json_encode.h"

#include <charconv>
#include <cmath>

namespace rxp {
namespace {

// In builds without a GIL another thread may change a dict while it is read: this keeps it still,
// except while Python code runs. Does nothing in other builds.
class DictLock {
 public:
  DictLock(const PythonApi& api, PyObject* dict) : api_(api) {
    locked_ = api.free_threaded && api.PyCriticalSection_Begin != nullptr &&
              api.PyCriticalSection_End != nullptr;
    if (locked_) api_.PyCriticalSection_Begin(&section_, dict);
  }
  DictLock(const DictLock&) = delete;
  DictLock& operator=(const DictLock&) = delete;
  ~DictLock() {
    if (locked_) api_.PyCriticalSection_End(&section_);
  }

 private:
  const PythonApi& api_;
  PyCriticalSection section_ = {};
  bool locked_ = false;
};

}  // namespace

JsonEncoder::JsonEncoder(const PythonApi& api, PyObject* bigint_type, PyObject* json_default,
                         PyObject* encode_error_type)
    : api_(api),
      bigint_type_(bigint_type),
      json_default_(json_default),
      encode_error_type_(encode_error_type),
      layout_(api),
      keys_(new KeySlot[kKeySlots]),
      error_(api) {}

JsonEncoder::~JsonEncoder() {
  for (size_t i = 0; i < kKeySlots; ++i) {
    if (keys_[i].key != nullptr) api_.Py_DecRef(keys_[i].key);
  }
}

bool JsonEncoder::encode(PyObject* object, TextBuffer& out) {
  writer_.clear();
  specials_ = false;
  return finish(value(object, 0), out, -1);
}

bool JsonEncoder::encode_batch(PyObject* list, TextBuffer& out, Py_ssize_t* bad_item) {
  *bad_item = -1;
  writer_.clear();
  specials_ = false;
  Py_ssize_t count = api_.PyList_Size(list);
  if (count < 0) return false;
  if (!writer_.reserve(2)) return no_memory();
  writer_.put('[');
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyRef item = list_item(api_, list, i);
    bool ok = !item ? shrunk() : writer_.reserve(1) || no_memory();
    if (ok && i > 0) writer_.put(',');
    if (!ok || !value(item.get(), 0)) {
      *bad_item = i;
      return finish(false, out, i);
    }
  }
  bool ok = writer_.reserve(1) || no_memory();
  if (ok) writer_.put(']');
  return finish(ok, out, -1);
}

bool JsonEncoder::value(PyObject* object, int depth) {
  PyObject* type = api_.type_of(object);
  return is_scalar(object, type) ? scalar(object, type) : compound(object, type, depth);
}

// Whether scalar() can write it: then nothing of Python's runs meanwhile.
bool JsonEncoder::is_scalar(PyObject* object, PyObject* type) const {
  return type == api_.PyUnicode_Type || type == api_.PyLong_Type || type == api_.PyFloat_Type ||
         type == api_.PyBool_Type || object == api_.None;
}

bool JsonEncoder::scalar(PyObject* object, PyObject* type) {
  if (type == api_.PyUnicode_Type) return string(object, false);
  if (type == api_.PyLong_Type) return integer(object);
  if (type == api_.PyFloat_Type) return real(object);
  if (object == api_.None) return literal("null", 4);
  return object == api_.True ? literal("true", 4) : literal("false", 5);
}

// The caller holds a reference to `object`.
bool JsonEncoder::compound(PyObject* object, PyObject* type, int depth) {
  bool is_dict = type == api_.PyDict_Type;
  bool is_list = !is_dict && api_.is_instance_of(object, api_.PyList_Type);
  bool is_tuple = !is_dict && !is_list && api_.is_instance_of(object, api_.PyTuple_Type);
  bool is_other_dict =
      !is_dict && !is_list && !is_tuple && api_.is_instance_of(object, api_.PyDict_Type);
  if (!is_dict && !is_list && !is_tuple && !is_other_dict) {
    if (api_.is_instance_of(object, api_.PyUnicode_Type)) return string(object, false);
    if (api_.is_instance_of(object, bigint_type_)) return big_integer(object);
    if (api_.is_instance_of(object, api_.PyLong_Type)) return integer(object);
    if (api_.is_instance_of(object, api_.PyFloat_Type)) return real(object);
  }
  if (++depth > kJsonMaxDepth) {
    return refuse("nested more than " + std::to_string(kJsonMaxDepth) +
                  " levels deep, or contains itself; return plain nested values");
  }
  if (is_dict) return dict(object, depth);
  if (is_list) return list(object, depth);
  if (is_tuple) return tuple(object, depth);
  if (is_other_dict) return dict_subclass(object, depth);
  return by_default(object, depth);
}

bool JsonEncoder::list(PyObject* list, int depth) {
  size_t start = writer_.size();
  Py_ssize_t count = api_.PyList_Size(list);
  bool by_reference = api_.free_threaded && api_.PyList_GetItemRef != nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyRef hold;
    PyObject* item;
    if (by_reference) {
      hold = PyRef(api_, api_.PyList_GetItemRef(list, i));
      item = hold.get();
    } else {
      item = api_.PyList_GetItem(list, i);
    }
    if (item == nullptr) return shrunk();
    if (!writer_.reserve(1)) return no_memory();
    writer_.put(',');
    PyObject* type = api_.type_of(item);
    if (is_scalar(item, type)) {
      if (!scalar(item, type)) return false;
      continue;
    }
    if (!by_reference) {
      api_.Py_IncRef(item);
      hold = PyRef(api_, item);
    }
    if (!compound(item, type, depth)) {
      path_.push_back("[" + std::to_string(i) + "]");
      return false;
    }
    if (api_.PyList_Size(list) != count) return changed("list");
  }
  if (!writer_.reserve(2)) return no_memory();
  if (count == 0) writer_.put('[');
  writer_.overwrite(start, '[');  // the first comma, or the bracket itself
  writer_.put(']');
  return true;
}

bool JsonEncoder::tuple(PyObject* tuple, int depth) {
  Py_ssize_t count = api_.PyTuple_Size(tuple);
  if (!writer_.reserve(1)) return no_memory();
  writer_.put('[');
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!writer_.reserve(1)) return no_memory();
    if (i > 0) writer_.put(',');
    if (!value(api_.PyTuple_GetItem(tuple, i), depth)) {
      path_.push_back("[" + std::to_string(i) + "]");
      return false;
    }
  }
  return literal("]", 1);
}

bool JsonEncoder::dict(PyObject* dict, int depth) {
  size_t start = writer_.size();
  DictLock lock(api_, dict);
  Py_ssize_t count = api_.PyDict_Size(dict);
  Py_ssize_t position = 0;
  PyObject* name = nullptr;
  PyObject* item = nullptr;
  while (api_.PyDict_Next(dict, &position, &name, &item)) {
    PyObject* type = api_.type_of(item);
    if (is_scalar(item, type) && api_.type_of(name) == api_.PyUnicode_Type) {
      if (!key(name) || !scalar(item, type)) return false;
      continue;
    }
    api_.Py_IncRef(name);
    api_.Py_IncRef(item);
    PyRef hold_name(api_, name);
    PyRef hold_item(api_, item);
    if (!entry(name, item, depth)) return false;
    if (api_.PyDict_Size(dict) != count) return changed("dict");
  }
  if (!writer_.reserve(2)) return no_memory();
  if (writer_.size() == start) writer_.put('{');
  writer_.overwrite(start, '{');  // the first comma, or the brace itself
  writer_.put('}');
  return true;
}

// A subclass may have an order or a view of its own (OrderedDict): its items() decide.
bool JsonEncoder::dict_subclass(PyObject* dict, int depth) {
  PyRef items(api_, api_.PyMapping_Items(dict));
  if (!items) return false;
  size_t start = writer_.size();
  Py_ssize_t count = api_.PyList_Size(items.get());
  if (count < 0) return false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyRef pair = list_item(api_, items.get(), i);
    if (!pair) return shrunk();
    if (!api_.is_instance_of(pair.get(), api_.PyTuple_Type) || api_.PyTuple_Size(pair.get()) != 2) {
      return refuse("the items() of a " + type_name(api_, dict) + " are not pairs");
    }
    PyObject* name = api_.PyTuple_GetItem(pair.get(), 0);
    if (!entry(name, api_.PyTuple_GetItem(pair.get(), 1), depth)) return false;
    if (api_.PyList_Size(items.get()) != count) return changed("list");
  }
  if (!writer_.reserve(2)) return no_memory();
  if (count == 0) writer_.put('{');
  writer_.overwrite(start, '{');
  writer_.put('}');
  return true;
}

bool JsonEncoder::entry(PyObject* name, PyObject* item, int depth) {
  if (!key(name)) return false;
  if (value(item, depth)) return true;
  path_.push_back(path_step(api_, name));
  return false;
}

bool JsonEncoder::by_default(PyObject* object, int depth) {
  PyRef plain(api_, api_.PyObject_CallFunctionObjArgs(json_default_, object, nullptr));
  if (plain) return value(plain.get(), depth);
  error_.take(encode_error_type_);
  return false;
}

bool JsonEncoder::integer(PyObject* number) {
  int overflow = 0;
  long long plain = api_.PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow != 0 || plain > kMaxSafeInteger || plain < -kMaxSafeInteger)
    return big_integer(number);
  if (!writer_.reserve(24)) return no_memory();
  if (!writer_.wide()) {
    char* at = reinterpret_cast<char*>(writer_.cursor());
    writer_.advance(static_cast<size_t>(std::to_chars(at, at + 24, plain).ptr - at));
    return true;
  }
  char text[24];
  char* end = std::to_chars(text, text + sizeof text, plain).ptr;
  writer_.put_text(text, static_cast<size_t>(end - text));
  return true;
}

bool JsonEncoder::big_integer(PyObject* number) {
  std::string text = "b";
  return digits_from_integer(api_, number, text) && special(text.data(), text.size());
}

bool JsonEncoder::real(PyObject* object) {
  double number = api_.PyFloat_AsDouble(object);
  if (std::isnan(number)) return special("N", 1);
  if (std::isinf(number)) return number > 0 ? special("I", 1) : special("J", 1);
  if (number == 0) return std::signbit(number) ? literal("-0.0", 4) : literal("0", 1);
  if (!writer_.reserve(32)) return no_memory();
  char text[32];
  char* end = std::to_chars(text, text + sizeof text, number).ptr;
  writer_.put_text(text, static_cast<size_t>(end - text));
  return true;
}

bool JsonEncoder::literal(const char* text, size_t size) {
  if (!writer_.reserve(size)) return no_memory();
  writer_.put_text(text, size);
  return true;
}

bool JsonEncoder::special(const char* text, size_t size) {
  specials_ = true;
  return literal("\"\\u0000", 7) && literal(text, size) && literal("\"", 1);
}

bool JsonEncoder::no_memory() {
  api_.PyErr_NoMemory();
  return false;
}

bool JsonEncoder::refuse(std::string message) {
  error_.set(std::move(message));
  return false;
}

bool JsonEncoder::changed(const char* what) {
  return refuse(std::string("this ") + what + " changed its size while it was being encoded");
}

// An index that was there a moment ago is out of range now.
bool JsonEncoder::shrunk() {
  api_.PyErr_Clear();
  return changed("list");
}

bool JsonEncoder::finish(bool ok, TextBuffer& out, Py_ssize_t item) {
  if (!ok) {
    error_.raise(encode_error_type_, path_, item);
    return false;
  }
  out.append(writer_.view());
  if (specials_) out.specials = true;
  return true;
}

}  // namespace rxp
