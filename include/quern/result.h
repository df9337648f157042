// Result<T>: what every fallible function of Quern returns: a value or an Error that says what went wrong.
//
// The members are the common subset of std::expected, so that a later standard can replace the class by an alias.
// Nothing in the library throws; value() is for callers who prefer exceptions.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace quern {

/// Status codes, the same numbers as in the C interface. Grouped in tens, never renumbered.
enum class Errc : int32_t {
  ok = 0,
  io = 10,                ///< The operating system refused to read or write.
  not_found = 11,         ///< No such file, key or name.
  format = 20,            ///< A file or a text is malformed.
  unsupported = 30,       ///< Well-formed, but of a kind that this build does not handle.
  argument = 40,          ///< A caller's value is out of range.
  buffer_too_small = 41,  ///< The caller's buffer holds less than the result needs.
  memory = 50,            ///< Out of memory, or over a configured memory limit.
  device = 60,            ///< A device failed.
  cancelled = 70,         ///< The caller asked for the operation to stop.
  context_full = 80,      ///< The key-value cache has no room for the batch.
  busy = 90,              ///< Too much is waiting already: come again later.
  internal = 100,         ///< A broken invariant of the library itself: please report.
};

/// Short stable name of a code, e.g. "format". Static storage.
const char* errc_name(Errc code) noexcept;

/// What went wrong: a code to act on, and a message that names the file, key, tensor and value concerned.
struct Error {
  Errc code = Errc::internal;
  std::string message;
};

/// Thrown only by Result::value().
class ResultError : public std::runtime_error {
 public:
  explicit ResultError(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

/// A T or an Error. Converts from both.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// Undefined unless has_value().
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// Undefined if has_value().
  Error& error() & noexcept { return *std::get_if<1>(&state_); }
  const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

  /// The value, or throws ResultError.
  T& value() & {
    if (!has_value()) throw ResultError(error());
    return **this;
  }
  T&& value() && {
    if (!has_value()) throw ResultError(std::move(*this).error());
    return std::move(**this);
  }
  T value_or(T fallback) && { return has_value() ? std::move(**this) : std::move(fallback); }

 private:
  std::variant<T, Error> state_;
};

/// Success or an Error, for functions without a value. Default-constructed: success.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  bool has_value() const noexcept { return ok_; }
  explicit operator bool() const noexcept { return ok_; }
  Error& error() & noexcept { return error_; }
  const Error& error() const& noexcept { return error_; }
  Error&& error() && noexcept { return std::move(error_); }
  void value() const {
    if (!ok_) throw ResultError(error_);
  }

 private:
  Error error_{Errc::ok, {}};
  bool ok_ = true;
};

using Status = Result<void>;

}  // namespace quern
