// The way of answers to a worker process: a stream socket beside the link, because any thread there
// may wait for an answer while the main thread, which reads the ring, runs Python.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "codec/text.h"

namespace rxp {

// The pool's end. Any thread.
class AnswerWriter {
 public:
  // Fills `other`, the worker's end, for the caller to pass on and close. False with errno set.
  bool open(int* other);
  ~AnswerWriter();

  // False when a part of it, or of what was sent before, found no room: flush() later.
  bool send(int32_t number, bool ok, TextView text);
  bool flush();

 private:
  bool flush_locked();

  std::mutex mutex_;
  int socket_ = -1;
  std::string unsent_;
  size_t sent_ = 0;  // of unsent_
};

// The worker's end, which is the caller's from now on: reads on a thread of its own, until the pool
// has gone; then `take` is called with number 0.
void read_answers(int socket, std::function<void(int32_t number, bool ok, TextView text)> take);

}  // namespace rxp
