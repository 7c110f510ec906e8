// Calls as JavaScript writes them: rows of numbers in the outbox, and their texts joined.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/arguments.h"
#include "queue/call.h"

namespace rxp {

// How a call's row begins: id, handler, interpreter, items, code units of its text, number of
// lengths; the lengths follow.
inline constexpr size_t kCallHeader = 6;

constexpr int32_t kMostUnits = 0x7ffffffe;  // of texts, which are counted in 32 bits

// A handler's number among the arguments.
inline int32_t handler_at(Arguments& arguments, size_t index) {
  return arguments.integer(index, "handler", 0, kMostHandlers - 1);
}

// Whose call it is, as JavaScript writes it: a seat, -1 for any of them, or for a call that would
// rather be run in one -2 less that seat.
inline void seat_from(int32_t number, Call& call) {
  call.keyed = number < kAnyInterpreter;
  call.interpreter = call.keyed ? -2 - number : number;
}

// A call that comes alone: its number and its seat are the first two arguments.
std::unique_ptr<Envelope> single_envelope(Arguments& arguments, CallKind kind, int seats);

// Reads texts that together have `size` units, as bytes where they are known to fit: a string, or
// an array of `pieces`. False when they are something else, or do not have that size.
bool read_texts(napi_env env, napi_value texts, bool pieces, size_t size, bool narrow,
                Envelope& envelope);

// Whether the rows of calls are whole, meant for seats that there are, and share out the text.
bool rows_fit(const std::vector<int32_t>& numbers, size_t units, int seats, size_t& count);

}  // namespace rxp
