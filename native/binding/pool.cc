#include "binding/pool.h"

#include <cstring>

#include "process/remote_interpreter.h"

#include "binding/backing_store.h"

namespace rxp {
namespace {

// How a call's number row in the outbox begins: id, handler, interpreter, items, code units of its
// text, number of lengths; the lengths follow.
constexpr size_t kCallHeader = 6;

// How an item of a binary call crosses.
enum class Crossing : uint8_t { kCopy = 0, kPin = 1, kOwned = 2, kTake = 3 };

int32_t int_at(const Napi::CallbackInfo& info, size_t index) {
  int32_t value = 0;
  napi_get_value_int32(info.Env(), info[index], &value);
  return value;
}

std::string string_field(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::String>().Utf8Value();
}

WorkerProgram worker_program(const Napi::Object& options) {
  WorkerProgram program;
  program.executable = string_field(options, "executable");
  program.python_dir = string_field(options, "pythonDir");
  program.grace = options.Get("grace").As<Napi::Number>().Int32Value();
  auto environment = options.Get("environment").As<Napi::Array>();
  for (uint32_t i = 0; i < environment.Length(); i++) {
    program.environment.push_back(environment.Get(i).As<Napi::String>().Utf8Value());
  }
  return program;
}

size_t element_size(napi_typedarray_type type) {
  static constexpr size_t kSizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  return kSizes[type];
}

// Whose call it is, as JavaScript writes it: a seat, -1 for any of them, or for a call that would
// rather be run in one -2 less that seat.
void seat_from(int32_t number, Call& call) {
  call.keyed = number < kAnyInterpreter;
  call.interpreter = call.keyed ? -2 - number : number;
}

struct View {
  napi_value buffer = nullptr;
  napi_typedarray_type type = napi_uint8_array;
  char* base = nullptr;  // of the ArrayBuffer
  size_t buffer_size = 0;
  size_t offset = 0;
  size_t size = 0;
};

View view_of(napi_env env, napi_value array) {
  View view;
  void* data = nullptr;
  size_t elements = 0;
  napi_get_typedarray_info(env, array, &view.type, &elements, &data, &view.buffer, &view.offset);
  view.size = elements * element_size(view.type);
  view.base = static_cast<char*>(data) - (data == nullptr ? 0 : view.offset);
  view.buffer_size = view.offset + view.size;
  return view;
}

// Text of one call without lengths, for control calls.
Envelope* single_envelope(const Napi::CallbackInfo& info, CallKind kind) {
  auto* envelope = new Envelope;
  envelope->calls.resize(1);
  Call& call = envelope->calls[0];
  call.id = int_at(info, 0);
  seat_from(int_at(info, 1), call);
  call.kind = kind;
  return envelope;
}

// Reads texts that together have `size` units, as bytes where they are known to fit. Each piece is
// followed by a NUL, which the next one overwrites.
bool read_texts(napi_env env, napi_value texts, bool pieces, size_t size, bool narrow,
                Envelope& envelope) {
  envelope.units = UnitBuffer(narrow ? size / 2 + 1 : size + 1);
  char16_t* units = envelope.units.get();
  char* bytes = reinterpret_cast<char*>(units);
  uint32_t count = 1;
  if (pieces) napi_get_array_length(env, texts, &count);
  size_t at = 0;
  for (uint32_t i = 0; i < count; i++) {
    napi_value text = texts;
    size_t copied = 0;
    if (pieces) napi_get_element(env, texts, i, &text);
    napi_status status =
        narrow ? napi_get_value_string_latin1(env, text, bytes + at, size - at + 1, &copied)
               : napi_get_value_string_utf16(env, text, units + at, size - at + 1, &copied);
    if (status != napi_ok) return false;
    at += copied;
  }
  return at == size;
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
                      InstanceMethod<&PoolBinding::within>("within"),
                      InstanceMethod<&PoolBinding::answer>("answer"),
                      InstanceMethod<&PoolBinding::close_callbacks>("closeCallbacks")});
}

PoolBinding::PoolBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PoolBinding>(info) {
  state_ = ChannelBinding::Unwrap(info[0].As<Napi::Object>())->state();
  auto options = info[1].As<Napi::Object>();
  RuntimeOptions runtime;
  runtime.library = string_field(options, "library");
  runtime.executable = string_field(options, "executable");
  runtime.python_dir = string_field(options, "pythonDir");
  std::string isolation = string_field(options, "isolation");
  runtime.isolation = isolation == "namespace" ? Isolation::kNamespace : Isolation::kShared;
  Pool::RemoteFactory remote;
  if (isolation == "process") {
    runtime.isolation = Isolation::kProcess;
    remote = [program = worker_program(options)](std::shared_ptr<Pool> pool, int seat) {
      return std::make_shared<RemoteInterpreter>(std::move(pool), seat, program);
    };
  }
  pool_ =
      std::make_shared<Pool>(options.Get("id").As<Napi::Number>().Int32Value(), state_->channel(),
                             runtime, string_field(options, "host"), std::move(remote));
  state_->add_pool(pool_);
}

