#include "lib/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "lib/text/bpe.h"
#include "lib/text/byte_token.h"
#include "lib/text/end_texts.h"
#include "lib/text/ids_only.h"
#include "lib/text/nfc.h"
#include "lib/text/raw_bpe.h"
#include "lib/text/spm.h"
#include "lib/text/token_trie.h"
#include "lib/text/trie.h"
#include "lib/text/unigram.h"
#include "lib/text/wordpiece.h"

namespace quern::text {
namespace {

constexpr size_t kMaxTokens = size_t{1} << 22;
constexpr size_t kMaxTokenBytes = size_t{64} << 10;

struct Family {
  VocabKind kind;
  Result<std::unique_ptr<Tokenizer>> (*create)(Vocab vocab, std::string_view where);
  bool has_scores = false;
};
constexpr Family kFamilies[] = {
    {VocabKind::spm, SpmTokenizer::create, true},       {VocabKind::bpe, BpeTokenizer::create},
    {VocabKind::wordpiece, WordPieceTokenizer::create}, {VocabKind::unigram, UnigramTokenizer::create, true},
    {VocabKind::raw_bpe, RawBpeTokenizer::create},      {VocabKind::trie, TrieTokenizer::create},
    {VocabKind::none, IdsOnlyTokenizer::create},
};

const Family* find_family(VocabKind kind) {
  const auto* found =
      std::find_if(std::begin(kFamilies), std::end(kFamilies), [&](const Family& f) { return f.kind == kind; });
  return found == std::end(kFamilies) ? nullptr : found;
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A space as text, or as the vocabularies that need to know it spell it.
bool begins_with_space(std::string_view text) { return text.starts_with(' ') || text.starts_with("\xE2\x96\x81"); }

TokenIndex make_index(const Vocab& vocab) {
  TokenIndex index(vocab.tokens.size());
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    if (!vocab.tokens[i].empty()) index.add(vocab.tokens[i], static_cast<int32_t>(i));
  }
  return index;
}

Status check_sizes(const Vocab& vocab, bool has_scores, std::string_view where) {
  const size_t n = vocab.tokens.size();
  QUERN_ENSURE(n > 0, Errc::format, where, ": the vocabulary has no tokens");
  QUERN_ENSURE(n <= kMaxTokens, Errc::unsupported, where, ": the vocabulary has ", n, " tokens, at most ", kMaxTokens,
               " are supported");
  QUERN_ENSURE(vocab.types.size() == n, Errc::format, where, ": ", n, " tokens but ", vocab.types.size(),
               " token types");
  QUERN_ENSURE(!has_scores || vocab.scores.size() == n, Errc::format, where, ": ", n, " tokens but ",
               vocab.scores.size(), " scores");
  return {};
}

Status check_tokens(const Vocab& vocab, bool has_scores, std::string_view where) {
  size_t n_bytes = 0;
  TokenIndex seen(vocab.tokens.size());
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    const std::string& token = vocab.tokens[i];
    const auto type = static_cast<int>(vocab.types[i]);
    QUERN_ENSURE(type >= 1 && type <= 6, Errc::format, where, ": token ", i, " has type ", type, ", expected 1 to 6");
    QUERN_ENSURE(token.size() <= kMaxTokenBytes, Errc::unsupported, where, ": token ", i, " has ", token.size(),
                 " bytes, at most ", kMaxTokenBytes, " are supported");
    const bool special = vocab.types[i] == TokenType::control || vocab.types[i] == TokenType::unknown ||
                         vocab.types[i] == TokenType::user_defined;
    QUERN_ENSURE(!special || token.size() <= SpecialTokens::kMaxBytes, Errc::unsupported, where, ": special token ", i,
                 " has ", token.size(), " bytes, at most ", SpecialTokens::kMaxBytes, " are supported");
    QUERN_ENSURE(!has_scores || std::isfinite(vocab.scores[i]), Errc::format, where, ": the score of token ", i,
                 " is not a finite number");
    QUERN_ENSURE(!has_scores || vocab.types[i] != TokenType::byte || byte_of_token(token).has_value(), Errc::format,
                 where, ": token ", i, " is a byte token, expected '<0x00>' to '<0xFF>', found '",
                 std::string_view(token).substr(0, 40), "'");
    n_bytes += token.size();
    QUERN_ENSURE(n_bytes < TokenTrie::kMaxBytes, Errc::unsupported, where, ": the tokens have more than ",
                 TokenTrie::kMaxBytes, " bytes");
    if (token.empty()) continue;
    const int32_t first = seen.add(token, static_cast<int32_t>(i));
    QUERN_ENSURE(first == static_cast<int32_t>(i), Errc::format, where, ": tokens ", first, " and ", i,
                 " are the same text '", std::string_view(token).substr(0, 40), "'");
  }
  return {};
}

Status check_ids(const Vocab& vocab, std::string_view where) {
  const auto n = static_cast<int32_t>(vocab.tokens.size());
  const auto check = [&](std::string_view name, int32_t id) -> Status {
    QUERN_ENSURE(id >= 0 && id < n, Errc::format, where, ": the ", name, " token is ", id, ", but the vocabulary has ",
                 n, " tokens");
    return {};
  };
  const std::pair<std::string_view, const std::optional<int32_t>*> named[] = {
      {"bos", &vocab.bos}, {"eos", &vocab.eos}, {"unknown", &vocab.unk}, {"padding", &vocab.pad},
      {"sep", &vocab.sep}, {"eot", &vocab.eot}, {"eom", &vocab.eom},     {"mask", &vocab.mask}};
  for (const auto& [name, id] : named) {
    if (id->has_value()) QUERN_CHECK(check(name, **id));
  }
  for (const int32_t id : vocab.strip_left) QUERN_CHECK(check("left-stripping", id));
  for (const int32_t id : vocab.strip_right) QUERN_CHECK(check("right-stripping", id));
  for (const int32_t id : vocab.ends) QUERN_CHECK(check("ending", id));
  return {};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::build(Vocab vocab, std::string_view where) {
  const Family* family = find_family(vocab.kind);
  QUERN_ENSURE(family != nullptr, Errc::argument, where, ": there is no tokenizer family ",
               static_cast<int>(vocab.kind));
  QUERN_CHECK(check_sizes(vocab, family->has_scores, where));
  QUERN_CHECK(check_tokens(vocab, family->has_scores, where));
  QUERN_CHECK(check_ids(vocab, where));
  return family->create(std::move(vocab), where);
}

Tokenizer::Tokenizer(Vocab vocab)
    : vocab_(std::move(vocab)),
      index_(make_index(vocab_)),
      special_(vocab_),
      ends_generation_(vocab_.tokens.size()),
      strips_left_(vocab_.tokens.size()),
      strips_right_(vocab_.tokens.size()) {
  const auto mark = [](std::vector<bool>& flags, int32_t id) { flags[static_cast<size_t>(id)] = true; };
  for (const auto& id : {vocab_.eos, vocab_.eot, vocab_.eom}) {
    if (id) mark(ends_generation_, *id);
  }
  for (const int32_t id : vocab_.ends) mark(ends_generation_, id);
  for (const std::string_view text : kEndTexts) {
    if (const int32_t id = find(text); id >= 0) mark(ends_generation_, id);
  }
  const bool message_only = find(kMessageEnd) >= 0 && find(kGenerationEnds[0]) >= 0 && find(kGenerationEnds[1]) >= 0;
  if (message_only) ends_generation_[static_cast<size_t>(find(kMessageEnd))] = false;
  for (const int32_t id : vocab_.strip_left) mark(strips_left_, id);
  for (const int32_t id : vocab_.strip_right) mark(strips_right_, id);
}

bool Tokenizer::is_ordinary(int32_t token) const {
  const TokenType type = vocab_.types[static_cast<size_t>(token)];
  return type != TokenType::control && type != TokenType::unknown;
}

bool Tokenizer::is_control(int32_t token) const {
  return token >= 0 && token < n_tokens() && vocab_.types[static_cast<size_t>(token)] == TokenType::control;
}

bool Tokenizer::is_end_of_generation(int32_t token) const {
  return token >= 0 && token < n_tokens() && ends_generation_[static_cast<size_t>(token)];
}

int32_t Tokenizer::find(std::string_view text) const { return text.empty() ? -1 : index_.find(text); }

// A stretch is cut where it is too long for 32-bit positions, after a whole character.
void Tokenizer::encode_ordinary(std::string_view text, bool is_first, std::vector<int32_t>& out) const {
  std::string normal;
  if (vocab_.nfc && !is_nfc_quick(text)) {
    normal = to_nfc(text);
    text = normal;
  }
  bool at_start = (is_first || !vocab_.prefix_once) && !(vocab_.prefix_if_missing && begins_with_space(text));
  while (!text.empty()) {
    size_t size = std::min(text.size(), kMaxStretchBytes);
    for (int i = 0; i < 3 && size < text.size() && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80; ++i) --size;
    encode_text(text.substr(0, size), at_start, out);
    text.remove_prefix(size);
    at_start = false;
  }
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<int32_t> out;
  if (options.add_special && vocab_.add_bos && vocab_.bos) out.push_back(*vocab_.bos);
  for (size_t begin = 0; begin < text.size();) {
    const SpecialTokens::Match match = special_.find(text, begin, options.parse_special);
    size_t end = match.token < 0 ? text.size() : match.begin;
    if (match.token >= 0 && strips_left_[static_cast<size_t>(match.token)]) {
      while (end > begin && is_space(text[end - 1])) --end;
    }
    encode_ordinary(text.substr(begin, end - begin), begin == 0, out);
    if (match.token < 0) break;
    out.push_back(match.token);
    begin = match.begin + match.size;
    if (strips_right_[static_cast<size_t>(match.token)]) {
      while (begin < text.size() && is_space(text[begin])) ++begin;
    }
  }
  if (options.add_special && vocab_.add_eos && vocab_.eos) out.push_back(*vocab_.eos);
  if (options.add_special && vocab_.add_sep && vocab_.sep) out.push_back(*vocab_.sep);
  return out;
}

std::string Tokenizer::piece(int32_t token, bool special) const {
  if (token < 0 || token >= n_tokens()) return {};
  const auto id = static_cast<size_t>(token);
  switch (vocab_.types[id]) {
    case TokenType::control:
    case TokenType::unknown:
      return special ? vocab_.tokens[id] : std::string();
    case TokenType::user_defined:
      return vocab_.tokens[id];
    case TokenType::unused:
      return {};
    case TokenType::normal:
    case TokenType::byte:
      break;
  }
  return token_bytes(token);
}

std::string Tokenizer::decode(std::span<const int32_t> tokens, bool special, bool at_start) const {
  std::string out;
  bool strip = at_start && begins_with_dummy_space();
  for (const int32_t token : tokens) {
    const std::string bytes = piece(token, special);
    const bool in_vocab = token >= 0 && token < n_tokens();
    const bool normal = in_vocab && vocab_.types[static_cast<size_t>(token)] == TokenType::normal;
    out.append(bytes, strip && normal && bytes.starts_with(' ') ? 1 : 0);
    const bool left_out = !in_vocab || (!special && !is_ordinary(token));
    if (!left_out) strip = false;
  }
  return out;
}

}  // namespace quern::text
