#include "lib/chat/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace quern::chat {

namespace {

constexpr size_t kScanLimit = 12;  // entries up to which a scan beats the index

size_t hash_of(std::string_view text) { return std::hash<std::string_view>{}(text); }

// Keys that are equal hash alike: 1, 1.0 and True are one key.
size_t hash_of(const Value& key) {
  using Kind = Value::Kind;
  switch (key.kind()) {
    case Kind::string:
      return hash_of(key.as_string());
    case Kind::integer:
    case Kind::boolean:
      return std::hash<int64_t>{}(key.as_integer());
    case Kind::real: {
      const double d = key.as_real();
      if (std::fabs(d) < 9e18 && d == std::floor(d)) return std::hash<int64_t>{}(static_cast<int64_t>(d));
      return std::hash<double>{}(d);
    }
    case Kind::tuple: {
      size_t hash = 0x7091;
      for (const Value& item : key.items()) hash = hash * 31 + hash_of(item);
      return hash;
    }
    default:
      return 0x51ED;
  }
}

bool same_key(const Value& a, const Value& b) {
  if (a.is_string() || b.is_string()) return a.is_string() && b.is_string() && a.as_string() == b.as_string();
  if (a.is_integral() && b.is_integral()) return a.as_integer() == b.as_integer();
  if (a.is_number() && b.is_number()) return a.as_real() == b.as_real();
  if (a.kind() != b.kind()) return false;
  return !a.is(Value::Kind::tuple) ||
         std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(), same_key);
}

}  // namespace

// The part that all shared payloads begin with. `meter`, where there is one, has `bytes` counted.
struct Value::Heap {
  std::atomic<uint32_t> references{1};
  uint32_t depth = 0;
  Meter* meter = nullptr;
  uint64_t bytes = 0;

  void charge(Meter* m, uint64_t n) {
    if (!m) return;
    meter = m;
    bytes = n;
    m->live_bytes += n;
  }
};

struct Value::Text : Value::Heap {
  std::string text;
  bool safe = false;
};

struct Value::Sequence : Value::Heap {
  std::vector<Value> items;
};

namespace {
template <class Base, class Payload>
struct Holder : Base {
  explicit Holder(Payload p) : payload(std::move(p)) {}
  Payload payload;
};
}  // namespace

void Value::retain() const {
  if (on_heap()) bits_.heap->references.fetch_add(1, std::memory_order_relaxed);
}

