#include "lib/model/token_strips.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace quern::model {
namespace {

using text::TokenType;
using text::Vocab;

/// Where the text of a row is looked for.
enum class Clue { pretokenizer, architecture, name };

/// `token`: the one that swallows what is before it; empty: special tokens swallow what is behind them.
struct Row {
  Clue clue;
  std::string_view text;
  std::string_view token;
};
constexpr std::string_view kSpecials = {};

// The first row that fits counts. Sources: the added_tokens of the models' tokenizer.json.
constexpr Row kRows[] = {
    {Clue::pretokenizer, "jina-v2-de", "<mask>"},
    {Clue::pretokenizer, "jina-v2-es", "<mask>"},
    {Clue::pretokenizer, "jina-v2-code", "<mask>"},
    {Clue::architecture, "nomic-bert-moe", "<mask>"},
    {Clue::architecture, "jina-bert-v3", "<mask>"},
    {Clue::name, "phi-3", kSpecials},
    {Clue::name, "phi3", kSpecials},
    {Clue::name, "modern-bert", "[MASK]"},
};

void strip_left(Vocab& vocab, std::string_view token) {
  const auto found = std::find(vocab.tokens.begin(), vocab.tokens.end(), token);
  if (found != vocab.tokens.end()) vocab.strip_left.push_back(static_cast<int32_t>(found - vocab.tokens.begin()));
}

/// Phi-3 was trained so, with some tokens left out. Later models of the name have another kind of vocabulary.
void strip_right_of_specials(Vocab& vocab) {
  if (vocab.kind != text::VocabKind::spm) return;
  constexpr std::array<std::string_view, 3> kKeepers = {"<unk>", "<s>", "<|endoftext|>"};
  for (size_t i = 0; i < vocab.tokens.size() && i < vocab.types.size(); ++i) {
    const TokenType type = vocab.types[i];
    const bool special = type == TokenType::control || type == TokenType::unknown || type == TokenType::user_defined;
    const bool keeps = std::find(kKeepers.begin(), kKeepers.end(), vocab.tokens[i]) != kKeepers.end();
    if (special && !keeps) vocab.strip_right.push_back(static_cast<int32_t>(i));
  }
}

Result<std::string> lower_text(const io::MetaTable& meta, const char* key) {
  QUERN_TRY(const std::string* const text, meta.get_string(key));
  std::string lower = text ? *text : std::string();
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

}  // namespace

Status read_strips(const io::MetaTable& meta, Vocab& vocab) {
  QUERN_TRY(const std::string name, lower_text(meta, "general.name"));
  QUERN_TRY(const std::string architecture, lower_text(meta, "general.architecture"));
  const std::string* const texts[] = {&vocab.pre, &architecture, &name};  // by Clue
  for (const Row& row : kRows) {
    if (texts[static_cast<size_t>(row.clue)]->find(row.text) == std::string::npos) continue;
    if (row.token.empty()) {
      strip_right_of_specials(vocab);
    } else {
      strip_left(vocab, row.token);
    }
    break;
  }
  return {};
}

}  // namespace quern::model
