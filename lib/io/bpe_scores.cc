#include "lib/io/bpe_scores.h"

#include <algorithm>
#include <limits>

#include "lib/io/names.h"
#include "lib/text/token_index.h"

namespace quern::io {
namespace {

using text::TokenType;

struct Ranks {
  size_t first = std::numeric_limits<size_t>::max(), last = 0;
  bool any() const { return first <= last; }
};

std::vector<Ranks> ranks_by_token(const std::vector<IdMerge>& merges, size_t n_tokens) {
  std::vector<Ranks> out(n_tokens);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    Ranks& ranks = out[static_cast<size_t>(merges[rank].merged)];
    ranks.first = std::min(ranks.first, rank);
    ranks.last = rank;
  }
  return out;
}

bool lie_apart(std::vector<Ranks> ranks) {
  std::erase_if(ranks, [](const Ranks& r) { return !r.any(); });
  std::sort(ranks.begin(), ranks.end(), [](const Ranks& a, const Ranks& b) { return a.first < b.first; });
  return std::adjacent_find(ranks.begin(), ranks.end(),
                            [](const Ranks& a, const Ranks& b) { return b.first < a.last; }) == ranks.end();
}

// A cut of an ordinary token into two tokens that is no merge; "" where there is none.
std::string missing_cut(const std::vector<IdMerge>& merges, const TokenizerParts& parts) {
  const auto is_ordinary = [&](size_t id) { return parts.types[id] == TokenType::normal; };
  text::TokenIndex index(parts.tokens.size());
  for (size_t id = 0; id < parts.tokens.size(); ++id) {
    if (is_ordinary(id) && !parts.tokens[id].empty()) index.add(parts.tokens[id], static_cast<int32_t>(id));
  }
  std::vector<std::pair<int32_t, int32_t>> known;
  known.reserve(merges.size());
  for (const IdMerge& merge : merges) known.emplace_back(merge.left, merge.right);
  std::sort(known.begin(), known.end());
  for (size_t id = 0; id < parts.tokens.size(); ++id) {
    if (!is_ordinary(id)) continue;
    const std::string_view whole = parts.tokens[id];
    for (size_t size = 1; size < whole.size(); ++size) {
      if ((static_cast<uint8_t>(whole[size]) & 0xC0) == 0x80) continue;  // inside a character
      const int32_t left = index.find(whole.substr(0, size));
      const int32_t right = left < 0 ? -1 : index.find(whole.substr(size));
      if (right < 0 || std::binary_search(known.begin(), known.end(), std::pair(left, right))) continue;
      return cat(quoted(whole.substr(0, size)), " and ", quoted(whole.substr(size)));
    }
  }
  return {};
}

}  // namespace

std::string scores_from_ranks(const std::vector<IdMerge>& merges, TokenizerParts& parts) {
  uint64_t hashed = 0;  // the work of missing_cut: each token's bytes, as often as it has cuts
  for (const std::string& token : parts.tokens) hashed += token.size() * token.size();
  if (hashed > uint64_t{1} << 30) return "there are too many long tokens";
  if (const std::string cut = missing_cut(merges, parts); !cut.empty())
    return cat("the tokens ", cut, " make a token, but there is no merge of them");
  const std::vector<Ranks> ranks = ranks_by_token(merges, parts.tokens.size());
  if (!lie_apart(ranks)) return "the merges of one token lie among those of others";
  for (size_t id = 0; id < parts.tokens.size(); ++id) {
    if (ranks[id].any()) parts.scores[id] = -static_cast<float>(ranks[id].first);
  }
  return {};
}

}  // namespace quern::io
