#include "process/worker_sink.h"

#include <time.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "buffer/exported.h"
#include "process/reports.h"
#include "process/text_copy.h"

namespace rxp {
namespace {

constexpr useconds_t kFullPause = 50;  // microseconds; the pool's receiver never waits for us

uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
}

// Whether there is more memory between an array's elements than is worth copying.
bool has_gaps(const BinaryItem& item) {
  return item.alias < 0 && !item.layout.empty() &&
         item.size > elements_of(item.layout) * kElementSizes[item.type];
}

}  // namespace

std::atomic<bool> WorkerSink::forked{false};

void WorkerSink::begin(const Call& call) {
  ticket_ = call.ticket;
  began_ = now();
}

void WorkerSink::restore(const Place& place) {
  ticket_ = place.ticket;
  began_ = place.began;
}

uint64_t WorkerSink::nanoseconds() const { return now() - began_; }

char* WorkerSink::reserve(size_t size, MessageType type) {
  for (;;) {
    if (char* place = link_.out.reserve(size, type)) return place;
    link_.wake();
    if (link_.out.broken() || link_.other_side_gone()) _exit(0);
    usleep(kFullPause);
  }
}

void WorkerSink::publish() {
  link_.out.publish();
  link_.wake();
}

char* WorkerSink::place(size_t message_size, MessageType type, size_t body_size, Body& body,
                        char** data) {
  body = {body_size, 0, 0};
  if (body_size <= kInlineLimit) {
    char* message = reserve(message_size + body_size, type);
    *data = message + message_size;
    return message;
  }
  SharedBlock* block = ours_.lend(body_size);
  if (block == nullptr) return nullptr;
  if (!block->known) {
    if (!link_.send_descriptor(block->id, block->descriptor, true)) {
      ours_.take_back(block->id);
      return nullptr;
    }
    block->known = true;
    auto* map = reinterpret_cast<BlockMessage*>(reserve(sizeof(BlockMessage), MessageType::kMap));
    map->block = block->id;
    map->size = block->size;
    link_.out.publish();
  }
  body.block = block->id;
  *data = block->data;
  return reserve(message_size, type);
}

void WorkerSink::post_text(int32_t pool, int32_t call, ResultStatus status, TextBuffer& text,
                           std::vector<int32_t>& lengths) {
  if (forked) _exit(0);  // a copy of the worker that came back from its handler
  std::unique_lock<std::mutex> lock(mutex_);
  TextView view = text.view();
  const size_t lengths_size = lengths.size() * sizeof(int32_t);
  Body body;
  char* data = nullptr;
  char* place_at = place(sizeof(TextMessage), MessageType::kText,
                         lengths_size + view.size * (view.narrow ? 1 : 2), body, &data);
  if (place_at == nullptr) {
    lock.unlock();
    std::string report = plain_report("ERR_RESULT_ENCODE", "there is no memory for the result");
    text.clear();
    text.append_ascii(report.data(), report.size());
    lengths.assign(1, static_cast<int32_t>(report.size()));
    return post_text(pool, call, ResultStatus::kError, text, lengths);
  }
  if (lengths_size > 0) std::memcpy(data, lengths.data(), lengths_size);
  copy_text(view, view.narrow, data + lengths_size);
  auto* message = reinterpret_cast<TextMessage*>(place_at);
  message->ticket = ticket_;
  message->status = static_cast<int32_t>(status);
  message->narrow = view.narrow ? 1 : 0;
  message->lengths = lengths.size();
  message->text_at = lengths_size;
  message->units = view.size;
  message->nanoseconds = nanoseconds();
  message->body = body;
  publish();
  text.clear();
  lengths.clear();
}

