#include "queue/result_channel.h"

#include <thread>

#include "buffer/exported.h"
#include "platform/platform.h"

namespace rxp {
namespace {
// A block that grows past this is closed, so that its string is made and freed in small pieces and
// the first results of a long row do not wait for the last.
constexpr size_t kMergeUnits = 64 << 10;
constexpr size_t kMergeMeta = 4096;
constexpr size_t kSpareBlocks = 8;
constexpr size_t kSpareUnits = 1 << 20;
}  // namespace

void discard(BinaryItem& item) {
  if (item.block != nullptr) item.block->release();
  if (item.exported != nullptr) item.exported->give_back();
  item.block = nullptr;
  item.exported = nullptr;
}

ResultChannel::~ResultChannel() {
  for (auto& block : blocks_) {
    for (auto& item : block->items) discard(item);
  }
}

std::unique_ptr<ResultBlock> ResultChannel::fresh() {
  if (spare_.empty()) return std::make_unique<ResultBlock>();
  auto block = std::move(spare_.back());
  spare_.pop_back();
  return block;
}

void ResultChannel::signal() {
  if (signalled_ || waker_ == nullptr) return;
  signalled_ = true;
  waker_->wake();
}

ResultBlock* ResultChannel::append(std::unique_ptr<ResultBlock> block) {
  blocks_.push_back(std::move(block));
  if (waiting_) {
    // It takes what is there before it goes back to its event loop.
    filled_.store(true, std::memory_order_release);
    posted_.notify_one();
  } else {
    signal();
  }
  return blocks_.back().get();
}

void ResultChannel::post_text(int32_t pool, int32_t call, ResultStatus status, TextBuffer& text,
                              std::vector<int32_t>& lengths) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  ResultBlock* last = blocks_.empty() ? nullptr : blocks_.back().get();
  bool taken = blocks_.size() == 1 && front_taken_;
  bool mergeable = last != nullptr && !taken && last->kind == BlockKind::kText &&
                   last->pool == pool && last->text.narrow() == text.narrow() &&
                   last->text.size() + text.size() <= kMergeUnits &&
                   last->meta.size() + lengths.size() <= kMergeMeta;
  if (!mergeable) {
    auto block = fresh();
    block->kind = BlockKind::kText;
    block->pool = pool;
    std::swap(block->text, text);
    last = block.get();
    last->meta.insert(last->meta.end(),
                      {call, static_cast<int32_t>(status), static_cast<int32_t>(lengths.size())});
    last->meta.insert(last->meta.end(), lengths.begin(), lengths.end());
    append(std::move(block));
  } else {
    last->text.append(text.view());
    last->meta.insert(last->meta.end(),
                      {call, static_cast<int32_t>(status), static_cast<int32_t>(lengths.size())});
    last->meta.insert(last->meta.end(), lengths.begin(), lengths.end());
    signal();
  }
  text.clear();
  lengths.clear();
}

void ResultChannel::post_binary(int32_t pool, int32_t call, std::vector<BinaryItem>& items) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) {
    for (auto& item : items) discard(item);
    items.clear();
    return;
  }
  auto block = fresh();
  block->kind = BlockKind::kBinary;
  block->pool = pool;
  block->meta = {call, static_cast<int32_t>(ResultStatus::kOk), static_cast<int32_t>(items.size())};
  block->items.swap(items);
  append(std::move(block));
}

void ResultChannel::post_output(int32_t pool, BlockKind kind, int32_t stream, TextBuffer& text) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  auto block = fresh();
  block->kind = kind;
  block->pool = pool;
  block->meta = {stream};
  std::swap(block->text, text);
  append(std::move(block));
  text.clear();
}

bool ResultChannel::post_callback(int32_t pool, int32_t number, TextBuffer& text) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return false;
  auto block = fresh();
  block->kind = BlockKind::kCallback;
  block->pool = pool;
  block->meta = {number, text.specials ? 1 : 0};
  std::swap(block->text, text);
  append(std::move(block));
  text.clear();
  return true;
}

void ResultChannel::nudge() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!closed_) signal();
}

bool ResultChannel::wait(std::chrono::milliseconds most) {
  const auto until = std::chrono::steady_clock::now() + most;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!blocks_.empty()) return true;
    filled_.store(false, std::memory_order_relaxed);
    waiting_ = true;
  }
  spin();
  std::unique_lock<std::mutex> lock(mutex_);
  posted_.wait_until(lock, until, [this] { return !blocks_.empty(); });
  waiting_ = false;
  return !blocks_.empty();
}

// A quick call has its answer sooner than a thread that sleeps would be awake again. Only where
// another core is left for Python.
void ResultChannel::spin() {
  static const bool has_cores = std::thread::hardware_concurrency() > 1;
  constexpr auto kSpin = std::chrono::microseconds(30);
  if (!has_cores) return;
  const auto until = std::chrono::steady_clock::now() + kSpin;
  while (!filled_.load(std::memory_order_acquire)) {
    for (int i = 0; i < 16; i++) platform::relax();
    if (std::chrono::steady_clock::now() > until) return;
  }
}

ResultBlock* ResultChannel::front() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (blocks_.empty()) {
    signalled_ = false;
    return nullptr;
  }
  front_taken_ = true;
  return blocks_.front().get();
}

void ResultChannel::pop() {
  std::lock_guard<std::mutex> lock(mutex_);
  auto block = std::move(blocks_.front());
  blocks_.pop_front();
  front_taken_ = false;
  block->text.clear();
  block->meta.clear();
  block->items.clear();
  // Blocks are kept for the sake of their memory, unless it is a lot.
  if (spare_.size() < kSpareBlocks && block->meta.capacity() <= kSpareUnits / 4 &&
      block->text.capacity() <= kSpareUnits) {
    spare_.push_back(std::move(block));
  }
}

void ResultChannel::close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  waker_ = nullptr;
}

}  // namespace rxp
