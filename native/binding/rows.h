// Calls as JavaScript writes them: rows of numbers in the outbox, and their texts joined.
#pragma once

#include <napi.h>

#include <vector>

#include "queue/call.h"

namespace rxp {

// How a call's row begins: id, handler, interpreter, items, code units of its text, number of
// lengths; the lengths follow.
inline constexpr size_t kCallHeader = 6;

// Reads texts that together have `size` units, as bytes where they are known to fit: a string, or
// an array of `pieces`. False when they are something else, or do not have that size.
bool read_texts(napi_env env, napi_value texts, bool pieces, size_t size, bool narrow,
                Envelope& envelope);

// Whether the rows of calls are whole, meant for seats that there are, and share out the text.
bool rows_fit(const std::vector<int32_t>& numbers, size_t units, int seats, size_t& count);

}  // namespace rxp
