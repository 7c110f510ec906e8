// JavaScript's handle to a native pool.
#pragma once

#include <napi.h>

#include <memory>

#include "binding/channel.h"
#include "interpreter/pool.h"

namespace rxp {

class PoolBinding : public Napi::ObjectWrap<PoolBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PoolBinding(const Napi::CallbackInfo& info);

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  void define_handler(const Napi::CallbackInfo& info);
  void submit(const Napi::CallbackInfo& info);
  void submit_binary(const Napi::CallbackInfo& info);
  void control(const Napi::CallbackInfo& info);
  void forget(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value waiting(const Napi::CallbackInfo& info);

  std::shared_ptr<ThreadState> state_;
  std::shared_ptr<Pool> pool_;
  int seats_ = 0;  // that were started
};

}  // namespace rxp
