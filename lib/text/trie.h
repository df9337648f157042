// The "rwkv" family: at each place the longest token, whatever follows.
//
// The list of tokens is all there is: a text that spells a control token ("<s>") becomes that token, asked for or not,
// as in llama.cpp. Every other kind of vocabulary reads control tokens only where TokenizeOptions::parse_special asks
// for it.
//
// Tokens are any bytes; files write them with the escapes \t, \n, \r, \xNN, and \ before a character that stands for
// itself. Bytes without a token become the unknown token, or, without one, are left out.
#pragma once

#include "lib/text/token_trie.h"
#include "lib/text/tokenizer.h"

namespace quern::text {

class TrieTokenizer final : public Tokenizer {
 public:
  /// The vocabulary has passed the checks of Tokenizer::build.
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab, std::string_view where);

  /// The bytes that an escaped token stands for; \x without two hexadecimal digits stays as it is.
  static std::string unescape(std::string_view token);

 private:
  explicit TrieTokenizer(Vocab vocab);
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const override;
  std::string token_bytes(int32_t token) const override;

  TokenTrie trie_;
};

}  // namespace quern::text
