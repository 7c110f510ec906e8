// JavaScript's end of the result channel, and what else belongs to one JavaScript thread.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <vector>

#include "binding/backing_store.h"
#include "interpreter/pool.h"
#include "interpreter/visitor.h"
#include "queue/result_channel.h"

namespace rxp {

// One JavaScript thread's share of this addon: the main thread's, or a Worker's. It outlives the
// thread for as long as interpreters or blocks refer to it.
//
// L4  leave(), run by the environment's clean-up hook, closes the channel first (rule L2), then
//     waits until no interpreter uses this thread's memory, then gives up the pins: their memory
//     goes with the thread.
class ThreadState : public std::enable_shared_from_this<ThreadState> {
 public:
  ThreadState(napi_env env, napi_value wake);

  const std::shared_ptr<ResultChannel>& channel() const { return channel_; }
  void add_pool(const std::shared_ptr<Pool>& pool);

  // Keeps a JavaScript object alive until the block's last reference is dropped (rule M3).
  // JavaScript thread only, like ref() and unref(), which say whether results are awaited.
  MemoryBlock* pin(napi_value object, void* data, size_t size);
  void free_trash();
  const std::shared_ptr<MemoryAccount>& account() const { return account_; }
  // Runs Python on this thread itself.
  Visitor& visitor() { return visitor_; }
  void ref();
  void unref();
  void leave();

  // Shared integers, so that numbers cross without a call each. `inbox` describes results,
  // `outbox` calls. Their memory is JavaScript's, which may detach it: it is looked up each time.
  struct Numbers {
    int32_t* data = nullptr;
    size_t size = 0;
  };
  enum Box { kInbox = 0, kOutbox = 1 };
  // `array` is an Int32Array.
  void set_box(Box box, napi_value array);
  Numbers numbers(Box box) const;

 private:
  struct Pin;
  class ThreadSafeWaker;

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  std::unique_ptr<ThreadSafeWaker> waker_;
  std::shared_ptr<ResultChannel> channel_;
  std::vector<std::weak_ptr<Pool>> pools_;
  std::mutex trash_mutex_;
  std::vector<napi_ref> trash_;
  std::shared_ptr<MemoryAccount> account_ = std::make_shared<MemoryAccount>();
  Visitor visitor_;
  bool left_ = false;
  napi_ref boxes_[2] = {nullptr, nullptr};
};

class ChannelBinding : public Napi::ObjectWrap<ChannelBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ChannelBinding(const Napi::CallbackInfo& info);
  // The channel behind a JavaScript value; null for anything else.
  static ChannelBinding* from(napi_env env, napi_value value);

  const std::shared_ptr<ThreadState>& state() const { return state_; }

 private:
  Napi::Value next(const Napi::CallbackInfo& info);
  Napi::Value wait(const Napi::CallbackInfo& info);
  void set_inbox(const Napi::CallbackInfo& info);
  void set_outbox(const Napi::CallbackInfo& info);
  static bool is_box(const Napi::CallbackInfo& info, const char* function);
  void account(const Napi::CallbackInfo& info) { state_->account()->tell(info.Env()); }
  void ref(const Napi::CallbackInfo&) { state_->ref(); }
  void unref(const Napi::CallbackInfo&) { state_->unref(); }
  Napi::Value take_text(Napi::Env env, ResultBlock& block);
  Napi::Value take_items(Napi::Env env, ResultBlock& block, int32_t* numbers);

  std::shared_ptr<ThreadState> state_;
};

}  // namespace rxp
