// A pool whose interpreters are elsewhere, and its queue: who is fed, who runs which call, what
// comes back. Nothing of Python runs here.
#include <chrono>
#include <thread>
#include <utility>

#include "core/script.h"

namespace rxp::test {
namespace {

// An interpreter elsewhere whose load is another whenever it is asked for.
class RestlessSeat final : public RemoteSeat {
 public:
  int load() const override {
    return static_cast<int>((state_ = state_ * 1103515245 + 12345) >> 16);
  }
  bool feed() override {
    fed++;
    return false;
  }
  void start(int32_t) override {}
  CallQueue::Cancelled cancel(uint64_t) override { return CallQueue::Cancelled::kNotFound; }
  void define(int32_t, const HandlerDefinition&) override {}
  size_t memory() override { return 0; }
  void leave() override {}
  void abandon() override {}

  int fed = 0;

 private:
  mutable uint32_t state_ = 1;
};

// Who is fed first goes by loads that other threads change.
void test_feed() {
  constexpr int kSeats = 12;
  constexpr int kTurns = 2000;
  std::vector<std::shared_ptr<RestlessSeat>> seats;
  auto make = [&seats](const std::shared_ptr<Pool>&, int) {
    return seats.emplace_back(std::make_shared<RestlessSeat>());
  };
  Script script{RuntimeOptions{}};
  auto pool = script.elsewhere(make);
  for (int i = 0; i < kSeats; i++) pool->start(i);
  for (int turn = 0; turn < kTurns; turn++) pool->feed();
  for (const auto& seat : seats) CHECK(seat->fed == kTurns);
}

Envelope* envelope_of(int32_t id) {
  auto* envelope = new Envelope;
  envelope->calls.resize(1);
  envelope->calls[0].id = id;
  return envelope;
}

// A call whose result has been posted may not have ended yet when the next one has its number.
void test_numbers_again() {
  constexpr int32_t kId = 7;
  CallQueue queue;
  for (int i = 0; i < 2; i++) queue.open_seat(queue.add_seat());
  queue.push(envelope_of(kId));
  Call* old = queue.next(0, nullptr);
  queue.push(envelope_of(kId));
  CHECK(queue.find_running(kId).seat == -1 && queue.runs_for(kId) == -1);
  Call* call = queue.next(1, nullptr);
  int seat = -1;
  uint64_t ticket = 0;
  CHECK(queue.find_running(kId).seat == 1 && queue.runs_for(kId) >= 0);
  CHECK(queue.cancel(kId, &seat, &ticket) == CallQueue::Cancelled::kRunning);
  CHECK(seat == 1 && ticket == call->ticket);
  queue.finish(1, call);
  queue.finish(0, old);
  CHECK(queue.find_running(kId).seat == -1);
}

// An interpreter elsewhere that gives a call back while somebody looks for it.
class GivingSeat final : public RemoteSeat {
 public:
  explicit GivingSeat(Pool& pool) : pool_(pool) {}
  ~GivingSeat() override { giver_.join(); }

  CallQueue::Cancelled cancel(uint64_t) override {
    if (held != nullptr) {
      giver_ = std::thread([this, call = std::exchange(held, nullptr)] {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        pool_.queue().give_back(0, {call});
      });
    }
    return CallQueue::Cancelled::kNotFound;
  }
  int load() const override { return 0; }
  bool feed() override { return false; }
  void start(int32_t) override {}
  void define(int32_t, const HandlerDefinition&) override {}
  size_t memory() override { return 0; }
  void leave() override {}
  void abandon() override {}

  Call* held = nullptr;

 private:
  Pool& pool_;
  std::thread giver_;
};

// Such a call must not run after all: nobody waits for it, and its handler may be another by then.
void test_given_back() {
  constexpr int32_t kId = 7;
  std::shared_ptr<GivingSeat> seat;
  auto make = [&seat](const std::shared_ptr<Pool>& pool, int) {
    return seat = std::make_shared<GivingSeat>(*pool);
  };
  Script script{RuntimeOptions{}};
  auto pool = script.elsewhere(make);
  CHECK(pool->start(1) == 0);
  pool->queue().open_seat(0);
  pool->push(envelope_of(kId));
  seat->held = pool->queue().hand_out(0);
  CHECK(seat->held != nullptr && pool->cancel(kId) == 1);
  CHECK(pool->queue().waiting() == 0 && pool->cancel(kId) == 0);
}

}  // namespace
}  // namespace rxp::test

int main() {
  using namespace rxp::test;
  test_feed();
  test_numbers_again();
  test_given_back();
  std::printf("seats: ok\n");
  return 0;
}
