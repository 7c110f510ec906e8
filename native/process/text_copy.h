// Texts on their way through shared memory: one byte a unit where every unit fits in one.
#pragma once

#include <cstring>

#include "codec/text.h"

namespace rxp {

inline bool fits_narrow(TextView text) {
  if (text.narrow) return true;
  const char16_t* units = text.units();
  // A plain reduction: the compiler turns it into vector code, a loop with an exit it cannot.
  char16_t seen = 0;
  for (size_t i = 0; i < text.size; i++) seen |= units[i];
  return seen <= 0xff;
}

// `narrow` is what fits_narrow() said. `target` need not be aligned.
inline void copy_text(TextView text, bool narrow, char* target) {
  if (text.size == 0) return;
  if (narrow && !text.narrow) {
    const char16_t* units = text.units();
    for (size_t i = 0; i < text.size; i++) target[i] = static_cast<char>(units[i]);
  } else {
    std::memcpy(target, text.data, text.size * (narrow ? 1 : 2));
  }
}

}  // namespace rxp
