#include "lib/text/unigram.h"

#include <algorithm>
#include <limits>

#include "lib/text/byte_token.h"
#include "lib/text/space_mark.h"
#include "lib/text/utf8_repair.h"

namespace quern::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

struct UnigramTokenizer::Scratch {
  static constexpr int32_t kUnknown = -1;
  /// The best way to cut the segment up to a place.
  struct Cut {
    double score;
    int32_t token;   // the last one; kUnknown for a character without a token
    uint32_t begin;  // where that token begins
  };
  std::vector<Cut> cuts;
  std::vector<int32_t> backwards;  // the segment's tokens, last first
  double score = 0;                // of everything before the segment: the order of additions decides ties
  bool after_unknown = false;
};

Result<std::unique_ptr<Tokenizer>> UnigramTokenizer::create(Vocab vocab, std::string_view where) {
  QUERN_TRY(Charsmap charsmap, Charsmap::parse(vocab.charsmap, where));
  return std::unique_ptr<Tokenizer>(new UnigramTokenizer(std::move(vocab), std::move(charsmap)));
}

UnigramTokenizer::UnigramTokenizer(Vocab vocab, Charsmap charsmap)
    : Tokenizer(std::move(vocab)), charsmap_(std::move(charsmap)) {
  std::vector<TokenTrie::Entry> all, user_defined;
  float worst = std::numeric_limits<float>::max();
  for (size_t i = 0; i < vocab_.tokens.size(); ++i) {
    const TokenType type = vocab_.types[i];
    if (type == TokenType::normal) worst = std::min(worst, vocab_.scores[i]);
    if (vocab_.tokens[i].empty() || (type != TokenType::normal && type != TokenType::user_defined)) continue;
    all.push_back({vocab_.tokens[i], static_cast<int32_t>(i)});
    cut_at_spaces_ = cut_at_spaces_ && segment_end(vocab_.tokens[i], 0) == vocab_.tokens[i].size();
    if (type == TokenType::user_defined) user_defined.push_back(all.back());
  }
  trie_ = TokenTrie(std::move(all));
  user_defined_ = TokenTrie(std::move(user_defined));
  unknown_score_ = worst - kPenalty;
}

// What the front of a text becomes, and how many bytes of it that covers.
std::string_view UnigramTokenizer::next_piece(std::string_view text, size_t& size) const {
  if (size = user_defined_.longest(text).size; size > 0) return text.substr(0, size);
  if (const Charsmap::Match match = charsmap_.longest(text); match.size > 0) {
    size = match.size;
    return match.replacement;
  }
  const size_t character = sequence_size(text);
  size = std::max<size_t>(character, 1);
  return character == 0 ? kReplacement : text.substr(0, size);
}

std::string UnigramTokenizer::normalize(std::string_view text, bool at_start) const {
  std::string out;
  out.reserve(text.size() * 2);
  const bool merge = vocab_.remove_extra_whitespaces;
  bool first = true, in_word = false;
  while (!text.empty()) {
    size_t size = 0;
    for (const char c : next_piece(text, size)) {
      if (c == ' ') {
        in_word = false;
        if (!merge) out.append(kSpaceMark);
        continue;
      }
      const bool prefix = first ? at_start && vocab_.add_space_prefix : merge;
      if (!in_word && prefix) out.append(kSpaceMark);
      in_word = true;
      first = false;
      out.push_back(c);
    }
    text.remove_prefix(size);
  }
  return out;
}

// Tries all tokens that begin at a place.
void UnigramTokenizer::relax(std::string_view text, size_t begin, Scratch& scratch) const {
  const double score = scratch.cuts[begin].score;
  const size_t character = announced_size(text, begin);
  const auto offer = [&](size_t end, double sum, int32_t token) {
    if (sum > scratch.cuts[end].score) scratch.cuts[end] = {sum, token, static_cast<uint32_t>(begin)};
  };
  bool covered = false;
  uint32_t node = TokenTrie::kRoot;
  for (size_t end = begin; end < text.size();) {
    node = trie_.step(node, text[end++]);
    if (node == TokenTrie::kNone) break;
    const int32_t token = trie_.token(node);
    if (token < 0) continue;
    covered = covered || end - begin == character;
    const auto id = static_cast<size_t>(token);
    offer(end, score + (vocab_.types[id] == TokenType::user_defined ? 0.0 : double{vocab_.scores[id]}), token);
  }
  if (!covered) offer(begin + character, score + unknown_score_, Scratch::kUnknown);
}

void UnigramTokenizer::encode_segment(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const {
  auto& cuts = scratch.cuts;
  cuts.assign(text.size() + 1, {-std::numeric_limits<double>::max(), Scratch::kUnknown, 0});
  cuts[0].score = scratch.score;
  for (size_t i = 0; i < text.size(); i += announced_size(text, i)) relax(text, i, scratch);
  scratch.score = cuts.back().score;

  scratch.backwards.clear();
  for (size_t end = text.size(); end > 0; end = cuts[end].begin) scratch.backwards.push_back(cuts[end].token);
  for (auto token = scratch.backwards.rbegin(); token != scratch.backwards.rend(); ++token) {
    const bool unknown = *token == Scratch::kUnknown;
    if (!unknown) {
      out.push_back(*token);
    } else if (!scratch.after_unknown && vocab_.unk) {
      out.push_back(*vocab_.unk);
    }
    scratch.after_unknown = unknown;
  }
}

void UnigramTokenizer::encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const {
  const std::string normalized = normalize(text, at_start);
  const bool cut = cut_at_spaces_ && is_valid_utf8(normalized);
  Scratch scratch;
  for (size_t begin = 0; begin < normalized.size();) {
    size_t end = cut ? segment_end(normalized, begin) : normalized.size();
    end = std::min(end, begin + kMaxStretchBytes);
    encode_segment(std::string_view(normalized).substr(begin, end - begin), scratch, out);
    begin = end;
  }
}

std::string UnigramTokenizer::token_bytes(int32_t token) const {
  const auto id = static_cast<size_t>(token);
  if (vocab_.types[id] == TokenType::byte) return std::string(1, static_cast<char>(*byte_of_token(vocab_.tokens[id])));
  return unmark_spaces(vocab_.tokens[id]);
}

}  // namespace quern::text
