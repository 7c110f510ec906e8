// Batches on their way in: what JavaScript submits becomes envelopes of calls.
#include <cmath>
#include <cstring>
#include <iterator>
#include <vector>

#include "binding/arguments.h"
#include "binding/backing_store.h"
#include "binding/pool.h"
#include "binding/rows.h"

namespace rxp {
namespace {

// How an item of a binary call crosses.
enum class Crossing : uint8_t { kCopy = 0, kPin = 1, kOwned = 2, kTake = 3 };

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
      static_cast<int32_t>(view.type) >= kArrayTypes) {
    return false;
  }
  if (data == nullptr) elements = 0;  // detached
  view.size = elements * kElementSizes[view.type];
  view.base = static_cast<char*>(data) - (data == nullptr ? 0 : view.offset);
  view.buffer_size = view.offset + view.size;
  return true;
}

// The layout of an array with a shape, as a Float64Array; none where the value is undefined. False
// when it is something else, or does not lie within the view.
bool layout_of(napi_env env, napi_value value, const View& view, Layout& layout) {
  napi_valuetype kind = napi_undefined;
  napi_typeof(env, value, &kind);
  if (kind == napi_undefined) return true;
  constexpr double kMost = 9007199254740991;  // what doubles count exactly
  View numbers;
  if (!view_of(env, value, numbers) || numbers.type != napi_float64_array) return false;
  const size_t count = numbers.size / sizeof(double);
  if (count > kMostLayoutNumbers) return false;
  layout.resize(count);
  for (size_t i = 0; i < count; i++) {
    double number = 0;
    std::memcpy(&number, numbers.base + numbers.offset + i * sizeof number, sizeof number);
    if (!(number >= -kMost && number <= kMost) || std::trunc(number) != number) return false;
    layout[i] = static_cast<int64_t>(number);
  }
  return layout_fits(layout.data(), count, view.size / kElementSizes[view.type]);
}

}  // namespace

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
  if (!rows_fit(envelope->meta, units, seats(), count)) {
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
    seat_from(row[2], call);
    call.within = take_within(call.id);
    call.count = row[3];
    auto size = static_cast<size_t>(row[4]);
    call.text = all.slice(from, size);
    if (row[5] > 0) call.lengths = row + kCallHeader;
    from += size;
    row += kCallHeader + static_cast<size_t>(row[5]);
  }
  pool_->push(envelope.release());
}

// submitBinary(call, interpreter, handler, views, crossings, items, layout): one call; `crossings`
// is a Uint8Array, `layout` that of the only view, where it is an array with a shape.
void PoolBinding::submit_binary(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Arguments arguments(info, "submitBinary");
  std::unique_ptr<Envelope> envelope = single_envelope(arguments, CallKind::kBinary, seats());
  Call& call = envelope->calls[0];
  call.handler = handler_at(arguments, 2);
  call.within = take_within(call.id);
  call.count = arguments.integer(5, "items", 0);
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
  if (!layout_of(env, info[6], count == 1 ? all_views[0] : View(), call.layout)) {
    return arguments.refuse("the layout does not lie within the only view");
  }
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
      size_t end = view.offset + view.size;
      if (!segment.detachable) segment.block = share_backing_store(view.buffer, view.base, end);
      if (segment.block == nullptr) segment.block = state_->pin(arrays[i], view.base, end);
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

}  // namespace rxp
