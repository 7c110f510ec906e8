// Batches that the JavaScript thread runs itself (callSync with `inline`, rule T7).
#include <cstring>

#include "binding/arguments.h"
#include "binding/external_text.h"
#include "binding/pool.h"
#include "binding/rows.h"

namespace rxp {
namespace {

// What precedes the lengths in the inbox: the result's status, and how many there are.
constexpr size_t kInlineHeader = 2;
// Code units from which a text had better come in pieces, as the channel gives it.
constexpr size_t kWholeUnits = 32 << 10;

}  // namespace

// runInline(handler, items, text, units, lengths, narrow): a batch of text, whose first `lengths`
// lengths lie at the beginning of the outbox. Gives the result's text, described in the inbox; true
// when there is a result that postInline() will send by the channel; false when nothing was run,
// because no interpreter is idle here.
Napi::Value PoolBinding::run_inline(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Arguments arguments(info, "runInline");
  Call call;
  call.handler = handler_at(arguments, 0);
  call.count = arguments.integer(1, "items", 0);
  auto units = static_cast<size_t>(arguments.integer(3, "units", 0, kMostUnits));
  auto lengths = static_cast<size_t>(arguments.integer(4, "lengths", 0));
  bool narrow = arguments.boolean(5, "narrow");
  if (!arguments.ok()) return env.Undefined();
  Envelope text;
  if (!read_texts(env, info[2], info[2].IsArray(), units, narrow, text)) {
    arguments.refuse("the batch's text could not be read");
    return env.Undefined();
  }
  const ThreadState::Numbers outbox = state_->numbers(ThreadState::kOutbox);
  if (lengths > outbox.size || (lengths > 0 && lengths != static_cast<size_t>(call.count))) {
    arguments.refuse("the outbox does not hold the lengths of the items");
    return env.Undefined();
  }
  // JavaScript does nothing meanwhile, so its memory stays as it is.
  if (lengths > 0) call.lengths = outbox.data;
  call.text = {text.units.get(), units, narrow};
  Visitor& visitor = state_->visitor();
  if (!visitor.run(*pool_, call)) return Napi::Boolean::New(env, false);

  const HeldResult& held = visitor.held();
  const ThreadState::Numbers inbox = state_->numbers(ThreadState::kInbox);
  const TextView result = held.text.view();
  if (held.status == ResultStatus::kError || result.size > kWholeUnits ||
      kInlineHeader + held.lengths.size() > inbox.size) {
    return Napi::Boolean::New(env, true);
  }
  inbox.data[0] = static_cast<int32_t>(held.status);
  inbox.data[1] = static_cast<int32_t>(held.lengths.size());
  std::memcpy(inbox.data + kInlineHeader, held.lengths.data(),
              held.lengths.size() * sizeof(int32_t));
  return Napi::Value(env, make_text(env, result));
}

// postInline(call): sends the result that runInline() kept, as that of this call.
void PoolBinding::post_inline(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "postInline");
  int32_t call = arguments.integer(0, "call");
  if (!arguments.ok()) return;
  HeldResult& held = state_->visitor().held();
  state_->channel()->post_text(pool_->pool_id(), call, held.status, held.text, held.lengths);
}

}  // namespace rxp
