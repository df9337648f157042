#include "lib/text/wordpiece.h"

#include "lib/text/pretokenize.h"
#include "lib/text/space_mark.h"
#include "lib/text/unicode_fold.h"
#include "lib/text/utf8.h"
#include "lib/text/utf8_repair.h"

namespace quern::text {
namespace {

// Characters that are words: punctuation, the symbols of ASCII and ideographs.
constexpr std::string_view kAlone =
    R"(\p{P}$+<=>^`|~\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}\x{20000}-\x{2a6df}\x{2a700}-\x{2b73f}\x{2b740}-\x{2b81f}\x{2b920}-\x{2ceaf}\x{f900}-\x{faff}\x{2f800}-\x{2fa1f})";
// Control, format, private and unassigned characters, unless they are white space.
constexpr std::string_view kControl = R"((?!\s)[\x{fffd}\p{Cc}\p{Cf}\p{Cs}\p{Co}])";

std::string map_characters(std::string_view text, uint32_t (*map)(uint32_t)) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Step step = read_utf8(text.substr(0, 4));
    append_utf8(out, map(step.codepoint));
    text.remove_prefix(step.size);
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> WordPieceTokenizer::create(Vocab vocab, std::string_view) {
  const std::string_view marks = vocab.strip_accents ? R"(|\p{M})" : "";
  QUERN_TRY(Regex words, Regex::compile(with_unicode_spaces(cat('[', kAlone, "]|[^\\s", kAlone, "]+"))));
  QUERN_TRY(Regex left_out, Regex::compile(with_unicode_spaces(cat(kControl, marks))));
  return std::unique_ptr<Tokenizer>(new WordPieceTokenizer(std::move(vocab), std::move(words), std::move(left_out)));
}

WordPieceTokenizer::WordPieceTokenizer(Vocab vocab, Regex words, Regex left_out)
    : Tokenizer(std::move(vocab)), words_(std::move(words)), left_out_(std::move(left_out)) {
  std::vector<TokenTrie::Entry> entries;
  for (size_t i = 0; i < vocab_.tokens.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (!vocab_.tokens[i].empty() && is_ordinary(id)) entries.push_back({vocab_.tokens[i], id});
  }
  trie_ = TokenTrie(std::move(entries));
}

// `text` is valid UTF-8.
std::string WordPieceTokenizer::normalize(std::string_view text, RegexScratch& scratch) const {
  const std::string based = vocab_.strip_accents ? map_characters(text, base_char) : std::string(text);
  std::string kept;
  kept.reserve(based.size());
  size_t begin = 0;
  while (const auto match = left_out_.find(based, begin, scratch)) {
    kept.append(based, begin, match->begin - begin);
    begin = match->end;
  }
  kept.append(based, begin);
  return vocab_.lowercase ? map_characters(kept, lower_char) : kept;
}

void WordPieceTokenizer::encode_word(std::string_view marked_word, std::vector<int32_t>& out) const {
  const size_t first = out.size();
  while (!marked_word.empty()) {
    const TokenTrie::Match match = trie_.longest(marked_word);
    if (match.token < 0) break;
    out.push_back(match.token);
    marked_word.remove_prefix(match.size);
  }
  if (marked_word.empty()) return;
  out.resize(first);
  if (vocab_.unk) out.push_back(*vocab_.unk);
}

void WordPieceTokenizer::encode_text(std::string_view text, bool, std::vector<int32_t>& out) const {
  RegexScratch scratch;
  if (!scratch) return;
  const std::string normalized = normalize(is_valid_utf8(text) ? std::string(text) : repair_utf8(text).shape, scratch);
  std::string marked_word;
  for (auto match = words_.find(normalized, 0, scratch); match; match = words_.find(normalized, match->end, scratch)) {
    marked_word = kSpaceMark;
    marked_word.append(normalized, match->begin, match->end - match->begin);
    encode_word(marked_word, out);
  }
}

std::string WordPieceTokenizer::token_bytes(int32_t token) const {
  return unmark_spaces(vocab_.tokens[static_cast<size_t>(token)]);
}

}  // namespace quern::text