Napi::Value PoolBinding::start(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), pool_->start(int_at(info, 0)));
}

void PoolBinding::stop(const Napi::CallbackInfo& info) {
  pool_->stop(int_at(info, 0), int_at(info, 1));
}

void PoolBinding::open(const Napi::CallbackInfo& info) { pool_->open(int_at(info, 0)); }

// handOver(from seat, to seat)
void PoolBinding::hand_over(const Napi::CallbackInfo& info) {
  pool_->hand_over(int_at(info, 0), int_at(info, 1));
}

void PoolBinding::define_handler(const Napi::CallbackInfo& info) {
  HandlerDefinition definition;
  definition.codecs.in = static_cast<CodecKind>(int_at(info, 1));
  definition.codecs.out = static_cast<CodecKind>(int_at(info, 2));
  definition.codecs.exact = info[3].As<Napi::Boolean>().Value();
  definition.async_limit = int_at(info, 5);
  definition.request = info[4].As<Napi::String>().Utf16Value();
  pool_->define_handler(int_at(info, 0), std::move(definition));
}

// submit(texts, units, numbers, narrow): the calls described by the first `numbers` integers of the
// outbox. Their texts come as one string or as an array of pieces; `narrow` says that no unit is
// above U+00FF.
void PoolBinding::submit(const Napi::CallbackInfo& info) {
  auto* envelope = new Envelope;
  auto units = static_cast<size_t>(int_at(info, 1));
  auto numbers = static_cast<size_t>(int_at(info, 2));
  bool narrow = info[3].As<Napi::Boolean>().Value();
  bool read = read_texts(info.Env(), info[0], info[0].IsArray(), units, narrow, *envelope);
  if (!read) {
    delete envelope;
    Napi::Error::New(info.Env(), "the batch's text could not be read").ThrowAsJavaScriptException();
    return;
  }
  const int32_t* outbox = state_->outbox.data;
  envelope->meta.assign(outbox, outbox + numbers);
  const int32_t* row = envelope->meta.data();
  const int32_t* end = row + numbers;
  size_t count = 0;
  for (const int32_t* at = row; at < end; at += kCallHeader + static_cast<size_t>(at[5])) count++;
  envelope->calls.reserve(count);
  TextView all{envelope->units.get(), units, narrow};
  size_t from = 0;
  while (row < end) {
    Call& call = envelope->calls.emplace_back();
    call.id = row[0];
    call.handler = row[1];
    seat_from(row[2], call);
    call.within = take_within(call.id);
    call.count = row[3];
    auto size = static_cast<size_t>(row[4]);
    call.text = all.slice(from, size);
    call.lengths = row + kCallHeader;
    from += size;
    row += kCallHeader + static_cast<size_t>(row[5]);
  }
  pool_->push(envelope);
}

// submitBinary(call, interpreter, handler, views, crossings): one call; `crossings` is a
// Uint8Array.
void PoolBinding::submit_binary(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Envelope* envelope = single_envelope(info, CallKind::kBinary);
  Call& call = envelope->calls[0];
  call.handler = int_at(info, 2);
  call.within = take_within(call.id);
  auto views = info[3].As<Napi::Array>();
  const uint8_t* crossings = info[4].As<Napi::Uint8Array>().Data();
  uint32_t count = views.Length();
  call.count = static_cast<int32_t>(count);
  call.segments.resize(count);

  size_t copied = 0;
  std::vector<View> to_copy;
  MemoryBlock* taken = nullptr;
  // Read before anything is detached, which would empty them.
  std::vector<View> all_views(count);
  for (uint32_t i = 0; i < count; i++) all_views[i] = view_of(env, views.Get(i));
  for (uint32_t i = 0; i < count; i++) {
    View& view = all_views[i];
    Segment& segment = call.segments[i];
    segment.size = view.size;
    segment.type = view.type;
    auto crossing = static_cast<Crossing>(crossings[i]);
    if (crossing == Crossing::kOwned) segment.block = MemoryBlock::find(view.base);
    if (crossing == Crossing::kPin && view.size > 0) {
      napi_value array = views.Get(i);
      napi_is_arraybuffer(env, view.buffer, &segment.detachable);  // not so a SharedArrayBuffer
      size_t end = view.offset + view.size;
      if (!segment.detachable) segment.block = share_backing_store(view.buffer, view.base, end);
      if (segment.block == nullptr) segment.block = state_->pin(array, view.base, end);
    }
    if (segment.block != nullptr) {
      segment.offset = view.offset;
      segment.shared = true;
      continue;
    }
    if (crossing == Crossing::kTake && view.size > 0) {
      // All such views lie on one buffer; the first of them takes it.
      if (taken == nullptr) {
        taken = take_backing_store(env, view.buffer, view.base, view.buffer_size);
      } else {
        taken->retain();
      }
      if (taken == nullptr) {
        delete envelope;
        Napi::TypeError::New(env, "the buffer cannot be detached").ThrowAsJavaScriptException();
        return;
      }
      segment.block = taken;
      segment.offset = view.offset;
      continue;
    }
    segment.offset = copied;
    copied += (view.size + 15) & ~size_t{15};  // every copy starts aligned for its elements
    if (to_copy.empty()) to_copy.resize(count);
    to_copy[i] = view;
  }
  if (!to_copy.empty()) {
    MemoryBlock* block = MemoryBlock::allocate(copied);
    if (block == nullptr) {
      delete envelope;
      Napi::RangeError::New(env, "not enough memory for the batch").ThrowAsJavaScriptException();
      return;
    }
    for (uint32_t i = 0; i < count; i++) {
      Segment& segment = call.segments[i];
      if (segment.block != nullptr) continue;
      const View& view = to_copy[i];
      if (view.size > 0)
        std::memcpy(block->data() + segment.offset, view.base + view.offset, view.size);
      block->retain();
      segment.block = block;
    }
    block->release();
  }
  pool_->push(envelope);
}

