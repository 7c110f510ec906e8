// The buffer, array and columns codecs: JavaScript's memory to memoryviews and numpy arrays without
// a copy, and Python's memory back without one where JavaScript may write to it.
#pragma once

#include <vector>

#include "interpreter/python_api.h"
#include "queue/call.h"
#include "queue/result_sink.h"

namespace rxp {

class Runtime;

// A batch of columns: what they are, and their memory.
inline constexpr size_t kColumnsParts = 2;

class BinaryCodec {
 public:
  explicit BinaryCodec(Runtime& runtime);
  ~BinaryCodec();

  // buffer: a list of memoryviews. array: one numpy array. New reference, or null with an
  // exception.
  PyObject* decode_buffers(const Call& call);
  PyObject* decode_array(const Call& call);
  // columns: what python/rxjs_python/_columns.py makes of the two parts of the batch.
  PyObject* decode_columns(const Call& call);
  // Ends the handler's views of this batch: a memoryview that was kept raises from now on. What
  // numpy still refers to stays alive instead (rule M1).
  void release_views(PyObject* list);

  // Return -1, or the index of the result that could not be carried, with an exception set.
  Py_ssize_t encode_buffers(PyObject* list, const Call& call, std::vector<BinaryItem>& out);
  Py_ssize_t encode_array(PyObject* result, const Call& call, std::vector<BinaryItem>& out);
  // When the batch and the result have been dropped: copies the results that lie in transferred
  // memory which Python kept (rule M4). False, with an exception, when there is no memory.
  bool settle_aliases(const Call& call, std::vector<BinaryItem>& items);

 private:
  class SharedParts;
  bool view_of(PyObject* result, Py_buffer& view) const;
  bool take_array(PyObject* array, bool shaped, ExportedBuffer& exported, BinaryItem& item) const;

  Runtime& runtime_;
  const PythonApi& api_;
  PyObject* to_array_;
  PyObject* from_array_;
  PyObject* from_buffer_;
  PyObject* to_columns_;
  // numpy's ndarray, once a result was one: its memory is the whole of it. Of other types that is
  // not known (a masked array shows its data and hides its mask), so Python looks at each.
  PyObject* plain_array_type_ = nullptr;
  PyObject* release_name_;
};

}  // namespace rxp
