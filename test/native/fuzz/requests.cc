// A message to a worker, as something wrote over it: what passes the check must lie where it says.
#include "fuzz/fuzz.h"
#include "process/request_check.h"
#include "process/session.h"
#include "queue/call.h"

namespace rxp::fuzz {
namespace {

constexpr size_t kBlockSizes[] = {40, 4096};

class Requests final : public Target {
 public:
  Requests() {
    uint32_t id = 0;
    for (size_t size : kBlockSizes) {
      memory_.emplace_back(new char[size]());
      blocks_.push_back(std::make_unique<SharedBlock>());
      blocks_.back()->id = ++id;
      blocks_.back()->data = memory_.back().get();
      blocks_.back()->size = size;
    }
  }
  ~Requests() override {
    for (auto& block : blocks_) block->data = nullptr;  // not a mapping
  }

  void run(Input input) override {
    static constexpr MessageType kTypes[] = {
        MessageType::kStart,  MessageType::kCall,  MessageType::kCall,  MessageType::kCall,
        MessageType::kDefine, MessageType::kMap,   MessageType::kUnmap, MessageType::kGiveBack,
        MessageType::kStop,   MessageType::kCancel};
    MessageType type = kTypes[input.byte() % std::size(kTypes)];
    if ((input.byte() & 31) == 0) type = static_cast<MessageType>(input.byte());
    size_t size = aligned(sizeof(MessageHeader) + input.below(400));
    auto* message = static_cast<char*>(std::aligned_alloc(kAlignment, size));
    std::memset(message, 0, size);
    fill(type, message, size, input);
    const MessageHeader header{static_cast<uint32_t>(size), type};
    std::memcpy(message, &header, sizeof header);
    if (request_fits(message, [this](uint32_t id) { return find(id); })) read(message, header);
    std::free(message);
  }

 private:
  const SharedBlock* find(uint32_t id) const {
    return id >= 1 && id <= blocks_.size() ? blocks_[id - 1].get() : nullptr;
  }

  // A message that is nearly right, so that the deeper checks are reached.
  void fill(MessageType type, char* place, size_t size, Input& input) {
    for (size_t at = sizeof(MessageHeader); at + 4 <= size && !input.empty(); at += 4) {
      uint32_t word = input.byte() < 200 ? input.byte() % 8 : static_cast<uint32_t>(input.size());
      std::memcpy(place + at, &word, sizeof word);
    }
    if (type != MessageType::kCall || size < sizeof(CallMessage)) return;
    auto* call = reinterpret_cast<CallMessage*>(place);
    call->body = {size - sizeof(CallMessage), 0, 0};
    if ((input.byte() & 1) != 0) {
      call->body.block = 1 + input.byte() % 2u;
      call->body.size = input.size();
    }
    call->claim = input.byte() % (kClaims + 8);
    call->kind = input.byte() % 5u;
    call->count = static_cast<int32_t>(input.size());
    bool binary = call->kind == static_cast<uint32_t>(CallKind::kBinary);
    call->segments = binary ? static_cast<uint32_t>(call->count) : 0;
    call->layout = 0;
    if (binary && (input.byte() & 1) != 0) {
      call->segments = 1;
      call->layout = 1 + 2 * (input.byte() % 5u) + ((input.byte() & 15) == 0 ? 1 : 0);
      fill_layout(call, place, size, input);
    }
    call->lengths = binary ? 0 : static_cast<uint32_t>(call->count);
    call->text_at = binary ? 0 : call->lengths * sizeof(int32_t);
    call->units = binary ? 0 : input.size();
    if ((input.byte() & 7) == 0) call->text_at = input.size();
  }

  // One segment and a layout that nearly lies in it.
  void fill_layout(const CallMessage* call, char* place, size_t size, Input& input) {
    char* body = place + sizeof *call;
    size_t room = size - sizeof *call;
    if (call->body.block != 0) {
      const SharedBlock* block = find(call->body.block);
      body = block->data;
      room = block->size;
    }
    SegmentRecord record{0, static_cast<int32_t>(input.byte() % 11), 0, input.byte()};
    if (room < sizeof record) return;
    std::memcpy(body, &record, sizeof record);
    for (uint32_t i = 0; i < call->layout; i++) {
      const size_t at = sizeof record + i * sizeof(int64_t);
      if (room < at + sizeof(int64_t)) return;
      int64_t number = static_cast<int64_t>(input.byte() % 8) - 2;
      if ((input.byte() & 31) == 0) number = static_cast<int64_t>(uint64_t{input.size()} << 33);
      std::memcpy(body + at, &number, sizeof number);
    }
  }

  // What Worker reads of it.
  void read(const char* place, const MessageHeader& header) {
    switch (header.type) {
      case MessageType::kStart:
        return read_body(place, *reinterpret_cast<const StartMessage*>(place));
      case MessageType::kDefine: {
        const auto& define = *reinterpret_cast<const DefineMessage*>(place);
        CHECK(define.codec_in <= 4 && define.codec_out <= 4);
        CHECK(define.async_limit >= 1 && define.async_limit <= kMostInFlight);
        CHECK(define.units * sizeof(char16_t) <= define.body.size);
        return read_body(place, define);
      }
      case MessageType::kCall:
        return read_call(place);
      case MessageType::kMap:
      case MessageType::kUnmap:
      case MessageType::kGiveBack:
        return touch(place, sizeof(BlockMessage));
      case MessageType::kCancel:
        return touch(place, sizeof(FlightMessage));
      default:
        return;
    }
  }

  template <typename Message>
  const char* body_of(const char* place, const Message& message) const {
    return message.body.block == 0 ? place + sizeof message : find(message.body.block)->data;
  }
  template <typename Message>
  void read_body(const char* place, const Message& message) {
    touch(body_of(place, message), message.body.size);
  }

  void read_call(const char* place) {
    const auto& call = *reinterpret_cast<const CallMessage*>(place);
    const char* body = body_of(place, call);
    CHECK(call.count >= 0 && call.handler >= 0 && call.claim < kClaims);
    touch(body, call.lengths * sizeof(int32_t));
    touch(body + call.text_at, call.units * (call.narrow != 0 ? 1 : 2));
    for (uint32_t i = 0; i < call.segments; i++) {
      const auto& record = reinterpret_cast<const SegmentRecord*>(body)[i];
      const char* from = (record.block == 0 ? body : find(record.block)->data) + record.offset;
      touch(from, record.size);
      if (call.layout > 0) read_array(body, call, from, record);
    }
  }

  // Every element, as numpy would.
  void read_array(const char* body, const CallMessage& call, const char* from,
                  const SegmentRecord& record) {
    Layout layout(call.layout);
    std::memcpy(layout.data(), body + sizeof record, call.layout * sizeof(int64_t));
    const size_t width = kElementSizes[record.type];
    const uint64_t elements = elements_of(layout);
    if (elements > 10'000) return;
    std::vector<char> all(elements * width);
    gather(all.data(), from, layout, width);
    touch(all.data(), all.size());
  }

  void touch(const char* from, size_t size) {
    for (size_t i = 0; i < size; i++) sink_ = sink_ + static_cast<uint8_t>(from[i]);
  }

  std::vector<std::unique_ptr<char[]>> memory_;
  std::vector<std::unique_ptr<SharedBlock>> blocks_;
  volatile uint32_t sink_ = 0;
};

}  // namespace

std::unique_ptr<Target> requests_target(Runtime&) { return std::make_unique<Requests>(); }

}  // namespace rxp::fuzz
