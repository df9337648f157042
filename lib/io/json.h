// JSON files as values: config.json, tokenizer.json, the header of safetensors.
//
// Strict JSON in UTF-8. Members keep their order; where a name appears twice the last one counts, as readers in other
// languages have it. A member that is null counts as absent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/status.h"

namespace quern::io {

struct JsonMember;

/// One JSON value. Integers that do not fit in 64 bits are reals.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<JsonMember>;
  using Value = std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object>;

  Json() = default;
  explicit Json(Value value);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  /// nullptr where the value is of another kind.
  template <class T>
  const T* get() const {
    return std::get_if<T>(&value_);
  }
  /// The member of an object; nullptr where it is absent or null, or where this is no object.
  const Json* find(std::string_view name) const;
  /// "the string 'x'", "an array of 3 elements": for messages.
  std::string describe() const;

 private:
  Value value_;
};

struct JsonMember {
  std::string name;
  Json value;
};

inline Json::Json(Value value) : value_(std::move(value)) {}  // here, where all that it may hold is complete

/// Nested deeper than this: an error.
inline constexpr size_t kMaxJsonDepth = 64;

/// `file` is for messages.
Result<Json> parse_json(std::span<const std::byte> bytes, std::string_view file);

/// A value and its place in a file, so that errors say both: "FILE: 'model.vocab': expected an object, found ...".
/// Absent values are places too; asking one for an optional kind gives nothing. Points into the Json, which outlives
/// it.
class JsonAt {
 public:
  JsonAt(const Json* value, std::string_view file) : value_(value), file_(file) {}

  JsonAt operator[](std::string_view name) const;
  JsonAt operator[](size_t index) const;  ///< an element of an array; absent beyond its end
  size_t size() const;                    ///< elements of an array or members of an object; 0 for anything else

  bool present() const { return value_ != nullptr; }
  const Json* value() const { return value_; }
  std::string_view file() const { return file_; }
  std::string place() const;  ///< "FILE: 'model.vocab'"

  template <class T>
  const T* get() const {
    return value_ ? value_->get<T>() : nullptr;
  }
  /// Whether it is this very string.
  bool is(std::string_view text) const;

  // The value where it is present, an error where it is of another kind.
  Result<std::optional<bool>> boolean() const;
  Result<std::optional<int64_t>> integer() const;
  Result<const std::string*> text() const;  ///< nullptr where absent
  Result<const Json::Array*> array() const;
  Result<const Json::Object*> object() const;
  /// The same where it must be present.
  Result<std::string> need_text() const;
  Result<const Json::Array*> need_array() const;
  Result<const Json::Object*> need_object() const;

  /// An error about this value: "FILE: 'key': expected WHAT, found ...".
  Error mismatch(std::string_view expected) const;

 private:
  const Json* value_;
  std::string_view file_;
  std::string key_;
};

}  // namespace quern::io
