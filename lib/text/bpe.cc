#include "lib/text/bpe.h"

#include "lib/text/byte_alphabet.h"
#include "lib/text/utf8_repair.h"

namespace quern::text {

struct BpeTokenizer::Scratch {
  BpeMerges::Word word;
  std::string spelled;
};

Result<std::unique_ptr<Tokenizer>> BpeTokenizer::create(Vocab vocab, std::string_view where) {
  QUERN_TRY(PreTokenizer pre, PreTokenizer::create(vocab.pre, where));
  std::unique_ptr<BpeTokenizer> tokenizer(new BpeTokenizer(std::move(vocab), std::move(pre)));
  const Vocab& v = tokenizer->vocab_;
  QUERN_TRY(BpeMerges merges, BpeMerges::build(v.merges, tokenizer->index_, v.tokens.size(), where));
  for (size_t byte = 0; byte < 256; ++byte)
    tokenizer->byte_symbol_[byte] = merges.symbol(byte_to_alphabet(static_cast<uint8_t>(byte)));
  tokenizer->merges_ = std::move(merges);
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

BpeTokenizer::BpeTokenizer(Vocab vocab, PreTokenizer pre) : Tokenizer(std::move(vocab)), pre_(std::move(pre)) {}

void BpeTokenizer::encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const {
  if (vocab_.ignore_merges) {
    scratch.spelled.clear();
    for (const char c : word) scratch.spelled.append(byte_to_alphabet(static_cast<uint8_t>(c)));
    if (const int32_t id = find(scratch.spelled); id >= 0 && is_ordinary(id)) {
      out.push_back(id);
      return;
    }
  }
  scratch.word.clear();
  for (const char c : word) scratch.word.add(byte_symbol_[static_cast<uint8_t>(c)]);
  merges_->apply(scratch.word);

  const auto& symbols = scratch.word.symbols;
  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    const int32_t id = symbols[static_cast<size_t>(i)].id;
    if (id < n_tokens()) {
      out.push_back(id);
      continue;
    }
    // A piece that is no token: its bytes one by one.
    for (const char c : alphabet_to_bytes(merges_->text(id))) {
      const int32_t byte = byte_symbol_[static_cast<uint8_t>(c)];
      if (byte < n_tokens()) out.push_back(byte);
    }
  }
}

void BpeTokenizer::encode_text(std::string_view text, bool, std::vector<int32_t>& out) const {
  Scratch scratch;
  if (is_valid_utf8(text)) {
    for (const std::string_view word : pre_.split(text)) encode_word(word, scratch, out);
    return;
  }
  const RepairedText repaired = repair_utf8(text);
  for (const std::string_view word : pre_.split(repaired.shape)) {
    const auto begin = static_cast<size_t>(word.data() - repaired.shape.data());
    encode_word(std::string_view(repaired.bytes).substr(begin, word.size()), scratch, out);
  }
}

std::string BpeTokenizer::token_bytes(int32_t token) const {
  return alphabet_to_bytes(vocab_.tokens[static_cast<size_t>(token)]);
}

}  // namespace quern::text
