#include "binding/pool.h"

#include <utility>
#include <vector>

#include "process/remote_interpreter.h"

#include "binding/arguments.h"
#include "binding/backing_store.h"
#include "binding/rows.h"

namespace rxp {
namespace {

constexpr int32_t kMostGrace = 1 << 30;  // milliseconds, twelve days
WorkerProgram worker_program(Arguments& arguments) {
  WorkerProgram program;
  program.executable = arguments.string_field(1, "executable");
  program.python_dir = arguments.string_field(1, "pythonDir");
  program.grace = arguments.integer_field(1, "grace");
  if (program.grace < 0 || program.grace > kMostGrace) arguments.refuse("grace is out of range");
  napi_value environment = arguments.field(1, "environment");
  uint32_t count = arguments.array_length(environment, "environment");
  for (uint32_t i = 0; arguments.ok() && i < count; i++) {
    napi_value entry = nullptr;
    if (napi_get_element(arguments.env(), environment, i, &entry) != napi_ok) {
      arguments.refuse("environment could not be read");
    } else {
      program.environment.push_back(arguments.string_of(entry, "each part of environment"));
    }
  }
  return program;
}

}  // namespace

Napi::Function PoolBinding::define(Napi::Env env) {
  return DefineClass(env, "NativePool",
                     {InstanceMethod<&PoolBinding::start>("start"),
                      InstanceMethod<&PoolBinding::stop>("stop"),
                      InstanceMethod<&PoolBinding::open>("open"),
                      InstanceMethod<&PoolBinding::hand_over>("handOver"),
                      InstanceMethod<&PoolBinding::define_handler>("defineHandler"),
                      InstanceMethod<&PoolBinding::submit>("submit"),
                      InstanceMethod<&PoolBinding::submit_binary>("submitBinary"),
                      InstanceMethod<&PoolBinding::run_inline>("runInline"),
                      InstanceMethod<&PoolBinding::post_inline>("postInline"),
                      InstanceMethod<&PoolBinding::control>("control"),
                      InstanceMethod<&PoolBinding::forget>("forget"),
                      InstanceMethod<&PoolBinding::cancel>("cancel"),
                      InstanceMethod<&PoolBinding::give_up>("giveUp"),
                      InstanceMethod<&PoolBinding::held_with>("heldWith"),
                      InstanceMethod<&PoolBinding::runs_for>("runsFor"),
                      InstanceMethod<&PoolBinding::load>("load"),
                      InstanceMethod<&PoolBinding::memory>("memory"),
                      InstanceMethod<&PoolBinding::counters>("counters"),
                      InstanceMethod<&PoolBinding::waiting>("waiting"),
                      InstanceMethod<&PoolBinding::concerns>("concerns"),
                      InstanceMethod<&PoolBinding::within>("within"),
                      InstanceMethod<&PoolBinding::answer>("answer"),
                      InstanceMethod<&PoolBinding::close_callbacks>("closeCallbacks")});
}

PoolBinding::PoolBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PoolBinding>(info) {
  Arguments arguments(info, "NativePool");
  ChannelBinding* channel = ChannelBinding::from(info.Env(), info[0]);
  if (channel == nullptr) arguments.refuse("the first argument must be a NativeChannel");
  RuntimeOptions runtime;
  runtime.library = arguments.string_field(1, "library");
  runtime.executable = arguments.string_field(1, "executable");
  runtime.python_dir = arguments.string_field(1, "pythonDir");
  std::string isolation = arguments.string_field(1, "isolation");
  std::string host = arguments.string_field(1, "host");
  int32_t id = arguments.integer_field(1, "id");
  Pool::RemoteFactory remote;
  if (isolation == "process") {
    runtime.isolation = Isolation::kProcess;
    remote = [program = worker_program(arguments)](std::shared_ptr<Pool> pool, int seat) {
      return std::make_shared<RemoteInterpreter>(std::move(pool), seat, program);
    };
  } else if (isolation == "shared" || isolation == "namespace") {
    runtime.isolation = isolation == "shared" ? Isolation::kShared : Isolation::kNamespace;
  } else {
    arguments.refuse("isolation must be 'shared', 'namespace' or 'process'");
  }
  if (!arguments.ok()) return;
  state_ = channel->state();
  pool_ = std::make_shared<Pool>(id, state_->channel(), runtime, host, std::move(remote));
  state_->add_pool(pool_);
}

Napi::Value PoolBinding::start(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "start");
  int32_t call = arguments.integer(0, "call");
  if (!arguments.ok()) return info.Env().Undefined();
  int seat = pool_->start(call);
  return Napi::Number::New(info.Env(), seat);
}

