// One side's end of what a pool and a worker process share: the rings and the socket (wire.h).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "process/ring.h"
#include "process/wire.h"

namespace rxp {

class Link {
 public:
  // The pool's side, with descriptors for the other one. Null with `error` filled.
  static std::unique_ptr<Link> create(std::string& error);
  // The worker's side. Null when the descriptors are not what they should be.
  static std::unique_ptr<Link> adopt(int memory, int socket);
  ~Link();

  SharedState& state() { return *state_; }
  RingWriter out;
  RingReader in;

  // Wakes the other side if it waits for what was published.
  void wake();

  // Waits for a message, at most `milliseconds` (-1: for ever), unless one is there. Also ends when
  // one of the two other descriptors (or -1) becomes readable, and when the other side has gone.
  enum class Woken { kSocket, kOther, kAnother, kTimeout, kGone };
  Woken wait(int milliseconds, int other = -1, int another = -1);
  bool other_side_gone();
  // The same for somebody who waits for the socket to become readable by other means: begin_wait()
  // is false when a message is there, end_wait() when the other side has gone.
  int socket() const { return socket_; }
  bool begin_wait() { return in.begin_wait(); }
  bool end_wait();

  // Passes a block's descriptor on, before the message that names it is published. False when the
  // socket has no room and `patient` is not set.
  bool send_descriptor(uint32_t block, int descriptor, bool patient);
  // The descriptor that came for this block, now the caller's; -1 when none did.
  int take_descriptor(uint32_t block);

  // What the worker process is to have.
  int other_memory() const { return memory_; }
  int other_socket() const { return other_socket_; }
  void close_other_socket();

 private:
  Link() = default;
  bool map(int memory);
  void receive();

  SharedState* state_ = nullptr;
  int memory_ = -1;
  int socket_ = -1;
  int other_socket_ = -1;
  bool gone_ = false;
  std::unordered_map<uint32_t, int> descriptors_;
};

}  // namespace rxp
