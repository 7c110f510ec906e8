#include "binding/pool.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "process/remote_interpreter.h"

#include "binding/arguments.h"
#include "binding/backing_store.h"
#include "binding/rows.h"

namespace rxp {
namespace {

// How an item of a binary call crosses.
enum class Crossing : uint8_t { kCopy = 0, kPin = 1, kOwned = 2, kTake = 3 };

constexpr int32_t kMostGrace = 1 << 30;     // milliseconds, twelve days
constexpr int32_t kMostUnits = 0x7ffffffe;  // of texts, which are counted in 32 bits

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

int32_t handler_at(Arguments& arguments, size_t index) {
  return arguments.integer(index, "handler", 0, kMostHandlers - 1);
}

constexpr size_t kElementSizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};

struct View {
  napi_value buffer = nullptr;
  napi_typedarray_type type = napi_uint8_array;
  char* base = nullptr;  // of the ArrayBuffer
  size_t buffer_size = 0;
  size_t offset = 0;
  size_t size = 0;
};

// False for what is none of the eleven kinds of typed arrays that both sides know.
bool view_of(napi_env env, napi_value array, View& view) {
  bool typed = false;
  void* data = nullptr;
  size_t elements = 0;
  if (napi_is_typedarray(env, array, &typed) != napi_ok || !typed ||
      napi_get_typedarray_info(env, array, &view.type, &elements, &data, &view.buffer,
                               &view.offset) != napi_ok ||
      static_cast<size_t>(view.type) >= std::size(kElementSizes)) {
    return false;
  }
  if (data == nullptr) elements = 0;  // detached
  view.size = elements * kElementSizes[view.type];
  view.base = static_cast<char*>(data) - (data == nullptr ? 0 : view.offset);
  view.buffer_size = view.offset + view.size;
  return true;
}

// Text of one call without lengths, for control calls.
std::unique_ptr<Envelope> single_envelope(Arguments& arguments, CallKind kind, int seats) {
  auto envelope = std::make_unique<Envelope>();
  envelope->calls.resize(1);
  Call& call = envelope->calls[0];
  call.id = arguments.integer(0, "call");
  call.interpreter = arguments.integer(1, "seat", kAnyInterpreter, seats - 1);
  call.kind = kind;
  return envelope;
}

}  // namespace

Napi::Function PoolBinding::define(Napi::Env env) {
  return DefineClass(
      env, "NativePool",
      {InstanceMethod<&PoolBinding::start>("start"), InstanceMethod<&PoolBinding::stop>("stop"),
       InstanceMethod<&PoolBinding::define_handler>("defineHandler"),
       InstanceMethod<&PoolBinding::submit>("submit"),
       InstanceMethod<&PoolBinding::submit_binary>("submitBinary"),
       InstanceMethod<&PoolBinding::control>("control"),
       InstanceMethod<&PoolBinding::forget>("forget"),
       InstanceMethod<&PoolBinding::cancel>("cancel"),
       InstanceMethod<&PoolBinding::counters>("counters"),
       InstanceMethod<&PoolBinding::waiting>("waiting")});
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
  seats_ = seat + 1;
  return Napi::Number::New(info.Env(), seat);
}

void PoolBinding::stop(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "stop");
  int32_t seat = arguments.integer(0, "seat", 0, seats_ - 1);
  int32_t call = arguments.integer(1, "call");
  if (arguments.ok()) pool_->stop(seat, call);
}

void PoolBinding::define_handler(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "defineHandler");
  constexpr auto kLastCodec = static_cast<int32_t>(CodecKind::kArray);
  HandlerDefinition definition;
  int32_t handler = handler_at(arguments, 0);
  definition.codecs.in = static_cast<CodecKind>(arguments.integer(1, "codecIn", 0, kLastCodec));
  definition.codecs.out = static_cast<CodecKind>(arguments.integer(2, "codecOut", 0, kLastCodec));
  definition.codecs.exact = arguments.boolean(3, "exact");
  definition.request = arguments.text(4, "request");
  if (arguments.ok()) pool_->define_handler(handler, std::move(definition));
}

// submit(texts, units, numbers, narrow): the calls described by the first `numbers` integers of the
// outbox. Their texts come as one string or as an array of pieces; `narrow` says that no unit is
// above U+00FF.
void PoolBinding::submit(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "submit");
  auto units = static_cast<size_t>(arguments.integer(1, "units", 0, kMostUnits));
  auto numbers = static_cast<size_t>(arguments.integer(2, "numbers", 0));
  bool narrow = arguments.boolean(3, "narrow");
  if (!arguments.ok()) return;
  auto envelope = std::make_unique<Envelope>();
  if (!read_texts(info.Env(), info[0], info[0].IsArray(), units, narrow, *envelope)) {
    return arguments.refuse("the batch's text could not be read");
  }
  const ThreadState::Numbers outbox = state_->numbers(ThreadState::kOutbox);
  if (numbers > outbox.size) return arguments.refuse("the outbox does not hold so many numbers");
  if (numbers > 0) envelope->meta.assign(outbox.data, outbox.data + numbers);
  size_t count = 0;
  if (!rows_fit(envelope->meta, units, seats_, count)) {
    return arguments.refuse("the outbox does not describe calls");
  }
  const int32_t* row = envelope->meta.data();
  const int32_t* end = row + numbers;
  envelope->calls.reserve(count);
  TextView all{envelope->units.get(), units, narrow};
  size_t from = 0;
  while (row < end) {
    Call& call = envelope->calls.emplace_back();
    call.id = row[0];
    call.handler = row[1];
    call.interpreter = row[2];
    call.count = row[3];
    auto size = static_cast<size_t>(row[4]);
    call.text = all.slice(from, size);
    if (row[5] > 0) call.lengths = row + kCallHeader;
    from += size;
    row += kCallHeader + static_cast<size_t>(row[5]);
  }
  pool_->push(envelope.release());
}

