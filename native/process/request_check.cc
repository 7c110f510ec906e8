#include "process/request_check.h"

#include <cstring>
#include <limits>

#include "queue/call.h"

namespace rxp {
namespace {

using FindBlock = std::function<const SharedBlock*(uint32_t)>;

constexpr auto kCodecs = static_cast<uint32_t>(CodecKind::kArray) + 1;

template <typename Message>
bool read(const char* place, Message& message) {
  MessageHeader header;
  std::memcpy(&header, place, sizeof header);
  if (header.size < sizeof message) return false;
  std::memcpy(static_cast<void*>(&message), place, sizeof message);
  return true;
}

// Where the body lies, with all of its size; null when it does not.
template <typename Message>
const char* body_of(const char* place, const Message& message, const FindBlock& find) {
  if (message.body.block == 0) {
    return message.body.size <= message.header.size - sizeof message ? place + sizeof message
                                                                     : nullptr;
  }
  const SharedBlock* block = find(message.body.block);
  return block != nullptr && message.body.size <= block->size ? block->data : nullptr;
}

bool lies_in(uint64_t from, uint64_t size, uint64_t whole) {
  return from <= whole && size <= whole - from;
}

bool segments_fit(const char* body, const CallMessage& message, const FindBlock& find) {
  const Body& whole = message.body;
  if (message.segments > whole.size / sizeof(SegmentRecord)) return false;
  for (uint32_t i = 0; i < message.segments; i++) {
    SegmentRecord record;
    std::memcpy(&record, body + i * sizeof record, sizeof record);
    if (record.type < 0 || record.type >= kArrayTypes) return false;
    const SharedBlock* block = record.block == 0 ? nullptr : find(record.block);
    if (record.block != 0 && block == nullptr) return false;
    if (!lies_in(record.offset, record.size, block == nullptr ? whole.size : block->size)) {
      return false;
    }
  }
  return true;
}

bool call_fits(const char* place, const FindBlock& find) {
  CallMessage message;
  if (!read(place, message)) return false;
  const char* body = body_of(place, message, find);
  if (body == nullptr || message.handler < 0 || message.handler >= kMostHandlers ||
      message.count < 0 || message.claim >= kClaims ||
      message.kind > static_cast<uint32_t>(CallKind::kForget)) {
    return false;
  }
  if (static_cast<CallKind>(message.kind) == CallKind::kBinary) {
    return message.lengths == 0 && message.text_at == 0 && message.units == 0 &&
           static_cast<uint32_t>(message.count) == message.segments &&
           segments_fit(body, message, find);
  }
  const uint64_t width = message.narrow != 0 ? 1 : 2;
  const uint64_t lengths_size = message.lengths * uint64_t{sizeof(int32_t)};
  if (message.segments != 0 ||
      (message.lengths != 0 && message.lengths != static_cast<uint32_t>(message.count)) ||
      !lies_in(0, lengths_size, message.body.size) || message.text_at < lengths_size ||
      message.text_at % width != 0 || message.text_at > message.body.size ||
      message.units > (message.body.size - message.text_at) / width) {
    return false;
  }
  return true;
}

bool define_fits(const char* place, const FindBlock& find) {
  DefineMessage message;
  return read(place, message) && body_of(place, message, find) != nullptr && message.handler >= 0 &&
         message.handler < kMostHandlers && message.codec_in < kCodecs &&
         message.codec_out < kCodecs && message.async_limit >= 1 &&
         message.async_limit <= kMostInFlight &&
         message.units <= message.body.size / sizeof(char16_t);
}

}  // namespace

bool request_fits(const char* place, const FindBlock& find) {
  MessageHeader header;
  std::memcpy(&header, place, sizeof header);
  StartMessage start;
  BlockMessage block;
  FlightMessage flight;
  switch (header.type) {
    case MessageType::kStart:
      return read(place, start) && body_of(place, start, find) != nullptr;
    case MessageType::kCall:
      return call_fits(place, find);
    case MessageType::kDefine:
      return define_fits(place, find);
    case MessageType::kMap:
    case MessageType::kUnmap:
    case MessageType::kGiveBack:
      return read(place, block);
    case MessageType::kCancel:
      return read(place, flight);
    default:
      return true;  // no more than a header
  }
}

}  // namespace rxp
