// What an interpreter needs to know of where it works: a pool, or a worker process of one.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "callback/desk.h"
#include "interpreter/python_api.h"
#include "queue/call.h"
#include "queue/result_sink.h"

namespace rxp {

struct HandlerCodecs {
  CodecKind in = CodecKind::kString;
  CodecKind out = CodecKind::kString;
  bool exact = true;  // one result for each item
};

struct HandlerDefinition {
  HandlerCodecs codecs;
  bool stateful =
      false;            // its results depend on earlier calls, so another interpreter cannot go on
  int async_limit = 1;  // batches in flight on one interpreter, where it is async
  std::u16string request;  // JSON: what asks a host to open it
};

class Workplace {
 public:
  virtual ~Workplace() = default;

  virtual int32_t pool_id() const = 0;
  virtual std::shared_ptr<ResultSink> sink() = 0;
  virtual const std::string& host_options() const = 0;
  virtual HandlerDefinition handler(int32_t id) = 0;
  // The next result is that of this call, which began before the latest one.
  virtual void answering(const Call&) {}

  // Whoever answers the callbacks of this place.
  const std::shared_ptr<CallbackOwner> callbacks = std::make_shared<CallbackOwner>();

  // The host of a runtime that several interpreters of this place share; null until the first of
  // them has made it. An owned reference. The mutex is held while Python makes a host, so it is
  // only waited for detached (DetachedLock).
  std::mutex shared_host_mutex;
  PyObject* shared_host = nullptr;
  int shared_host_users = 0;
};

}  // namespace rxp