// submitBinary(call, interpreter, handler, views, crossings): one call; `crossings` is a
// Uint8Array.
void PoolBinding::submit_binary(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Arguments arguments(info, "submitBinary");
  std::unique_ptr<Envelope> envelope = single_envelope(arguments, CallKind::kBinary, seats_);
  Call& call = envelope->calls[0];
  call.handler = handler_at(arguments, 2);
  const uint32_t count = arguments.array_length(info[3], "views");
  View crossings;
  if (!view_of(env, info[4], crossings) || crossings.type != napi_uint8_array ||
      crossings.size < count) {
    arguments.refuse("crossings must be a Uint8Array with a number for each view");
  }
  if (!arguments.ok()) return;
  // All of them first: a list's getters may detach what was read before.
  std::vector<napi_value> arrays(count);
  for (uint32_t i = 0; i < count; i++) {
    if (napi_get_element(env, info[3], i, &arrays[i]) != napi_ok) {
      return arguments.refuse("the views could not be read");
    }
  }
  if (!view_of(env, info[4], crossings) || crossings.size < count) {
    return arguments.refuse("crossings have lost their memory");
  }
  // Read before anything is detached, which would empty them.
  std::vector<View> all_views(count);
  for (uint32_t i = 0; i < count; i++) {
    if (!view_of(env, arrays[i], all_views[i])) {
      return arguments.refuse("every view must be a typed array");
    }
  }
  const auto* ways = reinterpret_cast<const uint8_t*>(crossings.base + crossings.offset);
  call.count = static_cast<int32_t>(count);
  call.segments.resize(count);

  size_t copied = 0;
  std::vector<View> to_copy;
  MemoryBlock* taken = nullptr;
  for (uint32_t i = 0; i < count; i++) {
    View& view = all_views[i];
    Segment& segment = call.segments[i];
    segment.size = view.size;
    segment.type = view.type;
    auto crossing = static_cast<Crossing>(ways[i]);
    if (crossing == Crossing::kOwned) segment.block = MemoryBlock::find(view.base);
    if (crossing == Crossing::kPin && view.size > 0) {
      napi_is_arraybuffer(env, view.buffer, &segment.detachable);  // not so a SharedArrayBuffer
      segment.block = state_->pin(arrays[i], view.base, view.offset + view.size);
    }
    if (segment.block != nullptr) {
      segment.offset = view.offset;
      segment.shared = true;
      continue;
    }
    if (crossing == Crossing::kTake && view.size > 0) {
      // All such views lie on one buffer; the first of them takes it.
      if (taken == nullptr) {
        bool ordinary = false;
        napi_is_arraybuffer(env, view.buffer, &ordinary);
        size_t end = 0;  // of what the views cover
        for (const View& one : all_views) {
          if (one.base == view.base) end = std::max(end, one.buffer_size);
        }
        if (ordinary) taken = take_backing_store(env, view.buffer, view.base, end);
      } else if (taken->data() == view.base) {
        taken->retain();
      } else {
        return arguments.refuse("views that are taken must lie on one buffer");
      }
      if (taken == nullptr) return arguments.refuse("the buffer cannot be detached");
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
      napi_throw_range_error(env, nullptr, "not enough memory for the batch");
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
  pool_->push(envelope.release());
}

// control(call, interpreter, text, units)
void PoolBinding::control(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "control");
  std::unique_ptr<Envelope> envelope = single_envelope(arguments, CallKind::kControl, seats_);
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
  std::unique_ptr<Envelope> envelope = single_envelope(arguments, CallKind::kForget, seats_);
  envelope->calls[0].handler = handler_at(arguments, 2);
  if (arguments.ok()) pool_->push(envelope.release());
}

Napi::Value PoolBinding::cancel(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "cancel");
  int32_t call = arguments.integer(0, "call");
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), pool_->cancel(call));
}

// counters(): how often worker processes crashed, interpreters got stuck, and others replaced them.
Napi::Value PoolBinding::counters(const Napi::CallbackInfo& info) {
  const PoolCounters& counters = pool_->counters();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("crashes", counters.crashes.load());
  result.Set("stuck", counters.stuck.load());
  result.Set("restarts", counters.restarts.load());
  return result;
}

Napi::Value PoolBinding::waiting(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(pool_->queue().waiting()));
}

}  // namespace rxp
