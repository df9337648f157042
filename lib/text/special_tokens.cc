#include "lib/text/special_tokens.h"

#include <algorithm>

namespace quern::text {

SpecialTokens::SpecialTokens(const Vocab& vocab) {
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    const TokenType type = vocab.types[i];
    const bool user_defined = type == TokenType::user_defined;
    if (!user_defined && type != TokenType::control && type != TokenType::unknown) continue;
    const Entry entry{vocab.tokens[i], static_cast<int32_t>(i)};
    if (entry.text.empty()) continue;
    all_.entries.push_back(entry);
    if (user_defined) user_defined_.entries.push_back(entry);
  }
  all_.build();
  user_defined_.build();
}

void SpecialTokens::Set::build() {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });
  for (const Entry& entry : entries) ++first[static_cast<uint8_t>(entry.text[0]) + size_t{1}];
  for (size_t b = 1; b < first.size(); ++b) first[b] += first[b - 1];
}

// std::string_view orders bytes as unsigned char, and a prefix before its extensions.
SpecialTokens::Match SpecialTokens::Set::at(std::string_view text, size_t begin) const {
  const uint8_t lead = static_cast<uint8_t>(text[begin]);
  auto low = entries.begin() + first[lead];
  auto high = entries.begin() + first[size_t{lead} + 1];
  Match best;
  for (size_t depth = 1; low != high; ++depth) {
    if (low->text.size() == depth) best = {(low++)->token, begin, depth};  // no two tokens have the same text
    if (begin + depth == text.size()) break;
    const uint8_t next = static_cast<uint8_t>(text[begin + depth]);
    const auto byte = [&](const Entry& entry) { return static_cast<uint8_t>(entry.text[depth]); };
    low = std::partition_point(low, high, [&](const Entry& entry) { return byte(entry) < next; });
    high = std::partition_point(low, high, [&](const Entry& entry) { return byte(entry) == next; });
  }
  return best;
}

SpecialTokens::Match SpecialTokens::find(std::string_view text, size_t from, bool with_control) const {
  const Set& set = with_control ? all_ : user_defined_;
  if (set.entries.empty()) return {};
  for (size_t i = from; i < text.size(); ++i) {
    const uint8_t lead = static_cast<uint8_t>(text[i]);
    if (set.first[lead] == set.first[size_t{lead} + 1]) continue;
    if (const Match match = set.at(text, i); match.token >= 0) return match;
  }
  return {};
}

}  // namespace quern::text
