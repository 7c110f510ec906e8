// Batches of an interpreter: from what was sent to the handler's argument, and from what it
// returned to what is posted.
#include <string>
#include <utility>

#include "interpreter/error_report.h"
#include "interpreter/interpreter.h"

namespace rxp {
namespace {

bool holds(const Call& call, size_t segments) { return call.segments.size() == segments; }

}  // namespace

PyObject* Interpreter::decode(const Call& call, CodecKind codec) {
  bool binary = codec >= CodecKind::kBuffer;
  if (binary != (call.kind == CallKind::kBinary) ||
      (codec == CodecKind::kString && call.count > 0 && call.lengths == nullptr) ||
      (codec == CodecKind::kBuffer && !holds(call, static_cast<size_t>(call.count))) ||
      (codec == CodecKind::kArray && (call.count != 1 || !holds(call, 1))) ||
      (codec == CodecKind::kColumns && !holds(call, kColumnsParts)) ||
      (codec != CodecKind::kArray && !call.layout.empty())) {
    api_.PyErr_SetString(*api_.PyExc_TypeError, "the batch is not one of this handler's codec");
    return nullptr;
  }
  switch (codec) {
    case CodecKind::kString:
      return strings_.decode(call.text, call.lengths, call.count);
    case CodecKind::kJson:
      return json_decoder_->decode_batch(call.text);
    case CodecKind::kBuffer:
      return binary_.decode_buffers(call);
    case CodecKind::kArray:
      return binary_.decode_array(call);
    case CodecKind::kColumns:
      return binary_.decode_columns(call);
  }
  return nullptr;
}

bool Interpreter::run_batch(Call& call) {
  Handler* found = find_handler(call.handler);
  if (found == nullptr) {
    fail(call, -1);
    return true;
  }
  // A copy: what runs inside this call may make handlers, or close this one.
  const Handler handler = *found;
  api_.Py_IncRef(handler.callable);
  PyRef callable(api_, handler.callable);
  CodecKind in = handler.codecs.in;
  PyRef batch(api_, decode(call, in));
  if (!batch) {
    fail(call, -1);
    return true;
  }
  if (handler.start != nullptr && stack_.size() == 1 && begin_flight(call, handler, batch)) {
    return false;
  }
  PyRef result;
  if (handler.start == nullptr || api_.PyErr_Occurred() == nullptr) {
    Open open(*this);
    result = PyRef(api_, api_.PyObject_CallFunctionObjArgs(handler.callable, batch.get(), nullptr));
    if (result && handler.codecs.out != CodecKind::kArray) {
      result = PyRef(api_, checked_list(result.release(), call, handler));
    }
  }
  settle(call, handler, result, batch);
  return true;
}

// Posts what a handler returned, or the exception that is set.
void Interpreter::settle(const Call& call, const Handler& handler, PyRef& result, PyRef& batch) {
  bool has_items = false;
  if (result) {
    has_items = encode(call, handler, result.get());
  } else {
    fail(call, -1);
  }
  result.reset();
  if (handler.codecs.in == CodecKind::kBuffer) binary_.release_views(batch.get());
  batch.reset();
  if (has_items) post_items(call);
  flush_output();
}

// Takes `result` over and returns it, or a list made of it; of columns a tuple with the list of
// their memory. Null with an exception set.
PyObject* Interpreter::checked_list(PyObject* result, const Call& call, const Handler& handler) {
  bool exact = handler.codecs.exact;
  PyRef owned(api_, result);
  bool is_list = api_.is_exact(result, api_.PyList_Type);
  if (is_list && api_.free_threaded) {
    // The handler may have kept it, and another thread may be changing it: a copy of our own.
    owned = PyRef(api_, api_.PyList_GetSlice(result, 0, api_.PyList_Size(result)));
    if (!owned) return nullptr;
    result = owned.get();
  }
  if (is_list && (!exact || api_.PyList_Size(result) == call.count)) return owned.release();
  PyRef count(api_, api_.PyLong_FromLong(call.count));
  if (!count) return nullptr;
  // The rows of a two-dimensional array are buffers themselves.
  bool rows = handler.codecs.out == CodecKind::kBuffer;
  PyObject* convert = handler.codecs.out == CodecKind::kColumns ? from_columns_ : as_list_;
  return api_.PyObject_CallFunctionObjArgs(convert, result, count.get(),
                                           exact ? api_.True : api_.False,
                                           rows ? api_.True : api_.False, nullptr);
}

bool Interpreter::encode(const Call& call, const Handler& handler, PyObject* result) {
  out_.clear();
  lengths_.clear();
  items_.clear();
  Py_ssize_t bad = -1;
  CodecKind codec = handler.codecs.out;
  // What is no columns goes as records do.
  const bool records = codec == CodecKind::kColumns && api_.is_exact(result, api_.PyList_Type);
  if (records) codec = CodecKind::kJson;
  switch (codec) {
    case CodecKind::kColumns:
      bad = binary_.encode_buffers(api_.PyTuple_GetItem(result, 0), call, items_);
      break;
    case CodecKind::kString:
      bad = strings_.encode(result, out_, lengths_);
      if (bad >= 0 && api_.PyErr_Occurred() == nullptr) {
        PyRef item = list_item(api_, result, bad);
        PyRef type(api_, api_.PyObject_Type(item.get()));
        PyRef name(api_, api_.PyObject_GetAttrString(type.get(), "__name__"));
        const char* text = name ? api_.PyUnicode_AsUTF8AndSize(name.get(), nullptr) : nullptr;
        raise_host_error(runtime_, "ResultEncodeError",
                         "result " + std::to_string(bad) + " is of type " +
                             (text == nullptr ? "?" : text) +
                             "; the codec 'string' carries only str: return str(...), or use the "
                             "codec 'json'");
      }
      break;
    case CodecKind::kJson:
      if (!json_encoder_->encode_batch(result, out_, &bad)) {
        fail(call, bad);
        return false;
      }
      bad = -1;
      lengths_.assign(1, static_cast<int32_t>(out_.size()));
      break;
    case CodecKind::kBuffer:
      bad = binary_.encode_buffers(result, call, items_);
      break;
    case CodecKind::kArray:
      bad = binary_.encode_array(result, call, items_);
      break;
  }
  if (bad >= 0) {
    fail(call, codec == CodecKind::kBuffer || codec == CodecKind::kString ? bad : -1);
  } else if (codec >= CodecKind::kBuffer) {
    return true;
  } else {
    ResultStatus status = out_.specials ? ResultStatus::kSpecials : ResultStatus::kOk;
    results_->post_text(output_->pool, call.id, status, out_, lengths_);
  }
  return false;
}

void Interpreter::post_items(const Call& call) {
  if (!binary_.settle_aliases(call, items_)) return fail(call, -1);
  results_->post_binary(output_->pool, call.id, items_);
}

}  // namespace rxp
