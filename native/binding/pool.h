// JavaScript's handle to a native pool.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "binding/channel.h"
#include "interpreter/pool.h"

namespace rxp {

class PoolBinding : public Napi::ObjectWrap<PoolBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PoolBinding(const Napi::CallbackInfo& info);

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  void open(const Napi::CallbackInfo& info);
  void hand_over(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  void define_handler(const Napi::CallbackInfo& info);
  void submit(const Napi::CallbackInfo& info);
  void submit_binary(const Napi::CallbackInfo& info);
  void control(const Napi::CallbackInfo& info);
  void forget(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value give_up(const Napi::CallbackInfo& info);
  Napi::Value held_with(const Napi::CallbackInfo& info);
  Napi::Value runs_for(const Napi::CallbackInfo& info);
  void load(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value waiting(const Napi::CallbackInfo& info);
  Napi::Value concerns(const Napi::CallbackInfo& info);
  void within(const Napi::CallbackInfo& info);
  Napi::Value answer(const Napi::CallbackInfo& info);
  void close_callbacks(const Napi::CallbackInfo& info);
  Napi::Value run_inline(const Napi::CallbackInfo& info);
  void post_inline(const Napi::CallbackInfo& info);
  int32_t take_within(int32_t call);
  // That were started, also those that have ended.
  int seats() const { return pool_->queue().seats(); }

  std::shared_ptr<ThreadState> state_;
  std::shared_ptr<Pool> pool_;
  std::unordered_map<int32_t, int32_t> within_;  // callbacks by the calls that they make
};

}  // namespace rxp