void PoolBinding::stop(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "stop");
  int32_t seat = arguments.integer(0, "seat", 0, seats() - 1);
  int32_t call = arguments.integer(1, "call");
  if (arguments.ok()) pool_->stop(seat, call);
}

void PoolBinding::open(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "open");
  int32_t seat = arguments.integer(0, "seat", 0, seats() - 1);
  if (arguments.ok()) pool_->open(seat);
}

// handOver(from seat, to seat)
void PoolBinding::hand_over(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "handOver");
  int32_t from = arguments.integer(0, "from", 0, seats() - 1);
  int32_t to = arguments.integer(1, "to", 0, seats() - 1);
  if (arguments.ok()) pool_->hand_over(from, to);
}

void PoolBinding::define_handler(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "defineHandler");
  constexpr auto kLastCodec = static_cast<int32_t>(CodecKind::kColumns);
  HandlerDefinition definition;
  int32_t handler = handler_at(arguments, 0);
  definition.codecs.in = static_cast<CodecKind>(arguments.integer(1, "codecIn", 0, kLastCodec));
  definition.codecs.out = static_cast<CodecKind>(arguments.integer(2, "codecOut", 0, kLastCodec));
  definition.codecs.exact = arguments.boolean(3, "exact");
  definition.request = arguments.text(4, "request");
  definition.async_limit = arguments.integer(5, "asyncConcurrency", 1, kMostInFlight);
  if (arguments.ok()) pool_->define_handler(handler, std::move(definition));
}

// control(call, interpreter, text, units)
void PoolBinding::control(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "control");
  std::unique_ptr<Envelope> envelope = single_envelope(arguments, CallKind::kControl, seats());
  auto units = static_cast<size_t>(arguments.integer(3, "units", 0, kMostUnits));
  if (!arguments.ok()) return;
  if (!read_texts(info.Env(), info[2], false, units, false, *envelope)) {
    return arguments.refuse("the request could not be read");
  }
  envelope->calls[0].text = TextView{envelope->units.get(), units, false};
  pool_->push(envelope.release());
}

// forget(call, interpreter, handler)
void PoolBinding::forget(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "forget");
  std::unique_ptr<Envelope> envelope = single_envelope(arguments, CallKind::kForget, seats());
  envelope->calls[0].handler = handler_at(arguments, 2);
  if (arguments.ok()) pool_->push(envelope.release());
}

Napi::Value PoolBinding::cancel(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "cancel");
  int32_t call = arguments.integer(0, "call");
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), pool_->cancel(call));
}

// giveUp(call, start call): see Pool::give_up.
Napi::Value PoolBinding::give_up(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "giveUp");
  int32_t call = arguments.integer(0, "call");
  int32_t start_call = arguments.integer(1, "start call", 0);
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<int>(pool_->give_up(call, start_call)));
}

// heldWith(call): the numbers of the calls that the same interpreter holds.
Napi::Value PoolBinding::held_with(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "heldWith");
  int32_t call = arguments.integer(0, "call");
  if (!arguments.ok()) return info.Env().Undefined();
  std::vector<int32_t> others = pool_->queue().held_with(call);
  auto numbers = Napi::Array::New(info.Env(), others.size());
  for (uint32_t i = 0; i < others.size(); i++) numbers[i] = others[i];
  return numbers;
}

