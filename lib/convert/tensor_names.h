// The layer in a tensor's name.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace quern::convert {

inline constexpr std::string_view kLayerPrefix = "blk.";

/// 17 for "blk.17.attn_q.weight"; -1 for tensors of the whole model.
inline int64_t layer_of(std::string_view name) {
  if (!name.starts_with(kLayerPrefix)) return -1;
  uint32_t layer = 0;
  const auto parsed = std::from_chars(name.data() + kLayerPrefix.size(), name.data() + name.size(), layer);
  return parsed.ec == std::errc{} && layer <= INT32_MAX ? int64_t{layer} : -1;
}

/// The same tensor of another layer. `name` has one.
inline std::string with_layer(std::string_view name, int64_t layer) {
  const size_t dot = name.find('.', kLayerPrefix.size());
  const std::string_view rest = dot == std::string_view::npos ? std::string_view() : name.substr(dot);
  return std::string(kLayerPrefix) + std::to_string(layer) + std::string(rest);
}

}  // namespace quern::convert
