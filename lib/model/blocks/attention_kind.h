// What the mechanisms of attention differ in: how keys and values of a layer's tokens come about, and what happens from
// the queries to the end of the block.
#pragma once

#include <array>
#include <span>

#include "lib/model/blocks/attention.h"

namespace quern::model {

/// Products of the block's normalized input.
struct AttentionProducts {
  std::array<compute::MatmulTarget, 3> items;
  size_t n = 0;
  std::span<const compute::MatmulTarget> span() const { return {items.data(), n}; }
};

struct AttentionKind {
  /// What keys and values are made of, for so many rows.
  AttentionProducts (*key_value)(const Block& block, uint32_t rows);
  /// What queries are made of.
  compute::MatmulTarget (*query)(const Block& block, uint32_t rows);
  /// Finishes keys and values and stores them.
  void (*store)(const Block& block, const AttentionPass& pass, const AttentionProducts& key_value);
  /// Finishes the queries, attends, and adds the result to x.
  void (*attend)(const Block& block, const AttentionPass& pass, compute::Mat q, compute::Mat x);
};

extern const AttentionKind kGroupedAttention;
extern const AttentionKind kLatentAttention;
extern const AttentionKind kFullLatentAttention;

}  // namespace quern::model
