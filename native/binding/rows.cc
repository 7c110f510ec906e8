#include "binding/rows.h"

namespace rxp {
namespace {

// Calls `read` with each text: the one that `texts` is, or its `pieces`. False as soon as that is.
template <typename Read>
bool for_each_text(napi_env env, napi_value texts, bool pieces, Read read) {
  uint32_t count = 1;
  if (pieces) napi_get_array_length(env, texts, &count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value text = texts;
    if (pieces && napi_get_element(env, texts, i, &text) != napi_ok) return false;
    if (!read(text)) return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<Envelope> single_envelope(Arguments& arguments, CallKind kind, int seats) {
  auto envelope = std::make_unique<Envelope>();
  envelope->calls.resize(1);
  Call& call = envelope->calls[0];
  call.id = arguments.integer(0, "call");
  seat_from(arguments.integer(1, "seat", kAnyInterpreter - seats, seats - 1), call);
  call.kind = kind;
  return envelope;
}

// Each piece is followed by a NUL, which the next one overwrites.
bool read_texts(napi_env env, napi_value texts, bool pieces, size_t size, bool narrow,
                Envelope& envelope) {
  // Measured before memory is asked for.
  size_t measured = 0;
  bool are_texts = for_each_text(env, texts, pieces, [&](napi_value text) {
    size_t length = 0;
    bool is_text = napi_get_value_string_utf16(env, text, nullptr, 0, &length) == napi_ok;
    measured += length;
    return is_text;
  });
  if (!are_texts || measured != size) return false;
  envelope.units = UnitBuffer(narrow ? size / 2 + 1 : size + 1);
  char16_t* units = envelope.units.get();
  char* bytes = reinterpret_cast<char*>(units);
  size_t at = 0;
  bool read = for_each_text(env, texts, pieces, [&](napi_value text) {
    size_t copied = 0;
    napi_status status =
        narrow ? napi_get_value_string_latin1(env, text, bytes + at, size - at + 1, &copied)
               : napi_get_value_string_utf16(env, text, units + at, size - at + 1, &copied);
    at += copied;
    return status == napi_ok;
  });
  return read && at == size;
}

bool rows_fit(const std::vector<int32_t>& numbers, size_t units, int seats, size_t& count) {
  size_t sum = 0;
  size_t at = 0;
  for (count = 0; at < numbers.size(); count++) {
    if (numbers.size() - at < kCallHeader) return false;
    const int32_t* row = numbers.data() + at;
    const int32_t handler = row[1];
    const int32_t seat = row[2] < kAnyInterpreter ? -2 - row[2] : row[2];
    const int32_t items = row[3];
    const int32_t lengths = row[5];
    at += kCallHeader;
    if (handler < 0 || handler >= kMostHandlers || seat < kAnyInterpreter || seat >= seats ||
        items < 0 || row[4] < 0 || (lengths != 0 && lengths != items) || lengths < 0 ||
        numbers.size() - at < static_cast<size_t>(lengths)) {
      return false;
    }
    at += static_cast<size_t>(lengths);
    sum += static_cast<size_t>(row[4]);
  }
  return count > 0 && sum == units;
}

}  // namespace rxp
