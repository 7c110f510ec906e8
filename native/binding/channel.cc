#include "binding/channel.h"

#include <cstring>

#include "binding/arguments.h"
#include "binding/external_memory.h"
#include "binding/external_text.h"
#include "platform/faults.h"

namespace rxp {
namespace {

// What precedes a block's own numbers in the inbox: kind, pool, how many numbers follow.
constexpr size_t kBlockHeader = 3;
// Numbers for each item of a binary result: buffer or alias, type, offset and size in two halves,
// how many numbers its layout has. The layouts follow behind all items, each number in two halves.
constexpr size_t kNumbersPerItem = 7;

// Numbers before the lengths of a text result: call, status, how many strings.
constexpr size_t kResultHeader = 3;
// Milliseconds: a thread that waits in native code cannot be terminated.
constexpr int32_t kMostWait = 1000;
// Code units from which a text is cut into pieces.
constexpr size_t kPieceUnits = 32 << 10;

// Tells a channel from other objects, whatever their prototypes say.
constexpr napi_type_tag kChannelTag = {0x9d1f7c5ae2b8460b, 0xa3e6c91f04d75b28};

void write_halves(int32_t* numbers, uint64_t value) {
  numbers[0] = static_cast<int32_t>(value & 0xffffffffu);
  numbers[1] = static_cast<int32_t>(value >> 32);
}

}  // namespace

class ThreadState::ThreadSafeWaker : public ResultChannel::Waker {
 public:
  explicit ThreadSafeWaker(napi_threadsafe_function function) : function_(function) {}
  void wake() override { napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking); }

 private:
  napi_threadsafe_function function_;
};

struct ThreadState::Pin {
  std::shared_ptr<ThreadState> state;
  napi_ref reference;
};

ThreadState::ThreadState(napi_env env, napi_value wake) : env_(env) {
  platform::enter_javascript_thread();
  napi_value name;
  napi_create_string_utf8(env, "rxjs-python", NAPI_AUTO_LENGTH, &name);
  napi_create_threadsafe_function(env, wake, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                  nullptr, &function_);
  napi_unref_threadsafe_function(env, function_);
  waker_ = std::make_unique<ThreadSafeWaker>(function_);
  channel_ = std::make_shared<ResultChannel>(waker_.get());
}

void ThreadState::add_pool(const std::shared_ptr<Pool>& pool) {
  for (auto& place : pools_) {
    if (place.expired()) {
      place = pool;
      return;
    }
  }
  pools_.push_back(pool);
}

MemoryBlock* ThreadState::pin(napi_value object, void* data, size_t size) {
  auto* pin = new Pin{shared_from_this(), nullptr};
  napi_create_reference(env_, object, 1, &pin->reference);
  return MemoryBlock::pin(
      data, size,
      [](void* context) {
        std::unique_ptr<Pin> dropped(static_cast<Pin*>(context));
        ThreadState& state = *dropped->state;
        {
          std::lock_guard<std::mutex> lock(state.trash_mutex_);
          if (state.left_) return;
          state.trash_.push_back(dropped->reference);
        }
        state.channel_->nudge();
      },
      pin);
}

void ThreadState::free_trash() {
  std::vector<napi_ref> trash;
  {
    std::lock_guard<std::mutex> lock(trash_mutex_);
    trash.swap(trash_);
  }
  for (napi_ref reference : trash) napi_delete_reference(env_, reference);
}

void ThreadState::set_box(Box box, napi_value array) {
  if (boxes_[box] != nullptr) napi_delete_reference(env_, boxes_[box]);
  boxes_[box] = nullptr;
  napi_create_reference(env_, array, 1, &boxes_[box]);
}

ThreadState::Numbers ThreadState::numbers(Box box) const {
  napi_value array = nullptr;
  if (boxes_[box] == nullptr) return {};
  if (napi_get_reference_value(env_, boxes_[box], &array) != napi_ok) return {};
  void* data = nullptr;
  size_t size = 0;
  napi_get_typedarray_info(env_, array, nullptr, &size, &data, nullptr, nullptr);
  if (data == nullptr) return {};
  return {static_cast<int32_t*>(data), size};
}

void ThreadState::ref() { napi_ref_threadsafe_function(env_, function_); }
void ThreadState::unref() { napi_unref_threadsafe_function(env_, function_); }

void ThreadState::leave() {
  platform::leave_javascript_thread();
  channel_->close();
  visitor_.leave();
  for (napi_ref& box : boxes_) {
    if (box != nullptr) napi_delete_reference(env_, box);
    box = nullptr;
  }
  for (auto& pool : pools_) {
    if (auto alive = pool.lock()) alive->abandon();
  }
  std::lock_guard<std::mutex> lock(trash_mutex_);
  left_ = true;
}

Napi::Function ChannelBinding::define(Napi::Env env) {
  return DefineClass(
      env, "NativeChannel",
      {InstanceMethod<&ChannelBinding::next>("next"), InstanceMethod<&ChannelBinding::wait>("wait"),
       InstanceMethod<&ChannelBinding::set_inbox>("setInbox"),
       InstanceMethod<&ChannelBinding::set_outbox>("setOutbox"),
       InstanceMethod<&ChannelBinding::account>("account"),
       InstanceMethod<&ChannelBinding::ref>("ref"),
       InstanceMethod<&ChannelBinding::unref>("unref")});
}

