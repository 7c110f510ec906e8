// The parser behind JsonDecoder, for text of one byte a unit or two. Recursive descent; what one
// text needs only while it is parsed lives here, what is worth keeping lives in the decoder.
#pragma once

#include "codec/json_strings.h"

namespace rxp {

template <class Unit>
class JsonParser : JsonStrings<Unit> {
 public:
  // `readable` counts the units that may be read from `begin`: at least `size`.
  JsonParser(JsonDecoder& decoder, const Unit* begin, size_t size, size_t readable, bool batch)
      : Strings(decoder, begin, size),
        keys_(kNarrow ? decoder.narrow_keys_ : decoder.wide_keys_),
        strings_(kNarrow ? decoder.narrow_strings_ : decoder.wide_strings_),
        cacheable_(begin + (readable > kReach ? readable - kReach : 0)),
        batch_(batch),
        max_depth_(kJsonMaxDepth + (batch ? 1 : 0)) {
    if (cacheable_ > end_) cacheable_ = end_;
    keys_.prepare();
    strings_.prepare();
  }

  PyObject* run() {
    skip_space();
    if (batch_ && (at_ == end_ || *at_ != '[')) return fail("a list was expected");
    PyObject* result = value(KeyCache::kRoot);
    if (result == nullptr) return nullptr;
    skip_space();
    if (at_ == end_) return result;
    api_.Py_DecRef(result);
    return fail("more text after the end of the value");
  }

 private:
  using Strings = JsonStrings<Unit>;
  using Strings::api_;
  using Strings::at_;
  using Strings::d_;
  using Strings::end_;
  using Strings::fail;
  using Strings::kNarrow;
  using Strings::make_string;
  using Strings::number;
  using Strings::real;
  using Strings::scan_string;
  using Strings::shared;
  using Strings::skip_space;
  using Strings::take;
  using Strings::take_word;
  using typename Strings::Scan;

  static constexpr size_t kReach = kCacheReach / sizeof(Unit);
  // A key whose string values repeat this rarely gets them made without a look in the cache.
  static constexpr uint16_t kTooManyMisses = 64;

  // `under` is the key whose value, or part of whose value, comes now.
  PyObject* value(uint32_t under) {
    if (at_ == end_) return fail("the text ends where a value was expected");
    switch (*at_) {
      case '"':
        return string(under);
      case '{':
        return object(under);
      case '[':
        return list(under);
      case 't':
        return take_word("true") ? shared(api_.True) : fail("unknown word");
      case 'f':
        return take_word("false") ? shared(api_.False) : fail("unknown word");
      case 'n':
        return take_word("null") ? shared(api_.None) : fail("unknown word");
      case 'N':
        return take_word("NaN") ? real(std::numeric_limits<double>::quiet_NaN())
                                : fail("unknown word");
      case 'I':
        return take_word("Infinity") ? real(std::numeric_limits<double>::infinity())
                                     : fail("unknown word");
      default:
        return number();
    }
  }

  bool enter() {
    if (++depth_ <= max_depth_) return true;
    std::string what = "nested more than " + std::to_string(kJsonMaxDepth) + " levels deep";
    fail(what.c_str());
    return false;
  }

  PyObject* list(uint32_t under) {
    if (!enter()) return nullptr;
    ++at_;
    skip_space();
    size_t base = d_.items_.size();
    if (!take(']')) {
      for (;;) {
        PyObject* item = value(under);
        if (item == nullptr) return drop_items(base);
        d_.items_.push_back(item);
        skip_space();
        if (take(',')) {
          skip_space();
          continue;
        }
        if (take(']')) break;
        fail("',' or ']' was expected");
        return drop_items(base);
      }
    }
    --depth_;
    size_t count = d_.items_.size() - base;
    PyObject* result = api_.PyList_New(static_cast<Py_ssize_t>(count));
    if (result == nullptr) return drop_items(base);
    for (size_t i = 0; i < count; ++i) {
      api_.PyList_SetItem(result, static_cast<Py_ssize_t>(i), d_.items_[base + i]);
    }
    d_.items_.resize(base);
    return result;
  }

  PyObject* drop_items(size_t base) {
    for (size_t i = base; i < d_.items_.size(); ++i) api_.Py_DecRef(d_.items_[i]);
    d_.items_.resize(base);
    return nullptr;
  }

