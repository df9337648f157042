// Encodes any bytes with a small vocabulary of each family: nothing may crash, hang or lose a byte.
#include <cstdlib>

#include "lib/text/byte_alphabet.h"
#include "lib/text/tokenizer.h"
#include "lib/text/utf8_repair.h"
#include "lib/text/utf8_stream.h"

namespace {

using namespace quern::text;

Vocab spm_vocab() {
  Vocab vocab;
  const auto add = [&](std::string token, float score, TokenType type) {
    vocab.tokens.push_back(std::move(token));
    vocab.scores.push_back(score);
    vocab.types.push_back(type);
  };
  add("<unk>", 0, TokenType::unknown);
  add("<s>", 0, TokenType::control);
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (int b = 0; b < 256; ++b) add({'<', '0', 'x', kHex[b >> 4], kHex[b & 15], '>'}, 0, TokenType::byte);
  const char* pieces[] = {"\u2581",       "a",      "b",      "ab", "\u2581a", "aa", "aaaa", "bb",
                          "\u2581\u2581", "\u4f60", "\u00e9", "s>"};
  float score = 0;
  for (const char* piece : pieces) add(piece, score -= 1, TokenType::normal);
  add("  ", 0, TokenType::user_defined);
  vocab.unk = 0;
  vocab.bos = 1;
  vocab.add_bos = vocab.add_space_prefix = true;
  return vocab;
}

Vocab bpe_vocab(const char* pre) {
  Vocab vocab;
  vocab.kind = VocabKind::bpe;
  vocab.pre = pre;
  for (int b = 0; b < 256; ++b) vocab.tokens.emplace_back(byte_to_alphabet(static_cast<uint8_t>(b)));
  vocab.merges = {"a b", "a a", "aa aa", "\u0120 a", "b b", "\u0120 \u0120", "1 1", "e l"};
  for (std::string token : vocab.merges) {
    token.erase(token.find(' '), 1);
    vocab.tokens.push_back(token);
  }
  vocab.types.assign(vocab.tokens.size(), TokenType::normal);
  for (const char* token : {"<|x|>", "<|xy|>"}) {
    vocab.tokens.emplace_back(token);
    vocab.types.push_back(TokenType::control);
  }
  return vocab;
}

void check(const Tokenizer& tokenizer, std::string_view text, bool keeps_bytes) {
  const auto plain = tokenizer.encode(text, {});
  if (keeps_bytes && tokenizer.decode(plain) != text) std::abort();
  const auto special = tokenizer.encode(text, {true, true});
  Utf8Stream stream;
  for (const int32_t id : special) {
    if (id < 0 || id >= tokenizer.n_tokens()) std::abort();
    stream.push(tokenizer.piece(id, true));
  }
  stream.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto spm = Tokenizer::build(spm_vocab(), "spm").value();
  // U+2581 decodes as a space, and the dummy space after the user-defined token stays.
  check(*spm, text,
        text.find("\u2581") == std::string_view::npos && text.find("  ") == std::string_view::npos &&
            is_valid_utf8(text));
  static const std::unique_ptr<Tokenizer> bpe[] = {Tokenizer::build(bpe_vocab("gpt-2"), "bpe").value(),
                                                   Tokenizer::build(bpe_vocab("llama-bpe"), "bpe").value(),
                                                   Tokenizer::build(bpe_vocab("qwen35"), "bpe").value(),
                                                   Tokenizer::build(bpe_vocab("gpt-4o"), "bpe").value(),
                                                   Tokenizer::build(bpe_vocab("deepseek-v3"), "bpe").value(),
                                                   Tokenizer::build(bpe_vocab("deepseek-llm"), "bpe").value(),
                                                   Tokenizer::build(bpe_vocab("falcon"), "bpe").value(),
                                                   Tokenizer::build(bpe_vocab("kimi-k2"), "bpe").value()};
  for (const auto& tokenizer : bpe) check(*tokenizer, text, is_valid_utf8(text));
  return 0;
}
