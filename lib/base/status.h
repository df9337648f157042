// Error plumbing of the library: QUERN_TRY, QUERN_ENSURE, fail(), and cat() to build messages.
#pragma once

#include <quern/result.h>

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace quern {

namespace base_detail {
inline void append(std::string& out, std::string_view piece) { out.append(piece); }
inline void append(std::string& out, char c) { out.push_back(c); }
template <std::same_as<bool> B>
void append(std::string& out, B b) {
  out.append(b ? "true" : "false");
}
template <class N>
requires((std::integral<N> && !std::same_as<N, bool> && !std::same_as<N, char>) ||
         std::floating_point<N>) void append(std::string& out, N number) {
  char digits[48];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}
}  // namespace base_detail

/// Concatenates strings and numbers: cat("tensor '", name, "' has ", n, " rows").
template <class... Pieces>
std::string cat(const Pieces&... pieces) {
  std::string out;
  (base_detail::append(out, pieces), ...);
  return out;
}

/// An Error from a code and the pieces of its message.
template <class... Pieces>
Error fail(Errc code, const Pieces&... pieces) {
  return Error{code, cat(pieces...)};
}

}  // namespace quern

#define QUERN_CONCAT_(a, b) a##b
#define QUERN_CONCAT(a, b) QUERN_CONCAT_(a, b)

// QUERN_TRY(auto x, f()): x is f()'s value, or its error is returned from the enclosing function.
#define QUERN_TRY(declaration, ...) QUERN_TRY_(QUERN_CONCAT(quern_try_, __LINE__), declaration, __VA_ARGS__)
#define QUERN_TRY_(temporary, declaration, ...)                    \
  auto temporary = (__VA_ARGS__);                                  \
  if (!temporary.has_value()) return std::move(temporary).error(); \
  declaration = std::move(*temporary)

// QUERN_CHECK(f()): returns f()'s error, if any, from the enclosing function.
#define QUERN_CHECK(...)                                                                                      \
  do {                                                                                                        \
    if (auto quern_status = (__VA_ARGS__); !quern_status.has_value()) return std::move(quern_status).error(); \
  } while (false)

// QUERN_ENSURE(condition, Errc::format, "pieces of the message", n): returns the error unless the condition holds.
#define QUERN_ENSURE(condition, code, ...)                     \
  do {                                                         \
    if (!(condition)) return ::quern::fail(code, __VA_ARGS__); \
  } while (false)