void Value::release() noexcept {
  if (!on_heap() || bits_.heap->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Heap* const heap = bits_.heap;
  if (heap->meter) heap->meter->live_bytes -= heap->bytes;
  switch (kind_) {
    case Kind::list:
    case Kind::tuple:
      delete static_cast<Sequence*>(heap);
      break;
    case Kind::object:
      delete static_cast<Holder<Heap, Object>*>(heap);
      break;
    case Kind::method:
      delete static_cast<Holder<Heap, Method>*>(heap);
      break;
    default:
      delete static_cast<Text*>(heap);
      break;
  }
}

Value Value::undefined(const Value& name) {
  Value out;
  if (name.is_string()) {
    name.retain();
    out.bits_.heap = name.bits_.heap;
  }
  return out;
}

Value Value::none() { return Value(Kind::none, Bits{0}); }
Value Value::boolean(bool b) { return Value(Kind::boolean, Bits{b ? 1 : 0}); }
Value Value::integer(int64_t i) { return Value(Kind::integer, Bits{i}); }
Value Value::real(double d) {
  Bits bits{0};
  bits.real = d;
  return Value(Kind::real, bits);
}

Value Value::string(std::string text, Meter* meter) {
  auto* const heap = new Text;
  heap->text = std::move(text);
  heap->charge(meter, sizeof(Text) + heap->text.capacity());
  Bits bits{0};
  bits.heap = heap;
  return Value(Kind::string, bits);
}

Value Value::safe_string(std::string text, Meter* meter) {
  Value out = string(std::move(text), meter);
  static_cast<Text*>(out.bits_.heap)->safe = true;
  return out;
}

Value Value::sequence(Kind kind, std::vector<Value> items, Meter* meter) {
  auto* const heap = new Sequence;
  heap->items = std::move(items);
  for (const Value& item : heap->items) heap->depth = std::max(heap->depth, item.depth());
  ++heap->depth;
  heap->charge(meter, sizeof(Sequence) + heap->items.capacity() * sizeof(Value));
  Bits bits{0};
  bits.heap = heap;
  return Value(kind, bits);
}

Value Value::list(std::vector<Value> items, Meter* meter) { return sequence(Kind::list, std::move(items), meter); }
Value Value::tuple(std::vector<Value> items, Meter* meter) { return sequence(Kind::tuple, std::move(items), meter); }

Value Value::object(std::vector<Entry> entries, Meter* meter) {
  auto* const heap = new Holder<Heap, Object>(Object(std::move(entries)));
  for (const Entry& entry : heap->payload.entries()) heap->depth = std::max(heap->depth, entry.second.depth());
  ++heap->depth;
  heap->charge(meter, sizeof *heap + heap->payload.size() * (sizeof(Entry) + 32));
  Bits bits{0};
  bits.heap = heap;
  return Value(Kind::object, bits);
}

Value Value::method(const Value& self, uint32_t number, Meter* meter) {
  auto* const heap = new Holder<Heap, Method>(Method{self, number});
  heap->depth = self.depth() + 1;
  heap->charge(meter, sizeof *heap);
  Bits bits{0};
  bits.heap = heap;
  return Value(Kind::method, bits);
}

Value Value::function(uint32_t number) { return Value(Kind::function, Bits{number}); }

Value Value::macro(const Macro* macro) {
  Bits bits{0};
  bits.macro = macro;
  return Value(Kind::macro, bits);
}

Value Value::loop(LoopState* loop) {
  Bits bits{0};
  bits.loop = loop;
  return Value(Kind::loop, bits);
}

Value Value::space(Namespace* space) {
  Bits bits{0};
  bits.space = space;
  return Value(Kind::space, bits);
}

bool Value::is_callable() const {
  return kind_ == Kind::method || kind_ == Kind::function || kind_ == Kind::macro || kind_ == Kind::loop;
}

bool Value::is_safe() const { return kind_ == Kind::string && static_cast<const Text*>(bits_.heap)->safe; }

bool Value::hashable() const {
  constexpr size_t kMaxKeyItems = 16;
  if (kind_ != Kind::tuple) return is_number() || is_string() || is_none();
  return depth() == 1 && items().size() <= kMaxKeyItems &&
         std::all_of(items().begin(), items().end(), [](const Value& item) { return item.hashable(); });
}

std::string_view Value::as_string() const { return static_cast<const Text*>(bits_.heap)->text; }
std::span<const Value> Value::items() const { return static_cast<const Sequence*>(bits_.heap)->items; }
const Value::Object& Value::as_object() const { return static_cast<const Holder<Heap, Object>*>(bits_.heap)->payload; }
const Value::Method& Value::as_method() const { return static_cast<const Holder<Heap, Method>*>(bits_.heap)->payload; }

std::string_view Value::undefined_name() const {
  return kind_ == Kind::undefined && bits_.heap ? static_cast<const Text*>(bits_.heap)->text : std::string_view();
}

uint32_t Value::depth() const { return kind_ >= Kind::list && kind_ <= Kind::method ? bits_.heap->depth : 0; }

bool Value::same_as(const Value& other) const {
  if (kind_ != other.kind_) return false;
  if (kind_ == Kind::string) return as_string() == other.as_string();
  if (kind_ == Kind::none || kind_ == Kind::undefined) return true;
  return bits_.integer == other.bits_.integer;
}

std::string_view Value::type_name() const {
  static constexpr std::string_view kNames[] = {"Undefined", "NoneType", "bool",  "int",      "float",
                                                "str",       "list",     "tuple", "dict",     "method",
                                                "function",  "Macro",    "loop",  "Namespace"};
  return kNames[static_cast<size_t>(kind_)];
}

Value::Object::Object(std::vector<Entry> entries) {
  entries_.reserve(entries.size());
  for (Entry& entry : entries) {
    const size_t hash = hash_of(entry.first);
    if (const Entry* old = locate(hash, entry.first)) {
      entries_[static_cast<size_t>(old - entries_.data())].second = std::move(entry.second);
      continue;
    }
    entries_.push_back(std::move(entry));
    const auto place = static_cast<uint32_t>(entries_.size() - 1);
    if (entries_.size() == kScanLimit + 1) {
      for (uint32_t i = 0; i < place; ++i) places_.emplace(hash_of(entries_[i].first), i);
    }
    if (entries_.size() > kScanLimit) places_.emplace(hash, place);
  }
}

const Value::Entry* Value::Object::locate(size_t hash, const Value& key) const {
  if (places_.empty()) {
    for (const Entry& entry : entries_) {
      if (same_key(entry.first, key)) return &entry;
    }
    return nullptr;
  }
  const auto [begin, end] = places_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (same_key(entries_[it->second].first, key)) return &entries_[it->second];
  }
  return nullptr;
}

const Value* Value::Object::find(const Value& key) const {
  if (!key.hashable()) return nullptr;
  const Entry* const entry = locate(hash_of(key), key);
  return entry ? &entry->second : nullptr;
}

const Value* Value::Object::find(std::string_view key) const {
  if (places_.empty()) {
    for (const Entry& entry : entries_) {
      if (entry.first.is_string() && entry.first.as_string() == key) return &entry.second;
    }
    return nullptr;
  }
  const auto [begin, end] = places_.equal_range(hash_of(key));
  for (auto it = begin; it != end; ++it) {
    const Entry& entry = entries_[it->second];
    if (entry.first.is_string() && entry.first.as_string() == key) return &entry.second;
  }
  return nullptr;
}

Value* Namespace::find(std::string_view name) {
  for (auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace quern::chat