// runsFor(call): milliseconds that it has been running; -1 when it waits, or is not there.
Napi::Value PoolBinding::runs_for(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "runsFor");
  int32_t call = arguments.integer(0, "call");
  if (!arguments.ok()) return info.Env().Undefined();
  int64_t nanoseconds = pool_->queue().runs_for(call);
  return Napi::Number::New(info.Env(),
                           nanoseconds < 0 ? -1 : static_cast<double>(nanoseconds) / 1e6);
}

// load(seat, numbers): writes the batches and items that the seat has run, the milliseconds that it
// was busy, and the calls that wait for it, into a Float64Array.
void PoolBinding::load(const Napi::CallbackInfo& info) {
  constexpr size_t kNumbers = 4;
  Arguments arguments(info, "load");
  int32_t seat = arguments.integer(0, "seat", 0, seats() - 1);
  double* numbers = arguments.doubles(1, "numbers", kNumbers);
  if (!arguments.ok()) return;
  CallQueue::Load load = pool_->queue().load(seat);
  numbers[0] = static_cast<double>(load.batches);
  numbers[1] = static_cast<double>(load.items);
  numbers[2] = static_cast<double>(load.busy) / 1e6;
  numbers[3] = static_cast<double>(load.waiting);
}

// memory(seat): bytes of an interpreter that has a process to itself, else 0.
Napi::Value PoolBinding::memory(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "memory");
  int32_t seat = arguments.integer(0, "seat", 0, seats() - 1);
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(pool_->memory(seat)));
}

// counters(): how often worker processes crashed, interpreters got stuck, and others replaced them.
Napi::Value PoolBinding::counters(const Napi::CallbackInfo& info) {
  const PoolCounters& counters = pool_->counters();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("crashes", counters.crashes.load());
  result.Set("stuck", counters.stuck.load());
  result.Set("stuckNow", counters.stuck_now.load());
  result.Set("restarts", counters.restarts.load());
  return result;
}

// concerns(callback, call): whether the interpreter that asked for the callback may be the one that
// runs the call. One that is not known may.
Napi::Value PoolBinding::concerns(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "concerns");
  int32_t callback = arguments.integer(0, "callback", 1);
  int32_t call = arguments.integer(1, "call");
  if (!arguments.ok()) return info.Env().Undefined();
  int asker = CallbackDesk::instance().seat_of(pool_->callbacks, callback);
  int runner = pool_->queue().find_running(call).seat;
  return Napi::Boolean::New(info.Env(), asker < 0 || runner < 0 || asker == runner);
}

// within(call, callback): the call that is going to be sent was made by a callback that Python
// waits for.
void PoolBinding::within(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "within");
  int32_t call = arguments.integer(0, "call");
  int32_t callback = arguments.integer(1, "callback", 1);
  if (arguments.ok()) within_[call] = callback;
}

int32_t PoolBinding::take_within(int32_t call) {
  if (within_.empty()) return 0;
  auto found = within_.find(call);
  if (found == within_.end()) return 0;
  int32_t callback = found->second;
  within_.erase(found);
  return callback;
}

// answer(callback, ok, text, units): false when nobody waits for it any more.
Napi::Value PoolBinding::answer(const Napi::CallbackInfo& info) {
  Envelope text;
  Arguments arguments(info, "answer");
  int32_t callback = arguments.integer(0, "callback");
  bool ok = arguments.boolean(1, "ok");
  auto units = static_cast<size_t>(arguments.integer(3, "units", 0, kMostUnits));
  if (arguments.ok() && !read_texts(info.Env(), info[2], false, units, false, text)) {
    arguments.refuse("the answer could not be read");
  }
  if (!arguments.ok()) return info.Env().Undefined();
  bool waited = CallbackDesk::instance().answer(pool_->callbacks, callback, ok,
                                                {text.units.get(), units, false});
  return Napi::Boolean::New(info.Env(), waited);
}

// closeCallbacks(): Python's requests fail from now on.
void PoolBinding::close_callbacks(const Napi::CallbackInfo&) {
  CallbackDesk::instance().close(pool_->callbacks);
}

Napi::Value PoolBinding::waiting(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(pool_->queue().waiting()));
}

}  // namespace rxp
