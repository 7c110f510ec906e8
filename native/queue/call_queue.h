// The queue of one pool: calls that any interpreter may take, and calls meant for one of them.
//
// The JavaScript thread pushes and removes, interpreter threads take. A lock rather than a
// lock-free queue: it is held for a few dozen nanoseconds, and cancelling needs to look inside.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "queue/call.h"

namespace rxp {

class CallQueue {
 public:
  // Adds a seat and returns its index, which may be one that was free. A seat is one interpreter's
  // place at the queue. Until it is opened it gets only what is meant for it.
  int add_seat();
  // How many there are, free ones included. For the thread that adds them, which needs no lock.
  int seats() const { return static_cast<int>(seats_.size()); }
  void open_seat(int seat);
  // The seat is closed and its interpreter has left: its index may be used again.
  void free_seat(int seat);
  // Moves the keyed calls that wait for one seat to another, in their order, before what waits
  // there.
  void hand_over(int from, int to);

  // Takes ownership of the envelope; its calls come out in order.
  void push(Envelope* envelope);

  // Ends the seat's running call, if there is one, and frees it. Then the next call for this seat,
  // or null when there is none; it is marked as running.
  Call* next(int seat, Call* finished, bool full = false);
  // Waits for a call, a poke or the seat's end; null for the latter two. Marks a call as running.
  Call* take(int seat);

  // Borrows a seat whose thread waits in take(), where nothing waits for it: returns the seat, or
  // -1 when there is none. The thread stays there until the seat is given back, after a batch with
  // so many items, or -1 when none was run.
  int borrow_seat();
  void return_seat(int seat, int32_t items);

  // For a seat whose interpreter waits for a callback: a call that was made on its behalf (only
  // with `serve`), or null when it was poked or the time is over. Such a call ends with finish().
  Call* take_nested(int seat, std::chrono::steady_clock::time_point until, bool serve);
  // The same for an interpreter elsewhere, without waiting.
  Call* hand_out_nested(int seat);

  // For a seat whose interpreter is elsewhere and holds several calls at a time: the next call for
  // it, or null when there is none; it is marked as running.
  Call* hand_out(int seat);
  // Ends such a call, and frees it.
  void finish(int seat, Call* call);
  // A call that has begun goes on beside others of its seat, as a task or inside of another.
  void fly(int seat, Call* call);
  // Puts calls that did not begin back to the front of the queue, in this order.
  void give_back(int seat, const std::vector<Call*>& calls);

  // For a seat whose thread waits in an event loop. begin_loop() is false when there is something
  // to do first; afterwards `descriptor` becomes readable when there is. `full`: calls for any seat
  // do not count, but those somebody waits for do.
  bool begin_loop(int seat, int descriptor, bool full);
  void end_loop(int seat);

  // Wakes a seat that waits, so that its interpreter looks after other work.
  void poke(int seat);
  // take() answers null from now on once nothing is left for this seat.
  void close_seat(int seat);
  bool seat_closed(int seat) const;

  // For a seat whose interpreter does not come back from the call with this ticket: closes the seat
  // and adds one that takes over what is meant for it, now and later. Returns the new seat, or -1
  // when the call has ended or the seat is closed.
  int replace_seat(int seat, uint64_t ticket);
  // Closes a seat and hands what is meant for it to another that is open. False when there is none:
  // then it is an orphan, and its calls stay.
  bool merge_seat(int seat);
  // Lets a seat serve the orphans, too, and returns them.
  std::vector<int> adopt_orphans(int seat);
  // The seat that serves the calls for this one.
  int resolve(int seat) const;

  enum class Cancelled { kNotFound, kRemoved, kRunning };
  // Removes a waiting call (its envelope part is freed), or names the seat that runs it, and its
  // ticket.
  Cancelled cancel(int32_t id, int* seat, uint64_t* ticket);
  struct Running {
    int seat = -1;  // none runs it
    uint64_t ticket = 0;
    int32_t handler = 0;
  };
  Running find_running(int32_t id) const;
  // The other calls of the seat that runs this one.
  std::vector<int32_t> held_with(int32_t id) const;
  // Removes every waiting call, except control calls when `keep_control`. Returns their ids.
  std::vector<int32_t> clear(bool keep_control);
  // What a seat has done since it was added, and how much waits for it alone.
  struct Load {
    int64_t batches = 0;
    int64_t items = 0;
    int64_t busy = 0;  // nanoseconds in which it had batches to run, up to now
    size_t waiting = 0;
  };
  Load load(int seat) const;
  // How long a call has been running, in nanoseconds; -1 when it waits, or is not here (any more).
  int64_t runs_for(int32_t id) const;
  // The tickets of the calls that a seat runs.
  std::vector<uint64_t> running(int seat) const;
  // Whether a seat runs the call with this ticket, or another one inside it.
  bool runs(int seat, uint64_t ticket) const;
  size_t waiting() const;
  // Blocks until no seat runs a call for which `matters(call)`, at most `milliseconds`.
  bool wait_idle(bool (*matters)(const Call&), int milliseconds);

 private:
  struct Seat {
    std::deque<Call*> own;
    std::condition_variable wake;
    // The first one that does not run beside others runs, too; those behind it wait elsewhere.
    std::vector<Call*> running;
    bool idle = false;  // its thread is in take()
    bool borrowed = false;
    bool waiting = false;
    bool calling = false;  // waits for a callback
    bool full = false;     // takes no calls for any seat
    int looping = -1;      // the descriptor that wakes its event loop
    bool busy_waiting() const { return waiting || calling || looping >= 0; }
    bool poked = false;
    bool closed = false;
    bool orphan = false;
    int successor = -1;   // the seat that serves this one's calls since it was given up
    bool opened = false;  // takes calls that are meant for any seat
    bool free = false;
    Load done;
    int batches = 0;         // of those that are running
    int64_t busy_since = 0;  // while there are such
  };
  Seat& serving(int index) { return *seats_[static_cast<size_t>(resolved(index))]; }
  int resolved(int index) const;
  Running locate(int32_t id) const;
  bool waits(int32_t id) const;
  static int64_t now();
  static bool is_batch(const Call& call) {
    return call.kind == CallKind::kText || call.kind == CallKind::kBinary;
  }
  // Of the calls that run one after the other, the one whose turn it is; null when there is none.
  static Call* in_turn(const Seat& seat);
  static bool runs(const Seat& seat, const Call& call) {
    return call.beside || in_turn(seat) == &call;
  }
  Call* pop(Seat& seat);
  // Adds a call to those that the seat holds, or takes it off: then the one behind it runs.
  static void hold(Seat& seat, Call* call, int64_t time);
  static void drop(Seat& seat, Call* call, bool ended, int64_t time);
  // The call whose turn it is now begins.
  static void begin_turn(Seat& seat, int64_t time);
  Call* pop_nested(int index);
  std::deque<Call*>& home_of(Call& call);
  void wake(Seat& seat);
  void spin();

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::atomic<uint32_t> pushes_{0};
  std::atomic<bool> spinning_{false};
  int watchers_ = 0;  // who waits for idle_
  std::deque<Call*> common_;
  std::deque<Call*> urgent_;  // for any seat; somebody waits for what they were made for
  std::vector<std::unique_ptr<Seat>> seats_;
  uint64_t last_ticket_ = 0;
};

}  // namespace rxp
