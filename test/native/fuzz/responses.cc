// A worker process that writes whatever it likes: into the ring, over the rings' positions, through
// the socket. The pool's side reads it, and may lose that worker and nothing else.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "fuzz/fuzz.h"
#include "platform/processes.h"
#include "process/remote_interpreter.h"

namespace rxp {

// The pool's side as its receiver thread sees it, without the thread and the process.
struct RemoteInterpreterTest {
  RemoteInterpreter& remote;

  void connect(const std::shared_ptr<WorkerSession>& session, Child* child) {
    remote.session_ = session;
    remote.child_ = child;
    remote.open_ = true;
    remote.ready_ = true;
  }
  bool take(WorkerSession& session, const char* message, size_t size) {
    return remote.take(session, message, size);
  }
  void relieve() { remote.relieve(); }
};

namespace fuzz {
namespace {

constexpr int kMostOperations = 60;

class Waker final : public ResultChannel::Waker {
 public:
  void wake() override {}
};

// One worker's life.
class Life {
 public:
  Life()
      : channel_(std::make_shared<ResultChannel>(&waker_)),
        pool_(std::make_shared<Pool>(1, channel_, RuntimeOptions{}, "{}", nullptr)),
        remote_(
            std::make_shared<RemoteInterpreter>(pool_, pool_->queue().add_seat(), WorkerProgram{})),
        test_{*remote_} {
    std::string error;
    session_ = WorkerSession::create(error);
    CHECK(session_ != nullptr);
    Link& link = session_->link();
    memory_ =
        mmap(nullptr, kSharedSize, PROT_READ | PROT_WRITE, MAP_SHARED, link.other_memory(), 0);
    CHECK(memory_ != MAP_FAILED);
    state_ = static_cast<SharedState*>(memory_);
    socket_ = fcntl(link.other_socket(), F_DUPFD_CLOEXEC, 0);
    link.close_other_socket();
    test_.connect(session_, &child_);
    pool_->queue().open_seat(0);
  }

  ~Life() {
    for (BinaryItem& item : held_) discard(item);
    pool_->queue().clear(false);
    CallbackDesk::instance().close(pool_->callbacks);
    remote_->abandon();
    munmap(memory_, kSharedSize);
    close(socket_);
    for (int descriptor : sent_) close(descriptor);
    drain();
    for (BinaryItem& item : held_) discard(item);
    for (MemoryBlock* block : allocated_) block->release();
  }

  void step(Input& input) {
    switch (input.byte() % 16) {
      case 0:
      case 1:
        return submit(input);
      case 2:
      case 3:
      case 4:
      case 5:
        return say(input);
      case 6:
        return send(input);
      case 7:
        return write_over(input);
      case 8: {
        uint64_t word = input.size();
        (void)!::send(socket_, &word, input.byte() % 9, MSG_DONTWAIT | MSG_NOSIGNAL);
        return;
      }
      case 9:
        remote_->cancel(input.byte() % 8);
        return;
      case 10:
        test_.relieve();
        return;
      case 11:
        state_->requests.read.store(state_->requests.written.load());
        return;
      case 12:
        for (BinaryItem& item : held_) discard(item);
        held_.clear();
        return;
      default:
        receive();
        return drain();
    }
  }

