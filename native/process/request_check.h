// Whether a message to a worker is whole. The pool means well, but a handler shares its process
// with the ring and may have written over it: then the worker is to end, not to read where nothing
// is.
#pragma once

#include <functional>

#include "process/shared_block.h"
#include "process/wire.h"

namespace rxp {

// `block` gives the pool's block of a number, null when there is none. The message's own size has
// been checked by the ring.
bool request_fits(const char* message, const std::function<const SharedBlock*(uint32_t)>& block);

}  // namespace rxp
