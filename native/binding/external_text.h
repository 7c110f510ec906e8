// Results as JavaScript strings.
#pragma once

#include <napi.h>

#include "codec/text.h"

namespace rxp {

// Results of this size and more keep their characters outside of V8's heap where the engine can do
// that. In the heap they would fill the young generation, and what waits there for its turn would
// be copied to the old one. Below, the heap is quicker.
inline constexpr size_t kExternalFrom = 384 << 10;  // code units

// Null (JavaScript's) for what is longer than a JavaScript string can be (half a gigabyte).
napi_value make_text(napi_env env, TextView text, bool external = false);

}  // namespace rxp
