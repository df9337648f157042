// Builds vocabularies of any tokens and any character map, and encodes any bytes with them: a vocabulary is refused or
// works, and nothing crashes or reads beyond its end.
//
// Input: kind (mod 3), sizes of the character map and of the tokens (u16 each, little-endian), the map, the tokens with
// a newline between them, and the text.
#include <algorithm>
#include <cstdlib>

#include "lib/text/tokenizer.h"

namespace {

using namespace quern::text;

constexpr VocabKind kKinds[] = {VocabKind::unigram, VocabKind::wordpiece, VocabKind::trie};

std::string_view take(std::string_view& rest, size_t size) {
  const std::string_view front = rest.substr(0, size);
  rest.remove_prefix(front.size());
  return front;
}

size_t take_size(std::string_view& rest) {
  size_t size = 0;
  for (const char c : take(rest, 2)) size = size >> 8 | size_t{static_cast<uint8_t>(c)} << 8;
  return size;
}

Vocab make_vocab(VocabKind kind, std::string_view charsmap, std::string_view tokens) {
  Vocab vocab;
  vocab.kind = kind;
  vocab.charsmap = charsmap;
  vocab.tokens = {"<unk>", "<s>", "a", "\u2581", "\u2581b"};
  for (size_t begin = 0; begin < tokens.size();) {
    const size_t end = std::min(tokens.find('\n', begin), tokens.size());
    const std::string token(tokens.substr(begin, end - begin));
    if (std::find(vocab.tokens.begin(), vocab.tokens.end(), token) == vocab.tokens.end()) vocab.tokens.push_back(token);
    begin = end + 1;
  }
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    vocab.types.push_back(i == 0   ? TokenType::unknown
                          : i == 1 ? TokenType::control
                          : i % 5  ? TokenType::normal
                                   : TokenType::user_defined);
    vocab.scores.push_back(-static_cast<float>(i % 7));
  }
  vocab.unk = 0;
  vocab.add_space_prefix = vocab.lowercase = vocab.strip_accents = true;
  vocab.remove_extra_whitespaces = charsmap.size() % 2 == 0;
  return vocab;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string_view kind = take(rest, 1);
  if (kind.empty()) return 0;
  const size_t n_charsmap = take_size(rest), n_tokens = take_size(rest);
  const std::string_view charsmap = take(rest, n_charsmap), tokens = take(rest, n_tokens);
  const VocabKind which = kKinds[static_cast<uint8_t>(kind[0]) % std::size(kKinds)];
  const auto tokenizer = Tokenizer::build(make_vocab(which, charsmap, tokens), "fuzz");
  if (!tokenizer) return 0;
  for (const bool special : {false, true}) {
    for (const int32_t id : (*tokenizer)->encode(rest, {special, special})) {
      if (id < 0 || id >= (*tokenizer)->n_tokens()) std::abort();
      (*tokenizer)->piece(id, special);
    }
  }
  return 0;
}
