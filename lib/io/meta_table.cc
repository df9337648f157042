// MetaTable: typed access to the metadata, with errors that say what was expected and what the file holds.
#include <limits>
#include <type_traits>

#include "lib/io/names.h"
#include "lib/io/reader.h"

namespace quern::io {
namespace {

constexpr auto kMaxInt = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

/// "the integer -1", "an array of 3 strings": what a value is, for messages.
std::string describe(const MetaValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>)
          return cat("the boolean ", v);
        else if constexpr (std::is_integral_v<T>)
          return cat("the integer ", v);
        else if constexpr (std::is_same_v<T, double>)
          return cat("the floating-point number ", v);
        else if constexpr (std::is_same_v<T, std::string>)
          return cat("the string ", quoted(v));
        else if constexpr (std::is_same_v<T, std::vector<std::string>>)
          return cat("an array of ", v.size(), " strings");
        else if constexpr (std::is_same_v<T, std::vector<double>>)
          return cat("an array of ", v.size(), " floats");
        else
          return cat("an array of ", v.size(), " integers");
      },
      value);
}

Error mismatch(const MetaTable& table, std::string_view key, std::string_view expected, const MetaValue& found) {
  return fail(Errc::format, table.file(), ": key ", quoted(key), ": expected ", expected, ", found ", describe(found));
}

/// The value of `key` as exactly a T, nullptr where the key is absent.
template <class T>
Result<const T*> typed(const MetaTable& table, std::string_view key, std::string_view expected) {
  const MetaValue* value = table.find(key);
  if (value == nullptr) return static_cast<const T*>(nullptr);
  const T* out = std::get_if<T>(value);
  if (out == nullptr) return mismatch(table, key, expected, *value);
  return out;
}

template <class T>
Result<std::optional<T>> typed_copy(const MetaTable& table, std::string_view key, std::string_view expected) {
  QUERN_TRY(const T* const value, typed<T>(table, key, expected));
  return value == nullptr ? std::optional<T>() : std::optional<T>(*value);
}

}  // namespace

Status MetaTable::add(Entry entry) {
  const auto [place, is_new] = index_.try_emplace(entry.key, entries_.size());
  QUERN_ENSURE(is_new, Errc::format, file_, ": key ", quoted(entry.key), " appears twice");
  entries_.push_back(std::move(entry));
  return {};
}

const MetaValue* MetaTable::find(std::string_view key) const {
  const auto place = index_.find(key);
  return place == index_.end() ? nullptr : &entries_[place->second].value;
}

Result<std::optional<uint64_t>> MetaTable::get_uint(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<uint64_t>();
  if (const auto* u = std::get_if<uint64_t>(value)) return std::optional<uint64_t>(*u);
  if (const auto* i = std::get_if<int64_t>(value); i != nullptr && *i >= 0)
    return std::optional<uint64_t>(static_cast<uint64_t>(*i));
  return mismatch(*this, key, "a non-negative integer", *value);
}

Result<std::optional<int64_t>> MetaTable::get_int(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<int64_t>();
  if (const auto* i = std::get_if<int64_t>(value)) return std::optional<int64_t>(*i);
  if (const auto* u = std::get_if<uint64_t>(value); u != nullptr && *u <= kMaxInt)
    return std::optional<int64_t>(static_cast<int64_t>(*u));
  return mismatch(*this, key, "an integer below 2^63", *value);
}

Result<std::optional<double>> MetaTable::get_float(std::string_view key) const {
  return typed_copy<double>(*this, key, "a floating-point number");
}

Result<std::optional<bool>> MetaTable::get_bool(std::string_view key) const {
  return typed_copy<bool>(*this, key, "a boolean");
}

Result<const std::string*> MetaTable::get_string(std::string_view key) const {
  return typed<std::string>(*this, key, "a string");
}

Result<const std::vector<std::string>*> MetaTable::get_strings(std::string_view key) const {
  return typed<std::vector<std::string>>(*this, key, "an array of strings");
}

Result<std::optional<std::vector<int64_t>>> MetaTable::get_ints(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<std::vector<int64_t>>();
  if (const auto* ints = std::get_if<std::vector<int64_t>>(value)) return std::optional(*ints);
  const auto* uints = std::get_if<std::vector<uint64_t>>(value);
  if (uints == nullptr) return mismatch(*this, key, "an array of integers", *value);
  std::vector<int64_t> out;
  out.reserve(uints->size());
  for (const uint64_t u : *uints) {
    QUERN_ENSURE(u <= kMaxInt, Errc::format, file_, ": key ", quoted(key), ": element ", out.size(),
                 ": expected an integer below 2^63, found ", u);
    out.push_back(static_cast<int64_t>(u));
  }
  return std::optional(std::move(out));
}

Result<std::optional<std::vector<double>>> MetaTable::get_floats(std::string_view key) const {
  return typed_copy<std::vector<double>>(*this, key, "an array of floating-point numbers");
}

}  // namespace quern::io
