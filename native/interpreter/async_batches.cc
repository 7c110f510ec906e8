// Batches of `async def` handlers: begun here, then tasks of the thread's event loop, many at a
// time (python/rxjs_python/_tasks.py). The calls stay at their seat until they end.
#include <utility>

#include "interpreter/interpreter.h"

namespace rxp {

// Handlers that may have batches in flight carry what that takes as attributes.
void Interpreter::load_flight(Handler& handler, int limit) {
  if (limit < 2) return;
  PyObject* start = api_.PyObject_GetAttrString(handler.callable, "__rxp_start__");
  PyObject* loops =
      start == nullptr ? nullptr : api_.PyObject_GetAttrString(handler.callable, "__rxp_loops__");
  if (loops == nullptr) {
    api_.PyErr_Clear();
    if (start != nullptr) api_.Py_DecRef(start);
    return;
  }
  handler.start = start;
  handler.loops = loops;
  handler.limit = limit;
}

void Interpreter::release(Handler& handler) {
  for (PyObject* object : {handler.callable, handler.start, handler.loops}) {
    if (object != nullptr) api_.Py_DecRef(object);
  }
}

PyObject* Interpreter::tasks(PyObject* loops) {
  PyRef name(api_, api_.PyUnicode_FromString("tasks"));
  return name ? api_.PyObject_CallMethodObjArgs(loops, name.get(), nullptr) : nullptr;
}

bool Interpreter::begin_flight(Call& call, const Handler& handler, PyRef& batch) {
  PyRef all(api_, tasks(handler.loops));
  PyRef name(api_, api_.PyUnicode_FromString("begin"));
  PyRef ticket(api_, api_.PyLong_FromLongLong(static_cast<long long>(call.ticket)));
  if (!all || !name || !ticket) return false;
  PyRef begun;
  {
    Open open(*this);
    begun = PyRef(api_, api_.PyObject_CallMethodObjArgs(all.get(), name.get(), ticket.get(),
                                                        handler.start, batch.get(), nullptr));
  }
  if (!begun) return false;
  for (PyObject* object : {handler.callable, handler.start, handler.loops}) api_.Py_IncRef(object);
  if (flight_loops_ == nullptr) {
    api_.Py_IncRef(handler.loops);
    flight_loops_ = handler.loops;
  }
  flights_.emplace(call.ticket, Flight{&call, handler, std::move(batch)});
  return true;
}

bool Interpreter::full() const {
  if (flights_.empty()) return false;
  std::unordered_map<PyObject*, int> count;
  for (const auto& [ticket, flight] : flights_) {
    if (++count[flight.handler.start] >= flight.handler.limit) return true;
  }
  return false;
}

void Interpreter::cancel(uint64_t ticket) {
  if (flights_.count(ticket) == 0) return;
  PyRef all(api_, tasks(flight_loops_));
  PyRef name(api_, api_.PyUnicode_FromString("cancel"));
  PyRef number(api_, api_.PyLong_FromLongLong(static_cast<long long>(ticket)));
  PyRef done(api_, all && name && number ? api_.PyObject_CallMethodObjArgs(all.get(), name.get(),
                                                                           number.get(), nullptr)
                                         : nullptr);
  if (!done) api_.PyErr_Clear();
}

void Interpreter::run_loop(int descriptor, std::vector<Call*>& ended) {
  PyRef all(api_, tasks(flight_loops_));
  PyRef name(api_, api_.PyUnicode_FromString("run"));
  PyRef number(api_, api_.PyLong_FromLong(descriptor));
  // A step may wait for a callback like any handler.
  stack_.push_back({&loop_call_});
  bool before = std::exchange(open_, true);
  PyRef list(api_, all && name && number ? api_.PyObject_CallMethodObjArgs(all.get(), name.get(),
                                                                           number.get(), nullptr)
                                         : nullptr);
  open_ = before;
  stack_.pop_back();
  if (!list) {  // an interrupt between two steps of the loop's; what has ended is kept there
    api_.PyErr_Clear();
    return;
  }
  Py_ssize_t count = api_.PyList_Size(list.get());
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject* entry = api_.PyList_GetItem(list.get(), i);
    int overflow = 0;
    auto ticket = static_cast<uint64_t>(
        api_.PyLong_AsLongLongAndOverflow(api_.PyTuple_GetItem(entry, 0), &overflow));
    auto found = flights_.find(ticket);
    if (found == flights_.end()) continue;
    Flight flight = std::move(found->second);
    flights_.erase(found);
    bool ok = api_.PyObject_IsTrue(api_.PyTuple_GetItem(entry, 1)) == 1;
    end_flight(flight, ok, api_.PyTuple_GetItem(entry, 2));
    ended.push_back(flight.call);
  }
}

void Interpreter::end_flight(Flight& flight, bool ok, PyObject* value) {
  const Call& call = *flight.call;
  stack_.push_back({flight.call});
  place_.answering(call);
  PyRef result;
  if (!ok) {
    PyRef type(api_, api_.PyObject_Type(value));
    api_.PyErr_SetObject(type.get(), value);
  } else {
    api_.Py_IncRef(value);
    result = PyRef(api_, value);
    if (flight.handler.codecs.out != CodecKind::kArray) {
      Open open(*this);
      result = PyRef(api_, checked_list(result.release(), call, flight.handler));
    }
  }
  settle(call, flight.handler, result, flight.batch);
  release(flight.handler);
  stack_.pop_back();
}

}  // namespace rxp
