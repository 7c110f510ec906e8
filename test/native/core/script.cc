#include "core/script.h"

namespace rxp::test {
namespace {

std::string ascii(TextView text) {
  std::string result;
  for (size_t i = 0; i < text.size; i++) {
    result += static_cast<char>(text.narrow ? text.bytes()[i] : text.units()[i]);
  }
  return result;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '\n') {
      result += "\\n";
    } else {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
  }
  return result + "\"";
}

Envelope* text_envelope(int32_t number, const std::string& text) {
  auto* envelope = new Envelope;
  envelope->units = UnitBuffer(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    envelope->units.get()[i] = static_cast<char16_t>(text[i]);
  }
  envelope->meta = {static_cast<int32_t>(text.size())};
  Call& call = envelope->calls.emplace_back();
  call.id = number;
  call.count = 1;
  call.text = TextView{envelope->units.get(), text.size(), false};
  call.lengths = envelope->meta.data();
  return envelope;
}

}  // namespace

Script::Script(const RuntimeOptions& options)
    : options_(options), channel_(std::make_shared<ResultChannel>(this)) {}

Script::~Script() { channel_->close(); }

void Script::wake() {
  std::lock_guard<std::mutex> lock(mutex_);
  woken_ = true;
  wake_.notify_one();
}

void Script::sleep() {
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [&] { return woken_; });
  woken_ = false;
}

int32_t Script::number() {
  if (free_.empty()) return next_++;
  int32_t number = free_.back();
  free_.pop_back();
  return number;
}

std::shared_ptr<Pool> Script::open(int size) {
  auto pool = std::make_shared<Pool>(next_pool_++, channel_, options_, "{\"path\":[]}");
  for (int i = 0; i < size; i++) {
    int32_t id = number();
    seats_[pool.get()].push_back(pool->start(id));
    Result started = result(id);
    if (!started.ok) std::fprintf(stderr, "%s\n", started.text.c_str());
    CHECK(started.ok);
    pool->open(seats_[pool.get()].back());
  }
  return pool;
}

std::shared_ptr<Pool> Script::elsewhere(Pool::RemoteFactory make) {
  return std::make_shared<Pool>(next_pool_++, channel_, options_, "{}", std::move(make));
}

std::string Script::failure() {
  auto pool = std::make_shared<Pool>(next_pool_++, channel_, options_, "{\"path\":[]}");
  int32_t id = number();
  seats_[pool.get()].push_back(pool->start(id));
  Result started = result(id);
  CHECK(!started.ok);
  close(*pool);  // also what never started says that it has gone
  return started.text;
}

void Script::close(Pool& pool) {
  std::vector<int32_t> stops;
  for (int seat : seats_[&pool]) {
    stops.push_back(number());
    pool.stop(seat, stops.back());
  }
  for (int32_t id : stops) CHECK(result(id).ok);
  seats_.erase(&pool);
}

int32_t Script::handler(Pool& pool, const std::string& source, CodecKind codec) {
  static constexpr const char* kNames[] = {"string", "json", "buffer", "array"};
  int32_t handler = next_handler_++;
  HandlerDefinition definition;
  definition.codecs = {codec, codec, true};
  pool.define_handler(handler, definition);
  std::string request = "{\"op\":\"open\",\"id\":" + std::to_string(handler) +
                        ",\"spec\":{\"kind\":\"source\",\"source\":" + quoted(source) +
                        ",\"function\":null},\"init\":null,\"mode\":\"map\",\"seed\":null," +
                        "\"codec\":\"" + kNames[static_cast<int>(codec)] + "\"}";
  bool one_host = options_.isolation == Isolation::kShared;
  for (int seat : seats_[&pool]) {
    Result opened = result(control(pool, seat, request));
    if (!opened.ok) std::fprintf(stderr, "%s\n", opened.text.c_str());
    CHECK(opened.ok);
    if (one_host) break;
  }
  return handler;
}

int32_t Script::call(Pool& pool, int32_t handler, const std::string& item) {
  int32_t id = number();
  Envelope* envelope = text_envelope(id, item);
  envelope->calls[0].handler = handler;
  pool.queue().push(envelope);
  return id;
}

int32_t Script::call(Pool& pool, int32_t handler, const std::vector<std::string>& items) {
  int32_t id = number();
  std::string joined;
  for (const auto& item : items) joined += item;
  Envelope* envelope = text_envelope(id, joined);
  envelope->meta.clear();
  for (const auto& item : items) envelope->meta.push_back(static_cast<int32_t>(item.size()));
  Call& call = envelope->calls[0];
  call.lengths = envelope->meta.data();
  call.count = static_cast<int32_t>(items.size());
  call.handler = handler;
  pool.queue().push(envelope);
  return id;
}

// A batch of the json codec: `json` is an array of `count` items.
int32_t Script::call(Pool& pool, int32_t handler, const std::string& json, int32_t count) {
  int32_t id = number();
  Envelope* envelope = text_envelope(id, json);
  envelope->calls[0].handler = handler;
  envelope->calls[0].count = count;
  pool.queue().push(envelope);
  return id;
}

int32_t Script::call(Pool& pool, int32_t handler, MemoryBlock* block, bool detachable) {
  int32_t id = number();
  auto* envelope = new Envelope;
  Call& call = envelope->calls.emplace_back();
  call.id = id;
  call.handler = handler;
  call.kind = CallKind::kBinary;
  call.count = 1;
  Segment& segment = call.segments.emplace_back();
  segment.block = block;
  segment.size = block->size();
  segment.type = 1;
  segment.shared = true;
  segment.detachable = detachable;
  pool.queue().push(envelope);
  return id;
}

int32_t Script::control(Pool& pool, int seat, const std::string& request) {
  int32_t id = number();
  Envelope* envelope = text_envelope(id, request);
  envelope->calls[0].kind = CallKind::kControl;
  envelope->calls[0].interpreter = seat;
  pool.queue().push(envelope);
  return id;
}

bool Script::cancel(Pool& pool, int32_t id) {
  if (pool.cancel(id) != 1) return true;
  free_.push_back(id);
  return false;
}

Result Script::result(int32_t id) {
  for (;;) {
    auto found = results_.find(id);
    if (found != results_.end()) {
      Result result = std::move(found->second);
      results_.erase(found);
      free_.push_back(id);
      return result;
    }
    sleep();
    take_all();
  }
}

void Script::wait_for_output(size_t characters) {
  while (output_ < characters) {
    sleep();
    take_all();
  }
}

void Script::take_all() {
  while (ResultBlock* block = channel_->front()) {
    if (block->kind == BlockKind::kText) {
      take_text(*block);
    } else if (block->kind == BlockKind::kBinary) {
      Result& result = results_[block->meta[0]];
      result.ok = true;
      result.items.swap(block->items);
    } else {
      output_ += block->text.size();
    }
    channel_->pop();
  }
}

void Script::take_text(const ResultBlock& block) {
  const std::vector<int32_t>& meta = block.meta;
  size_t from = 0;
  for (size_t at = 0; at < meta.size();) {
    Result& result = results_[meta[at]];
    result.ok = static_cast<ResultStatus>(meta[at + 1]) != ResultStatus::kError;
    auto count = static_cast<size_t>(meta[at + 2]);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) size += static_cast<size_t>(meta[at + 3 + i]);
    result.text = ascii(block.text.view().slice(from, size));
    from += size;
    at += 3 + count;
  }
}

}  // namespace rxp::test
