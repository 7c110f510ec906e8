#include "interpreter/visitor.h"

#include "interpreter/interpreter.h"
#include "interpreter/pool.h"

namespace rxp {

void HeldResult::post_text(int32_t, int32_t, ResultStatus result, TextBuffer& from,
                           std::vector<int32_t>& sizes) {
  status = result;
  std::swap(text, from);
  lengths.swap(sizes);
  from.clear();
  sizes.clear();
}

void HeldResult::post_binary(int32_t, int32_t, std::vector<BinaryItem>& items) {
  for (BinaryItem& item : items) discard(item);
  items.clear();
}

bool Visitor::run(Pool& pool, Call& call) {
  Pool::Borrowed borrowed(pool, call);
  if (borrowed.interpreter() == nullptr) return false;
  Runtime& runtime = borrowed.interpreter()->runtime();
  return borrowed.run(state_in(runtime), held_);
}

PyThreadState* Visitor::state_in(Runtime& runtime) {
  for (const Stay& stay : stays_) {
    if (stay.runtime == &runtime) return stay.state;
  }
  stays_.push_back({&runtime, runtime.new_thread_state()});
  return stays_.back().state;
}

void Visitor::leave() {
  for (const Stay& stay : stays_) stay.runtime->retire(stay.state);
  stays_.clear();
}

}  // namespace rxp
