// What any tokenizer that a parser accepts must be like.
#pragma once

#include <cstdlib>

#include "lib/io/tokenizer_parts.h"

namespace quern::io {

inline void require(bool condition) {
  if (!condition) std::abort();
}

/// Consistent, and made into keys without an error.
inline void check_parts(Result<TokenizerParts> parts) {
  if (!parts) {
    require(!parts.error().message.empty());
    return;
  }
  const auto n = parts->tokens.size();
  require(n > 0 && parts->types.size() == n && parts->scores.size() == n);
  for (const auto& [name, id] : parts->ids) require(id >= 0 && static_cast<size_t>(id) < n);
  for (const int32_t id : parts->strip_left) require(id >= 0 && static_cast<size_t>(id) < n);
  for (const int32_t id : parts->strip_right) require(id >= 0 && static_cast<size_t>(id) < n);
  for (const std::string& merge : parts->merges) require(merge.find(' ', 1) != std::string::npos);
  require(to_meta(std::move(*parts)).has_value());
}

}  // namespace quern::io