void WorkerSink::post_binary(int32_t pool, int32_t call, std::vector<BinaryItem>& items) {
  if (forked) _exit(0);
  std::unique_lock<std::mutex> lock(mutex_);
  size_t data_at = items.size() * sizeof(ItemRecord);
  for (const BinaryItem& item : items) data_at += item.layout.size() * sizeof(int64_t);
  data_at = part_aligned(data_at);
  size_t size = data_at;
  std::vector<ItemRecord> records(items.size());
  for (size_t i = 0; i < items.size(); i++) {
    const BinaryItem& item = items[i];
    records[i] = {item.alias, item.type,   static_cast<uint32_t>(item.layout.size()),
                  0,          item.offset, item.size};
    if (item.alias >= 0) continue;
    records[i].offset = size - data_at;
    if (has_gaps(item)) {
      records[i].size = elements_of(item.layout) * kElementSizes[item.type];
    }
    size += part_aligned(records[i].size);
  }
  Body body;
  char* data = nullptr;
  char* place_at = place(sizeof(BinaryMessage), MessageType::kBinary, size, body, &data);
  if (place_at == nullptr) {
    for (BinaryItem& item : items) discard(item);
    items.clear();
    lock.unlock();
    TextBuffer text;
    std::string report = plain_report("ERR_RESULT_ENCODE", "there is no memory for the result");
    text.append_ascii(report.data(), report.size());
    std::vector<int32_t> lengths{static_cast<int32_t>(report.size())};
    return post_text(pool, call, ResultStatus::kError, text, lengths);
  }
  if (!records.empty()) std::memcpy(data, records.data(), records.size() * sizeof(ItemRecord));
  char* layouts = data + items.size() * sizeof(ItemRecord);
  for (size_t i = 0; i < items.size(); i++) {
    const BinaryItem& item = items[i];
    const bool gaps = has_gaps(item);
    if (!item.layout.empty()) {
      const Layout layout = gaps ? compact(item.layout) : item.layout;
      std::memcpy(layouts, layout.data(), layout.size() * sizeof(int64_t));
      layouts += layout.size() * sizeof(int64_t);
    }
    if (item.alias >= 0 || item.size == 0) continue;
    const char* from =
        item.exported != nullptr ? item.exported->data : item.block->data() + item.offset;
    char* to = data + data_at + records[i].offset;
    if (gaps) {
      gather(to, from, item.layout, kElementSizes[item.type]);
    } else {
      std::memcpy(to, from, item.size);
    }
  }
  auto* message = reinterpret_cast<BinaryMessage*>(place_at);
  message->ticket = ticket_;
  message->items = items.size();
  message->data_at = data_at;
  message->nanoseconds = nanoseconds();
  message->body = body;
  publish();
  lock.unlock();
  for (BinaryItem& item : items) discard(item);
  items.clear();
}

void WorkerSink::post_output(int32_t, BlockKind kind, int32_t stream, TextBuffer& text) {
  TextView view = text.view();
  if (forked) {  // what a copy prints goes where C code's output goes
    std::string bytes;
    for (size_t i = 0; i < view.size; i++) {
      char16_t unit = view.narrow ? view.bytes()[i] : view.units()[i];
      bytes += unit < 0x80 ? static_cast<char>(unit) : '?';
    }
    (void)!write(kind == BlockKind::kOutput && stream == 1 ? 1 : 2, bytes.data(), bytes.size());
    text.clear();
    return;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  Body body;
  char* data = nullptr;
  char* place_at = place(sizeof(OutputMessage), MessageType::kOutput,
                         view.size * (view.narrow ? 1 : 2), body, &data);
  if (place_at != nullptr) {
    copy_text(view, view.narrow, data);
    auto* message = reinterpret_cast<OutputMessage*>(place_at);
    message->kind = static_cast<int32_t>(kind);
    message->stream = stream;
    message->narrow = view.narrow ? 1 : 0;
    message->units = view.size;
    message->body = body;
    publish();
  }
  text.clear();
}

bool WorkerSink::post_callback(int32_t, int32_t number, TextBuffer& text) {
  if (forked) return false;
  TextView view = text.view();
  std::lock_guard<std::mutex> lock(mutex_);
  if (listen_) std::exchange(listen_, nullptr)();
  Body body;
  char* data = nullptr;
  char* place_at = place(sizeof(CallbackMessage), MessageType::kCallback,
                         view.size * (view.narrow ? 1 : 2), body, &data);
  if (place_at == nullptr) return false;
  copy_text(view, view.narrow, data);
  auto* message = reinterpret_cast<CallbackMessage*>(place_at);
  message->number = number;
  message->specials = text.specials ? 1 : 0;
  message->narrow = view.narrow ? 1 : 0;
  message->units = view.size;
  message->body = body;
  publish();
  text.clear();
  return true;
}

void WorkerSink::say_waiting(int32_t callback) {
  if (forked) return;
  std::lock_guard<std::mutex> lock(mutex_);
  auto* message = reinterpret_cast<CallbackWaitMessage*>(
      reserve(sizeof(CallbackWaitMessage), MessageType::kCallbackWait));
  message->number = callback;
  publish();
}

void WorkerSink::say_in_flight(uint64_t ticket, bool full) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto* message =
      reinterpret_cast<FlightMessage*>(reserve(sizeof(FlightMessage), MessageType::kInFlight));
  message->ticket = ticket;
  message->full = full ? 1 : 0;
  publish();
}

void WorkerSink::say_block(MessageType type, uint32_t block, size_t size) {
  if (forked) return;
  std::lock_guard<std::mutex> lock(mutex_);
  auto* message = reinterpret_cast<BlockMessage*>(reserve(sizeof(BlockMessage), type));
  message->block = block;
  message->size = size;
  publish();
}

bool WorkerSink::take_back(uint32_t block) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!ours_.take_back(block)) return false;
  while (uint32_t id = ours_.surplus()) {
    auto* message =
        reinterpret_cast<BlockMessage*>(reserve(sizeof(BlockMessage), MessageType::kUnmap));
    message->block = id;
    message->size = 0;
    publish();
  }
  return true;
}

}  // namespace rxp
