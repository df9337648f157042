// Passing errors on, in the bodies of this room: as in the library, whose own header is not open to examples.
#pragma once

#include <quern/result.h>

#include <utility>

#define QUERN_STORE_JOIN_(a, b) a##b
#define QUERN_STORE_JOIN(a, b) QUERN_STORE_JOIN_(a, b)

/// QUERN_TRY(auto x, f()): x is f()'s value, or its error is returned from the enclosing function.
#define QUERN_TRY(declaration, ...) QUERN_TRY_(QUERN_STORE_JOIN(quern_try_, __LINE__), declaration, __VA_ARGS__)
#define QUERN_TRY_(temporary, declaration, ...)                    \
  auto temporary = (__VA_ARGS__);                                  \
  if (!temporary.has_value()) return std::move(temporary).error(); \
  declaration = std::move(*temporary)

/// QUERN_CHECK(f()): returns f()'s error, if any, from the enclosing function.
#define QUERN_CHECK(...)                                                                                      \
  do {                                                                                                        \
    if (auto quern_status = (__VA_ARGS__); !quern_status.has_value()) return std::move(quern_status).error(); \
  } while (false)
