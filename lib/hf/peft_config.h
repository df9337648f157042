// adapter_config.json of PEFT: how much an adapter counts, and whether it is of a kind that can be run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/status.h"

namespace quern::hf {

struct PeftConfig {
  uint64_t rank = 0;
  bool rank_varies = false;  ///< some modules have other ranks
  double alpha = 0;
  bool by_root = false;  ///< "rsLoRA" (Kalajdzievski 2023, arXiv 2312.03732): divided by the root of the rank
  std::vector<std::pair<std::string, double>> alphas;  ///< of some modules, by the ends of their names

  /// Of B A for a module: alpha / rank.
  float scale(std::string_view module, uint64_t its_rank) const;
};

/// Errors name file and field: what is missing, of another kind, or makes it another kind of adapter.
Result<PeftConfig> read_peft_config(std::span<const std::byte> bytes, const std::string& path);

}  // namespace quern::hf
