#include "lib/text/trie.h"

#include <charconv>

namespace quern::text {

std::string TrieTokenizer::unescape(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '\\' || i + 1 == token.size()) {
      out.push_back(token[i]);
      continue;
    }
    const char c = token[++i];
    uint8_t byte = 0;
    const char* digits = token.data() + i + 1;
    if (c == 'x' && i + 2 < token.size() && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      out.push_back(static_cast<char>(byte));
      i += 2;
    } else if (c == 'x') {
      out.append("\\x");
    } else {
      out.push_back(c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c);
    }
  }
  return out;
}

Result<std::unique_ptr<Tokenizer>> TrieTokenizer::create(Vocab vocab, std::string_view) {
  return std::unique_ptr<Tokenizer>(new TrieTokenizer(std::move(vocab)));
}

TrieTokenizer::TrieTokenizer(Vocab vocab) : Tokenizer(std::move(vocab)) {
  std::vector<std::string> texts;
  for (const std::string& token : vocab_.tokens) texts.push_back(unescape(token));
  std::vector<TokenTrie::Entry> entries;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (!texts[i].empty()) entries.push_back({texts[i], id});
  }
  trie_ = TokenTrie(std::move(entries));
}

void TrieTokenizer::encode_text(std::string_view text, bool, std::vector<int32_t>& out) const {
  while (!text.empty()) {
    const TokenTrie::Match match = trie_.longest(text);
    if (match.token >= 0) {
      out.push_back(match.token);
    } else if (vocab_.unk) {
      out.push_back(*vocab_.unk);
    }
    text.remove_prefix(match.token >= 0 ? match.size : 1);
  }
}

std::string TrieTokenizer::token_bytes(int32_t token) const {
  return unescape(vocab_.tokens[static_cast<size_t>(token)]);
}

}  // namespace quern::text
