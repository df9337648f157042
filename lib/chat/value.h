// The values of a template: Python's, as far as chat templates see them. Containers are immutable once made, so values
// are shared freely between renderings and no cycle of ownership can arise; the one mutable thing, a namespace, belongs
// to the rendering that made it.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/base/status.h"

namespace quern::chat {

struct Namespace;
struct Macro;
struct LoopState;

/// Counts the bytes of the values of one rendering that are alive.
struct Meter {
  uint64_t live_bytes = 0;
};

/// Containers nest at most this deep: printing, comparing and destroying recurse that far and no farther.
inline constexpr uint32_t kMaxValueDepth = 128;

/// A cheap-to-copy handle. Copies may be used on several threads at once.
class Value {
 public:
  enum class Kind : uint8_t {
    undefined,  ///< carries the name that was not found, for messages
    none,
    boolean,
    integer,
    real,
    string,
    list,
    tuple,
    object,
    method,    ///< a method bound to its value, e.g. the 'strip' of 'text.strip()'
    function,  ///< a global function, by its number
    macro,
    loop,   ///< the variable 'loop'
    space,  ///< a namespace()
  };
  using Entry = std::pair<Value, Value>;
  class Object;
  struct Method;

  Value() = default;
  Value(const Value& other) : kind_(other.kind_), bits_(other.bits_) { retain(); }
  Value(Value&& other) noexcept : kind_(other.kind_), bits_(other.bits_) { other.kind_ = Kind::none; }
  Value& operator=(Value other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(bits_, other.bits_);
    return *this;
  }
  ~Value() { release(); }

  static Value undefined(const Value& name);
  static Value none();
  static Value boolean(bool b);
  static Value integer(int64_t i);
  static Value real(double d);
  // A meter that is given must outlive the value.
  static Value string(std::string text, Meter* meter = nullptr);
  /// A string that counts as HTML: adding other strings to it escapes these. What the filters safe and escape make.
  static Value safe_string(std::string text, Meter* meter = nullptr);
  static Value list(std::vector<Value> items, Meter* meter = nullptr);
  static Value tuple(std::vector<Value> items, Meter* meter = nullptr);
  /// Later entries replace earlier ones of the same key, in the earlier one's place. Keys must be hashable().
  static Value object(std::vector<Entry> entries, Meter* meter = nullptr);
  static Value method(const Value& self, uint32_t number, Meter* meter = nullptr);
  static Value function(uint32_t number);
  // The three below refer to what the rendering owns: such values must not outlive it.
  static Value macro(const Macro* macro);
  static Value loop(LoopState* loop);
  static Value space(Namespace* space);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::undefined; }
  bool is_none() const { return kind_ == Kind::none; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_object() const { return kind_ == Kind::object; }
  bool is_sequence() const { return kind_ == Kind::list || kind_ == Kind::tuple; }
  bool is_integral() const {
    return kind_ == Kind::integer || kind_ == Kind::boolean;
  }  ///< a bool is an int, as in Python
  bool is_number() const { return is_integral() || kind_ == Kind::real; }
  bool is_callable() const;
  bool is_safe() const;  ///< a safe_string
  /// Whether it can be the key of an object: scalars, and short tuples of them.
  bool hashable() const;

  // Each of these asks for its own kind.
  bool as_boolean() const { return bits_.integer != 0; }
  int64_t as_integer() const { return bits_.integer; }  ///< of integer and boolean
  double as_real() const { return kind_ == Kind::real ? bits_.real : static_cast<double>(bits_.integer); }
  std::string_view as_string() const;
  std::span<const Value> items() const;  ///< of list and tuple
  const Object& as_object() const;
  const Method& as_method() const;
  uint32_t as_function() const { return static_cast<uint32_t>(bits_.integer); }
  const Macro* as_macro() const { return bits_.macro; }
  LoopState* as_loop() const { return bits_.loop; }
  Namespace* as_space() const { return bits_.space; }
  std::string_view undefined_name() const;  ///< empty where unknown

  /// Levels of containers: 0 for a scalar, 1 for a list of scalars.
  uint32_t depth() const;
  /// The same object, as Python's `is` (equal scalars count as the same).
  bool same_as(const Value& other) const;
  /// Python's name of the type, e.g. "str".
  std::string_view type_name() const;

 private:
  struct Heap;
  struct Text;
  struct Sequence;
  union Bits {
    int64_t integer;
    double real;
    Heap* heap;
    const Macro* macro;
    LoopState* loop;
    Namespace* space;
  };
  Value(Kind kind, Bits bits) : kind_(kind), bits_(bits) {}
  static Value sequence(Kind kind, std::vector<Value> items, Meter* meter);
  bool on_heap() const {
    return (kind_ >= Kind::string && kind_ <= Kind::method) || (kind_ == Kind::undefined && bits_.heap != nullptr);
  }
  void retain() const;
  void release() noexcept;

  Kind kind_ = Kind::undefined;
  Bits bits_ = {0};
};

/// Entries in the order of insertion, found by key.
class Value::Object {
 public:
  explicit Object(std::vector<Entry> entries);
  std::span<const Entry> entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;

 private:
  const Entry* locate(size_t hash, const Value& key) const;
  std::vector<Entry> entries_;
  std::unordered_multimap<size_t, uint32_t> places_;  ///< hash of key to entry; empty while a scan is as fast
};

struct Value::Method {
  Value self;
  uint32_t number = 0;
};

/// A mutable set of attributes, made by namespace() and owned by its rendering.
struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
  Value* find(std::string_view name);
};

}  // namespace quern::chat