 private:
  void submit(Input& input) {
    auto* envelope = new Envelope;
    envelope->calls.resize(1);
    Call& call = envelope->calls[0];
    call.id = ++last_id_;
    if ((input.byte() & 1) != 0) {
      call.kind = CallKind::kBinary;
      bool shareable = (input.byte() & 1) != 0;
      MemoryBlock* block = shareable ? MemoryBlock::allocate_shareable(4096)
                                     : MemoryBlock::allocate(1 + input.below(300'000));
      CHECK(block != nullptr);
      if (shareable) {
        block->retain();
        allocated_.push_back(block);
      }
      call.count = 1;
      call.segments.resize(1);
      call.segments[0].block = block;
      call.segments[0].size = block->size();
      call.segments[0].shared = shareable;
    } else {
      size_t units = input.below(200'000);
      envelope->units = UnitBuffer(units + 1);
      std::memset(envelope->units.get(), 'a', units * sizeof(char16_t));
      call.text = {envelope->units.get(), units, false};
      envelope->meta = {static_cast<int32_t>(units)};
      call.count = 1;
      call.lengths = envelope->meta.data();
    }
    pool_->push(envelope);
    remote_->feed();
    tickets_++;
  }

  // The pool's side takes what it can.
  void receive() {
    if (ended_) return;
    Link& link = session_->link();
    size_t size = 0;
    while (char* message = link.in.peek(&size)) {
      if (!test_.take(*session_, message, size)) {
        ended_ = true;
        return;
      }
      link.in.advance();
    }
    ended_ = session_->broken();
    if (ended_) return;
    session_->flush();
    while (remote_->feed()) {
    }
    link.wait(0);
  }

  // What JavaScript's end relies on without looking.
  void drain() {
    while (ResultBlock* block = channel_->front()) {
      if (block->kind == BlockKind::kText) {
        uint64_t sum = 0;
        for (size_t row = 0; row < block->meta.size();) {
          CHECK(block->meta.size() - row >= 3);
          const int32_t strings = block->meta[row + 2];
          row += 3;
          CHECK(strings >= 0 && block->meta.size() - row >= static_cast<size_t>(strings));
          for (int32_t i = 0; i < strings; i++) {
            CHECK(block->meta[row] >= 0);
            sum += static_cast<uint64_t>(block->meta[row++]);
          }
        }
        CHECK(sum == block->text.size());
      } else if (block->kind == BlockKind::kBinary) {
        CHECK(block->meta.size() == 3 &&
              block->meta[2] == static_cast<int32_t>(block->items.size()));
        for (BinaryItem& item : block->items) take_item(item);
      } else if (block->kind == BlockKind::kCallback) {
        CHECK(!block->meta.empty());
        CallbackDesk::instance().answer(pool_->callbacks, block->meta[0], true, {"[]", 2, true});
      } else {
        CHECK(block->kind == BlockKind::kOutput || block->kind == BlockKind::kLog ||
              block->kind == BlockKind::kNotice);
      }
      channel_->pop();
    }
  }

  void take_item(BinaryItem& item) {
    CHECK(item.type >= 0 && item.type < 11);
    CHECK(item.layout.empty() || layout_fits(item.layout.data(), item.layout.size(),
                                             item.size / kElementSizes[item.type]));
    if (item.block != nullptr) {
      CHECK(item.offset <= item.block->size() && item.size <= item.block->size() - item.offset);
      if (item.size > 0) {
        sink_ = sink_ + item.block->data()[item.offset] +
                item.block->data()[item.offset + item.size - 1];
      }
      held_.push_back(item);
    } else {
      CHECK(item.exported == nullptr && (item.alias >= 0 || item.size == 0));
    }
  }

  void write(const void* bytes, size_t size) {
    char* ring = reinterpret_cast<char*>(state_ + 1) + kRingSize;
    uint64_t at = state_->responses.written.load();
    for (size_t i = 0; i < size; i++) {
      ring[(at + i) % kRingSize] = static_cast<const char*>(bytes)[i];
    }
    state_->responses.written.store(at + size);
  }

  // A message that is right, then up to three words of it that are not.
  void say(Input& input) {
    std::vector<char> bytes(512);
    size_t size = 0;
    MessageType type = MessageType::kText;
    const uint64_t ticket = tickets_ == 0 ? 1 : 1 + input.byte() % tickets_;
    const uint32_t block = (input.byte() & 3) == 0 ? 1 + input.byte() % 3u : 0;
    const uint64_t body_size = block == 0 ? 96 : 4096;
    switch (input.byte() % 9) {
      case 0:
      case 1: {
        auto& message = *reinterpret_cast<TextMessage*>(bytes.data());
        message.ticket = ticket;
        message.narrow = input.byte() & 1;
        message.lengths = 2;
        message.text_at = 8;
        message.units = 12;
        message.body = {body_size, block, 0};
        int32_t lengths[] = {5, 7};
        std::memcpy(bytes.data() + sizeof message, lengths, sizeof lengths);
        if (block != 0) write_block(block, lengths, sizeof lengths);
        size = sizeof message + (block == 0 ? body_size : 0);
        break;
      }
      case 2:
      case 3: {
        type = MessageType::kBinary;
        auto& message = *reinterpret_cast<BinaryMessage*>(bytes.data());
        message.ticket = ticket;
        message.items = 2;
        message.data_at = 64;
        message.body = {body_size, block, 0};
        ItemRecord records[] = {{-1, 1, 0, 0, 0, 16}, {-1, 1, 0, 0, 16, 16}};
        if ((input.byte() & 3) == 0) records[0] = {0, 1, 0, 0, input.size(), input.size()};
        if ((input.byte() & 3) == 0) records[1].size = input.size();
        if ((input.byte() & 1) != 0) {
          message.items = 1;
          message.data_at = 128;
          records[0].layout = 5;
          int64_t layout[] = {0, 4, 4, 4, 1};
          layout[input.byte() % 5] = static_cast<int64_t>(input.byte() % 12) - 5;
          std::memcpy(bytes.data() + sizeof message + sizeof records[0], layout, sizeof layout);
          if (block != 0) write_block(block, layout, sizeof layout, sizeof records[0]);
        }
        const size_t used = message.items * sizeof(ItemRecord);
        std::memcpy(bytes.data() + sizeof message, records, used);
        if (block != 0) write_block(block, records, used);
        size = sizeof message + (block == 0 ? body_size : 0);
        break;
      }
      case 4: {
        type = MessageType::kOutput;
        auto& message = *reinterpret_cast<OutputMessage*>(bytes.data());
        message.kind = 2 + (input.byte() & 3);
        message.stream = input.byte();
        message.narrow = 1;
        message.units = 10;
        message.body = {body_size, block, 0};
        size = sizeof message + (block == 0 ? body_size : 0);
        break;
      }
      case 5: {
        type = MessageType::kCallback;
        auto& message = *reinterpret_cast<CallbackMessage*>(bytes.data());
        message.number = 1 + input.byte() % 4;
        message.narrow = 1;
        message.units = 10;
        message.body = {body_size, block, 0};
        size = sizeof message + (block == 0 ? body_size : 0);
        break;
      }
      case 6: {
        type = MessageType::kCallbackWait;
        auto& message = *reinterpret_cast<CallbackWaitMessage*>(bytes.data());
        message.number = 1 + input.byte() % 4;
        size = sizeof message;
        break;
      }
      case 7: {
        type = MessageType::kInFlight;
        auto& message = *reinterpret_cast<FlightMessage*>(bytes.data());
        message.ticket = ticket;
        message.full = input.byte() & 1;
        size = sizeof message;
        break;
      }
      default: {
        static constexpr MessageType kBlockTypes[] = {MessageType::kMap, MessageType::kUnmap,
                                                      MessageType::kGiveBack};
        type = kBlockTypes[input.byte() % 3];
        auto& message = *reinterpret_cast<BlockMessage*>(bytes.data());
        message.block = 1 + input.byte() % 3u;
        message.size = 4096;
        size = sizeof message;
      }
    }
    size = aligned(size);
    for (int wrong = input.byte() % 4; wrong > 0; wrong--) {
      size_t at = 8 * (1 + input.byte() % (size / 8 - 1));
      uint64_t word = input.size();
      std::memcpy(bytes.data() + at, &word, (input.byte() & 1) != 0 ? 8 : 4);
    }
    MessageHeader header{static_cast<uint32_t>(size), type};
    if ((input.byte() & 15) == 0) header.size = static_cast<uint32_t>(input.size());
    if ((input.byte() & 15) == 0) header.type = static_cast<MessageType>(input.byte());
    std::memcpy(bytes.data(), &header, sizeof header);
    write(bytes.data(), size);
  }

  // Passes a descriptor that may be a block's, and the message that names it.
  void send(Input& input) {
    uint32_t block = 1 + input.byte() % 3u;
    const size_t size = 4096;
    int descriptor = -1;
    const uint8_t way = input.byte() % 8;
    if (way == 0) {
      descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    } else if (way == 1) {
      descriptor = memfd_create("unsealed", MFD_CLOEXEC);
      (void)!ftruncate(descriptor, size);
    } else if (way == 2) {
      descriptor = platform::create_memory_file(input.below(4096));
    } else {
      descriptor = platform::create_memory_file(size);
    }
    CHECK(descriptor >= 0);
    iovec part = {&block, sizeof block};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    (void)!sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    sent_.push_back(descriptor);
    blocks_[block - 1] = descriptor;
    BlockMessage map{};
    map.header = {sizeof map, MessageType::kMap};
    map.block = block;
    map.size = (input.byte() & 7) == 0 ? input.size() : size;
    write(&map, sizeof map);
  }

  void write_block(uint32_t block, const void* bytes, size_t size, size_t at = 0) {
    if (blocks_[block - 1] >= 0) {
      (void)!pwrite(blocks_[block - 1], bytes, size, static_cast<off_t>(at));
    }
  }

  void write_over(Input& input) {
    std::atomic<uint64_t>* places[] = {&state_->responses.written, &state_->responses.read,
                                       &state_->requests.written,  &state_->requests.read,
                                       &state_->running,           &state_->interrupted};
    auto& place = *places[input.byte() % std::size(places)];
    const uint64_t by = input.size();
    place.store((input.byte() & 1) != 0 ? by : place.load() + by);
    state_->requests.reader_waits.store(input.byte());
    char* ring = reinterpret_cast<char*>(state_ + 1);
    uint64_t word = input.size();
    std::memcpy(ring + (input.size() % (2 * kRingSize - sizeof word)), &word, sizeof word);
  }

  Waker waker_;
  std::shared_ptr<ResultChannel> channel_;
  std::shared_ptr<Pool> pool_;
  std::shared_ptr<RemoteInterpreter> remote_;
  RemoteInterpreterTest test_;
  std::shared_ptr<WorkerSession> session_;
  Child child_;
  void* memory_ = nullptr;
  SharedState* state_ = nullptr;
  int socket_ = -1;
  std::vector<int> sent_;
  int blocks_[3] = {-1, -1, -1};
  std::vector<BinaryItem> held_;
  std::vector<MemoryBlock*> allocated_;
  int32_t last_id_ = 0;
  uint8_t tickets_ = 0;
  bool ended_ = false;
  volatile uint32_t sink_ = 0;
};

class Responses final : public Target {
 public:
  void run(Input input) override {
    Life life;
    for (int i = 0; i < kMostOperations && !input.empty(); i++) life.step(input);
  }
};

}  // namespace

std::unique_ptr<Target> responses_target(Runtime&) { return std::make_unique<Responses>(); }

}  // namespace fuzz
}  // namespace rxp