// control(call, interpreter, text, units)
void PoolBinding::control(const Napi::CallbackInfo& info) {
  Envelope* envelope = single_envelope(info, CallKind::kControl);
  auto units = static_cast<size_t>(int_at(info, 3));
  if (!read_texts(info.Env(), info[2], false, units, false, *envelope)) {
    delete envelope;
    Napi::Error::New(info.Env(), "the request could not be read").ThrowAsJavaScriptException();
    return;
  }
  envelope->calls[0].text = TextView{envelope->units.get(), units, false};
  pool_->push(envelope);
}

// forget(call, interpreter, handler)
void PoolBinding::forget(const Napi::CallbackInfo& info) {
  Envelope* envelope = single_envelope(info, CallKind::kForget);
  envelope->calls[0].handler = int_at(info, 2);
  pool_->push(envelope);
}

Napi::Value PoolBinding::cancel(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), pool_->cancel(int_at(info, 0)));
}

// giveUp(call, start call): see Pool::give_up.
Napi::Value PoolBinding::give_up(const Napi::CallbackInfo& info) {
  Pool::GivenUp answer = pool_->give_up(int_at(info, 0), int_at(info, 1));
  return Napi::Number::New(info.Env(), static_cast<int>(answer));
}

// heldWith(call): the numbers of the calls that the same interpreter holds.
Napi::Value PoolBinding::held_with(const Napi::CallbackInfo& info) {
  std::vector<int32_t> others = pool_->queue().held_with(int_at(info, 0));
  auto numbers = Napi::Array::New(info.Env(), others.size());
  for (uint32_t i = 0; i < others.size(); i++) numbers[i] = others[i];
  return numbers;
}

// runsFor(call): milliseconds that it has been running; -1 when it waits, or is not there.
Napi::Value PoolBinding::runs_for(const Napi::CallbackInfo& info) {
  int64_t nanoseconds = pool_->queue().runs_for(int_at(info, 0));
  return Napi::Number::New(info.Env(),
                           nanoseconds < 0 ? -1 : static_cast<double>(nanoseconds) / 1e6);
}

// load(seat, numbers): writes the batches and items that the seat has run, the milliseconds that it
// was busy, and the calls that wait for it, into a Float64Array.
void PoolBinding::load(const Napi::CallbackInfo& info) {
  CallQueue::Load load = pool_->queue().load(int_at(info, 0));
  double* numbers = info[1].As<Napi::Float64Array>().Data();
  numbers[0] = static_cast<double>(load.batches);
  numbers[1] = static_cast<double>(load.items);
  numbers[2] = static_cast<double>(load.busy) / 1e6;
  numbers[3] = static_cast<double>(load.waiting);
}

// memory(seat): bytes of an interpreter that has a process to itself, else 0.
Napi::Value PoolBinding::memory(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(pool_->memory(int_at(info, 0))));
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

// within(call, callback): the call that is going to be sent was made by a callback that Python
// waits for.
void PoolBinding::within(const Napi::CallbackInfo& info) {
  within_[int_at(info, 0)] = int_at(info, 1);
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
  auto units = static_cast<size_t>(int_at(info, 3));
  if (!read_texts(info.Env(), info[2], false, units, false, text)) {
    Napi::Error::New(info.Env(), "the answer could not be read").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  bool ok = info[1].As<Napi::Boolean>().Value();
  return Napi::Boolean::New(info.Env(),
                            CallbackDesk::instance().answer(pool_->callbacks, int_at(info, 0), ok,
                                                            {text.units.get(), units, false}));
}

// closeCallbacks(): Python's requests fail from now on.
void PoolBinding::close_callbacks(const Napi::CallbackInfo&) {
  CallbackDesk::instance().close(pool_->callbacks);
}

Napi::Value PoolBinding::waiting(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(pool_->queue().waiting()));
}

}  // namespace rxp
