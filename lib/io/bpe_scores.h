// Merge ranks as scores: when a vocabulary of merges can be run by the family that merges by scores.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/io/tokenizer_parts.h"

namespace quern::io {

/// A merge by the ids of its two parts and of what they make. The index is the rank.
struct IdMerge {
  int32_t left, right, merged;
};

/// Sets the scores of merged tokens to the negated rank of their first merge. That reproduces the order of the merges
/// where: two tokens that together are a token are always a merge, and the ranks of the merges of one token lie
/// together, apart from those of all other tokens. So it is where the merges were made from scores. Returns what is in
/// the way, "" for nothing.
///
/// One difference is left: of overlapping places for the same token in different cuts, the leftmost goes first, not the
/// one of the lower rank.
std::string scores_from_ranks(const std::vector<IdMerge>& merges, TokenizerParts& parts);

}  // namespace quern::io