ChannelBinding::ChannelBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ChannelBinding>(info) {
  if (!info[0].IsFunction()) {
    throw_type_error(info.Env(), "NativeChannel: the first argument must be a function");
    return;
  }
  napi_type_tag_object(info.Env(), info.This(), &kChannelTag);
  state_ = std::make_shared<ThreadState>(info.Env(), info[0]);
  // The hook's own reference: the state must be there when the hook runs.
  auto* kept = new std::shared_ptr<ThreadState>(state_);
  napi_add_env_cleanup_hook(
      info.Env(),
      [](void* data) {
        std::unique_ptr<std::shared_ptr<ThreadState>> state(
            static_cast<std::shared_ptr<ThreadState>*>(data));
        (*state)->leave();
      },
      kept);
}

ChannelBinding* ChannelBinding::from(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  bool tagged = false;
  napi_typeof(env, value, &type);
  if (type != napi_object ||
      napi_check_object_type_tag(env, value, &kChannelTag, &tagged) != napi_ok || !tagged) {
    return nullptr;
  }
  return Unwrap(Napi::Object(env, value));
}

bool ChannelBinding::is_box(const Napi::CallbackInfo& info, const char* function) {
  napi_typedarray_type type = napi_uint8_array;
  bool array = false;
  napi_is_typedarray(info.Env(), info[0], &array);
  if (array) {
    napi_get_typedarray_info(info.Env(), info[0], &type, nullptr, nullptr, nullptr, nullptr);
  }
  if (array && type == napi_int32_array) return true;
  throw_type_error(info.Env(), std::string(function) + ": the argument must be an Int32Array");
  return false;
}

void ChannelBinding::set_inbox(const Napi::CallbackInfo& info) {
  if (is_box(info, "setInbox")) state_->set_box(ThreadState::kInbox, info[0]);
}
void ChannelBinding::set_outbox(const Napi::CallbackInfo& info) {
  if (is_box(info, "setOutbox")) state_->set_box(ThreadState::kOutbox, info[0]);
}

// wait(most): blocks this thread until there are results, for so many milliseconds at most; whether
// there are.
Napi::Value ChannelBinding::wait(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "wait");
  int32_t most = arguments.integer(0, "most", 0, kMostWait);
  if (!arguments.ok()) return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), state_->channel()->wait(std::chrono::milliseconds(most)));
}

// The next block of results: a string or an array of strings or ArrayBuffers, described in the
// inbox; a number when the inbox has to hold that many integers first; undefined when nothing is
// left.
Napi::Value ChannelBinding::next(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ResultBlock* block = state_->channel()->front();
  if (block == nullptr) {
    state_->free_trash();
    return env.Undefined();
  }
  size_t numbers = block->meta.size() + block->items.size() * kNumbersPerItem;
  for (const BinaryItem& item : block->items) numbers += 2 * item.layout.size();
  const ThreadState::Numbers inbox = state_->numbers(ThreadState::kInbox);
  if (kBlockHeader + numbers > inbox.size) {
    return Napi::Number::New(env, static_cast<double>(kBlockHeader + numbers));
  }
  inbox.data[0] = static_cast<int32_t>(block->kind);
  inbox.data[1] = block->pool;
  inbox.data[2] = static_cast<int32_t>(numbers);
  std::memcpy(inbox.data + kBlockHeader, block->meta.data(), block->meta.size() * sizeof(int32_t));
  Napi::Value value = block->kind == BlockKind::kBinary
                          ? take_items(env, *block, inbox.data + kBlockHeader + block->meta.size())
                          : take_text(env, *block);
  state_->channel()->pop();
  return value;
}

// A long text comes in pieces, cut between strings: pieces of this size stay in V8's young
// generation, and a string that is kept does not keep the text of the whole batch alive.
Napi::Value ChannelBinding::take_text(Napi::Env env, ResultBlock& block) {
  TextView text = block.text.view();
  if (text.size <= kPieceUnits || block.kind != BlockKind::kText) {
    return Napi::Value(env, make_text(env, text));
  }
  bool external = text.size >= kExternalFrom;
  Napi::Array pieces = Napi::Array::New(env);
  uint32_t count = 0;
  size_t from = 0;
  size_t at = 0;
  const std::vector<int32_t>& meta = block.meta;
  for (size_t row = 0; row < meta.size();) {
    auto strings = static_cast<size_t>(meta[row + 2]);
    row += kResultHeader;
    for (size_t i = 0; i < strings; i++) {
      at += static_cast<size_t>(meta[row + i]);
      if (at - from < kPieceUnits) continue;
      pieces[count++] = make_text(env, text.slice(from, at - from), external);
      from = at;
    }
    row += strings;
  }
  if (at > from) pieces[count++] = make_text(env, text.slice(from, at - from), external);
  return pieces;
}

Napi::Value ChannelBinding::take_items(Napi::Env env, ResultBlock& block, int32_t* numbers) {
  Napi::Array buffers = Napi::Array::New(env);
  uint32_t count = 0;
  MemoryBlock* last_block = nullptr;
  int32_t* layouts = numbers + block.items.size() * kNumbersPerItem;
  for (BinaryItem& item : block.items) {
    int32_t place = 0;
    if (item.alias >= 0) {
      place = -1 - item.alias;
    } else if (item.block != nullptr && item.block == last_block) {
      place = static_cast<int32_t>(count) - 1;
      item.block->release();
      item.block = nullptr;
    } else {
      last_block = item.block;
      place = static_cast<int32_t>(count);
      buffers[count++] = make_array_buffer(env, item, state_->account());
    }
    numbers[0] = place;
    numbers[1] = item.type;
    write_halves(numbers + 2, item.offset);
    write_halves(numbers + 4, item.size);
    numbers[6] = static_cast<int32_t>(item.layout.size());
    numbers += kNumbersPerItem;
    for (int64_t number : item.layout) {
      write_halves(layouts, static_cast<uint64_t>(number));
      layouts += 2;
    }
  }
  return buffers;
}

}  // namespace rxp