  PyObject* object(uint32_t under) {
    if (!enter()) return nullptr;
    ++at_;
    skip_space();
    PyRef dict;
    if (take('}')) {
      --depth_;
      return api_.PyDict_New();
    }
    uint32_t first = KeyCache::kRoot;
    uint32_t last = KeyCache::kRoot;
    for (uint32_t count = 1;; ++count) {
      uint32_t guess = count == 1 ? keys_.at(under).child : keys_.at(last).next;
      PyRef own_key;
      uint32_t index = key(guess, own_key);
      if (index == kNoKey) return nullptr;
      if (count == 1) {
        first = index;
        keys_.at(under).child = index;
        dict = PyRef(api_, new_dict(index));
        if (!dict) return nullptr;
      } else {
        keys_.at(last).next = index;
      }
      last = index;

      PyObject* name = own_key ? own_key.get() : keys_.at(index).key;
      skip_space();
      if (!own_key && at_ < end_ && (*at_ == '{' || *at_ == '[')) {
        own_key = PyRef(api_, shared(name));  // what is inside may push it out of the cache
      }
      PyObject* item = value(index);
      if (item == nullptr) return nullptr;
      int failed = api_.PyDict_SetItem(dict.get(), name, item);
      api_.Py_DecRef(item);
      if (failed != 0) return nullptr;

      skip_space();
      if (take(',')) {
        skip_space();
        continue;
      }
      if (!take('}')) return fail("',' or '}' was expected");
      if (first != KeyCache::kRoot) keys_.at(first).entries = count;
      --depth_;
      return dict.release();
    }
  }

  // As large as the last object that began with this key.
  PyObject* new_dict(uint32_t first) {
    uint32_t entries = keys_.at(first).entries;
    if (first == KeyCache::kRoot || entries <= 5 || api_._PyDict_NewPresized == nullptr) {
      return api_.PyDict_New();
    }
    return api_._PyDict_NewPresized(static_cast<Py_ssize_t>(entries < 1024 ? entries : 1024));
  }

  static constexpr uint32_t kNoKey = ~uint32_t{0};

  // Reads a key and its colon. Returns its place in the cache, or kRoot with `own` filled when it
  // is not one to keep, or kNoKey with an exception set.
  uint32_t key(uint32_t guess, PyRef& own) {
    KeyCache::Slot& expected = keys_.at(guess);
    if (at_ < cacheable_ && static_cast<size_t>(end_ - at_) * sizeof(Unit) >= expected.bytes &&
        keys_.matches(guess, at_)) {
      at_ += expected.bytes / sizeof(Unit);
      keys_.count_use(expected);
      return guess;
    }
    if (at_ == end_ || *at_ != '"') {
      fail("a key in quotes was expected");
      return kNoKey;
    }
    const Unit* start = at_;
    ++at_;
    Scan scan = scan_string();
    if (scan == Scan::kFailed) return kNoKey;
    const Unit* close = at_ - 1;
    skip_space();
    if (!take(':')) {
      fail("':' was expected");
      return kNoKey;
    }
    size_t bytes = static_cast<size_t>(at_ - start) * sizeof(Unit);
    bool keeps = start < cacheable_ && bytes <= KeyCache::kMaxBytes;
    if (keeps) {
      KeyCache::Slot* slot = keys_.find(start, bytes);
      if (slot != nullptr) {
        keys_.count_use(*slot);
        return keys_.index_of(slot);
      }
    }
    PyObject* made = make_string(start + 1, close, scan);
    if (made == nullptr) return kNoKey;
    if (keeps) return keys_.index_of(keys_.insert(start, bytes, made));
    own = PyRef(api_, made);
    return KeyCache::kRoot;
  }

  PyObject* string(uint32_t under) {
    ++at_;
    const Unit* start = at_;
    Scan scan = scan_string();
    if (scan == Scan::kFailed) return nullptr;
    const Unit* close = at_ - 1;
    size_t bytes = static_cast<size_t>(close - start) * sizeof(Unit);
    if (bytes <= sizeof(Unit) || bytes > StringCache::kMaxBytes || start >= cacheable_ ||
        !worth_caching(under)) {
      return make_string(start, close, scan);
    }
    StringCache::Slot& slot = strings_.place(start, bytes);
    KeyCache::Slot& field = keys_.at(under);
    if (StringCache::holds(slot, start, bytes)) {
      if (field.misses > 1) field.misses -= 2;
      return shared(slot.value);
    }
    ++field.misses;
    PyObject* made = make_string(start, close, scan);
    if (made != nullptr) strings_.put(slot, start, bytes, made);
    return made;
  }

  // Whether this key's values are worth keeping. A key given up for is tried again now and then.
  bool worth_caching(uint32_t under) {
    KeyCache::Slot& field = keys_.at(under);
    if (field.misses < kTooManyMisses) return true;
    if (++field.misses < kTooManyMisses * 64) return false;
    field.misses = kTooManyMisses / 2;
    return true;
  }

  KeyCache& keys_;
  StringCache& strings_;
  const Unit* cacheable_;  // a text that starts before this may be compared word by word
  bool batch_;
  int max_depth_;
  int depth_ = 0;
};

}  // namespace rxp
