// Callbacks: Python asks, JavaScript answers. What is asked goes out by the result channel like
// output does; the answers come in here.
//
// C1  An answer is plain text until the Python thread that wants it takes it: no JavaScript thread
//     enters Python (rule T4), no Python thread enters JavaScript.
// C2  Every request ends: it is answered, or dropped by Python, or answered with an error when its
//     pool or worker process ends. Nobody waits for an answer that cannot come.
// C3  While an interpreter waits for an answer, it runs the calls that were made on its behalf
//     (Call::within), one inside the other. No other interpreter is needed for those.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "codec/text.h"

namespace rxp {

class Runtime;

// Who answers requests: a pool, or in a worker process the pool on the other side.
class CallbackOwner {
 public:
  // Its JavaScript thread runs Python itself, and cannot answer (rule T7).
  std::atomic<bool> busy{false};

 private:
  friend class CallbackDesk;
  bool closed_ = false;  // under the desk's lock
};

// All requests of this process that have no answer yet. Any thread; leaked on purpose.
class CallbackDesk {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kNobody = -1;
  static constexpr int32_t kRefused = -2;

  static CallbackDesk& instance();

  struct Answer {
    int32_t number = 0;
    bool ok = false;
    TextBuffer text;
  };
  // Told of the answer instead of anybody here.
  using Forward = std::function<void(bool ok, TextView text)>;

  // A new request, of an interpreter's seat or of nobody's; 0 when the owner has closed, kRefused
  // while it is busy. `future`: its answer is also given to next().
  int32_t begin(const std::shared_ptr<CallbackOwner>& owner, Runtime* runtime, int seat,
                bool future);
  // The same for a request that came from another process.
  int32_t forward(const std::shared_ptr<CallbackOwner>& owner, int seat, Forward to);
  // False when the owner has no such request any more.
  bool answer(const std::shared_ptr<CallbackOwner>& owner, int32_t number, bool ok, TextView text);
  void drop(int32_t number);
  // What closed owners' requests are answered with.
  static TextView closed_answer();
  // Answers all of the owner's requests with an error, and refuses further ones.
  void close(const std::shared_ptr<CallbackOwner>& owner);

  enum class State { kWaiting, kAnswered, kGone };
  // Takes the answer away, where there is one.
  State take(int32_t number, Answer& answer);
  // Has `wake` called when the answer comes, or now when it is there; an empty one ends that.
  void attend(int32_t number, std::function<void()> wake);
  // Blocks until the answer is there, the request is gone, or the time is over.
  void wait(int32_t number, Clock::time_point until);
  // The next answer to a future of this runtime. False when none came until then.
  bool next(Runtime* runtime, Clock::time_point until, Answer& answer);

  // The seat that a request came from, or kNobody.
  int seat_of(const std::shared_ptr<CallbackOwner>& owner, int32_t number);

 private:
  struct Request {
    std::shared_ptr<CallbackOwner> owner;
    Runtime* runtime = nullptr;
    int seat = kNobody;
    bool future = false;
    bool answered = false;
    bool ok = false;
    TextBuffer text;
    std::function<void()> wake;
    Forward forward;
  };
  int32_t add(Request request);

  std::mutex mutex_;
  std::condition_variable changed_;
  int32_t last_ = 0;
  std::unordered_map<int32_t, Request> requests_;
  std::unordered_map<Runtime*, std::deque<int32_t>> ready_;  // answered futures
};

// How an interpreter's thread waits while JavaScript works. Used on that thread, GIL held, unless
// said otherwise.
class CallbackWaiter {
 public:
  virtual ~CallbackWaiter() = default;
  // The seat of this interpreter at its pool, where it is here.
  virtual int seat() const = 0;
  // Waits for the answer to a request until it is woken, a signal comes, the time is over, or
  // (`serve`) it has run a call that was made on its behalf: true then.
  virtual bool wait(int32_t number, CallbackDesk::Clock::time_point until, bool serve) = 0;
  // Ends a wait(); any thread, also after the interpreter has gone.
  virtual std::function<void()> waker() = 0;
};

}  // namespace rxp
