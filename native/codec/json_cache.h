// Texts seen before in JSON, and the str made of them. Both caches compare the text as it stands in
// the input (escapes and all), are bounded, and own one reference per text; an entry is replaced
// when another text wants its place. To be used and destroyed with the GIL held.
#pragma once

#include <memory>

#include "codec/json_common.h"

namespace rxp {

// The caches read whole words: this many bytes from the start of a text must be readable.
inline constexpr size_t kCacheReach = 64;

inline uint64_t last_word_mask(size_t bytes) {
  size_t rest = bytes & 7;
  return rest == 0 ? ~uint64_t{0} : (uint64_t{1} << (rest * 8)) - 1;
}

inline uint32_t hash_text(const void* text, size_t bytes) {
  const char* at = static_cast<const char*>(text);
  uint64_t hash = bytes * 0x9e3779b97f4a7c15u;
  for (; bytes > 8; bytes -= 8, at += 8)
    hash = (hash ^ load64(at)) * 0xff51afd7ed558ccdu, hash ^= hash >> 32;
  hash = (hash ^ (load64(at) & last_word_mask(bytes))) * 0xff51afd7ed558ccdu;
  return static_cast<uint32_t>(hash >> 32);
}

// `stored` was zero-filled behind its end.
inline bool same_text(const void* input, const void* stored, size_t bytes) {
  const char* a = static_cast<const char*>(input);
  const char* b = static_cast<const char*>(stored);
  for (; bytes > 8; bytes -= 8, a += 8, b += 8) {
    if (load64(a) != load64(b)) return false;
  }
  return ((load64(a) ^ load64(b)) & last_word_mask(bytes)) == 0;
}

// Keys, each with what followed it last time: records of one shape are then read by comparing the
// input with the key that is expected next, without looking for its end.
class KeyCache {
 public:
  static constexpr uint32_t kSlots = 1024;
  static constexpr uint32_t kRoot = kSlots;  // stands for "no key": the outermost value
  static constexpr size_t kMaxBytes = 64;

  struct Slot {
    PyObject* key = nullptr;  // owned
    uint32_t bytes = 0;       // length of `text`, which is the key in quotes and its colon
    uint32_t next = kRoot;    // the key that came after this one in the same object
    uint32_t child = kRoot;   // the first key of the object that was this key's value
    uint32_t entries = 0;     // how many entries the last object had that began with this key
    uint16_t uses = 0;
    uint16_t misses = 0;  // how little this key's string values repeat
    alignas(8) char text[kMaxBytes] = {};
  };

  explicit KeyCache(const PythonApi& api) : api_(api) {}
  KeyCache(const KeyCache&) = delete;
  KeyCache& operator=(const KeyCache&) = delete;
  ~KeyCache() {
    for (uint32_t i = 0; slots_ && i < kSlots; ++i) {
      if (slots_[i].key != nullptr) api_.Py_DecRef(slots_[i].key);
    }
  }

  void prepare() {
    if (!slots_) slots_.reset(new Slot[kSlots + 1]);
  }
  Slot& at(uint32_t index) { return slots_[index]; }
  uint32_t index_of(const Slot* slot) const { return static_cast<uint32_t>(slot - slots_.get()); }

  bool matches(uint32_t index, const void* input) const {
    const Slot& slot = slots_[index];
    return slot.key != nullptr && same_text(input, slot.text, slot.bytes);
  }
  Slot* find(const void* text, size_t bytes) {
    Slot& slot = place(text, bytes);
    bool same = slot.key != nullptr && slot.bytes == bytes && same_text(text, slot.text, bytes);
    return same ? &slot : nullptr;
  }
  // Takes over the reference to `key`.
  Slot* insert(const void* text, size_t bytes, PyObject* key) {
    Slot& slot = place(text, bytes);
    PyObject* old = slot.key;
    slot = Slot();
    slot.key = key;
    slot.bytes = static_cast<uint32_t>(bytes);
    std::memcpy(slot.text, text, bytes);
    if (old != nullptr) api_.Py_DecRef(old);
    return &slot;
  }
  // A key that keeps coming is interned, so that a handler's row['key'] finds it by its address.
  // Not every key: interned strings are immortal in some versions, and keys may be data.
  void count_use(Slot& slot) {
    if (slot.uses >= kInternAfter) return;
    if (++slot.uses == kInternAfter && interned_ < kMaxInterned) {
      ++interned_;
      api_.PyUnicode_InternInPlace(&slot.key);
    }
  }

 private:
  static constexpr uint16_t kInternAfter = 8;
  static constexpr uint32_t kMaxInterned = 4096;

  Slot& place(const void* text, size_t bytes) {
    return slots_[hash_text(text, bytes) & (kSlots - 1)];
  }

  const PythonApi& api_;
  std::unique_ptr<Slot[]> slots_;
  uint32_t interned_ = 0;
};

// Short string values: a record's text fields are often one of a few words.
class StringCache {
 public:
  static constexpr size_t kMaxBytes = 32;

  explicit StringCache(const PythonApi& api) : api_(api) {}
  StringCache(const StringCache&) = delete;
  StringCache& operator=(const StringCache&) = delete;
  ~StringCache() {
    for (uint32_t i = 0; slots_ && i < kSlots; ++i) {
      if (slots_[i].value != nullptr) api_.Py_DecRef(slots_[i].value);
    }
  }

  struct Slot {
    PyObject* value = nullptr;  // owned
    uint64_t bytes = 0;
    alignas(8) char text[kMaxBytes] = {};
  };

  void prepare() {
    if (!slots_) slots_.reset(new Slot[kSlots]);
  }
  Slot& place(const void* text, size_t bytes) {
    return slots_[hash_text(text, bytes) & (kSlots - 1)];
  }
  static bool holds(const Slot& slot, const void* text, size_t bytes) {
    return slot.bytes == bytes && same_text(text, slot.text, bytes);
  }
  // Keeps a reference of its own to `value`.
  void put(Slot& slot, const void* text, size_t bytes, PyObject* value) {
    PyObject* old = slot.value;
    api_.Py_IncRef(value);
    slot.value = value;
    slot.bytes = bytes;
    std::memset(slot.text, 0, kMaxBytes);
    std::memcpy(slot.text, text, bytes);
    if (old != nullptr) api_.Py_DecRef(old);
  }

 private:
  static constexpr uint32_t kSlots = 2048;

  const PythonApi& api_;
  std::unique_ptr<Slot[]> slots_;
};

}  // namespace rxp
