// BPE of characters, tries, and what they and others stand on.
#include "lib/text/space_mark.h"
#include "lib/text/token_trie.h"
#include "lib/text/trie.h"
#include "lib/text/utf8_repair.h"
#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

TEST_CASE("BPE of characters: bytes where no token fits, newlines apart") {
  Vocab vocab;
  vocab.kind = VocabKind::raw_bpe;
  vocab.pre = "gemma4";
  vocab.tokens = {"a", "b", "ab", "\u2581", "\u2581a", "\n", "\n\n", "<0xC3>", "<0xA9>"};
  vocab.types.assign(vocab.tokens.size(), TokenType::normal);
  vocab.types[7] = vocab.types[8] = TokenType::byte;
  vocab.merges = {"a b", "\u2581 a"};
  const auto tokenizer = build(vocab);
  CHECK(tokenizer->encode("ab a", {}) == Ids{2, 4});
  CHECK(tokenizer->encode("a\n\nb\n\n\n", {}) == Ids{0, 6, 1, 5, 5, 5});
  CHECK(tokenizer->encode("\u00e9", {}) == Ids{7, 8});
  CHECK(tokenizer->encode("a\u4f60", {}) == Ids{0});  // has no bytes here
  CHECK(tokenizer->decode(Ids{4, 7, 8, 6}) == " a\u00e9\n\n");
  vocab.pre = "whitespace";
  CHECK(build(vocab)->encode("ab a\u3000\n\nab", {}) == Ids{2, 0, 2});
  vocab.pre = "gpt-2";
  CHECK(refusal(vocab) == "test: the pre-tokenizer 'gpt-2' is not one of vocabularies of characters");
}

TEST_CASE("the trie family takes the longest token, and its tokens may be any bytes") {
  Vocab vocab;
  vocab.kind = VocabKind::trie;
  vocab.tokens = {"<s>", "a", "ab", "abcd", "\\xff\\n", "\\\\", "b"};
  vocab.types.assign(vocab.tokens.size(), TokenType::normal);
  vocab.types[0] = TokenType::control;
  const auto tokenizer = build(vocab);
  CHECK(tokenizer->encode("abcab", {}) == Ids{2, 2});  // c has no token
  CHECK(tokenizer->encode("abcda\xFF\n\\b", {}) == Ids{3, 1, 4, 5, 6});
  CHECK(tokenizer->encode("<s>a", {}) == Ids{0, 1});  // whether asked for or not
  CHECK(tokenizer->encode("<s>a", {.parse_special = true}) == Ids{0, 1});
  CHECK(tokenizer->decode(Ids{1, 4}) == "a\xFF\n");
  CHECK(TrieTokenizer::unescape("\\x41\\t\\x4\\q\\") == "A\t\\x4q\\");
}

TEST_CASE("a trie of tokens: every token is found, the longest first") {
  const TokenTrie trie({{"b", 1}, {"a", 2}, {"abc", 3}, {"\xFF", 4}, {"abd", 5}});
  CHECK(trie.longest("abcd").token == 3);
  CHECK(trie.longest("abx").token == 2);
  CHECK(trie.longest("abx").size == 1);
  CHECK(trie.longest("\xFFz").token == 4);
  CHECK(trie.longest("x").token == -1);
  CHECK(trie.longest("").token == -1);
  CHECK(TokenTrie().longest("a").token == -1);
}

TEST_CASE("broken UTF-8 is repaired") {
  const auto bytes = [](std::string_view text) { return repair_utf8(text).bytes; };
  CHECK(bytes("a\xFF"
              "b\x80") ==
        "a\uFFFD"
        "b\uFFFD");
  CHECK(bytes("\xE4\xBD") == "\uFFFD\uFFFD");                     // each byte of what is cut off
  CHECK(bytes("\xC0\x80\xE0\x81\x81") == std::string("\0A", 2));  // longer than need be
  CHECK(bytes("\xED\xA0\x80") == "\xED\xA0\x80");                 // a surrogate stays
  CHECK(repair_utf8("\xED\xA0\x80").shape == "\uE000");
  CHECK(bytes("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");
  std::mt19937 rng(23);
  for (int round = 0; round < 300; ++round) {
    std::string text = random_text(rng, 20);
    CHECK(is_valid_utf8(text));
    CHECK(bytes(text) == text);
    for (int i = 0; i < 5; ++i) text[rng() % text.size()] = static_cast<char>(rng());
    const RepairedText repaired = repair_utf8(text);
    CHECK(is_valid_utf8(repaired.shape));
    CHECK(repaired.shape.size() == repaired.bytes.size());
  }
}

TEST_CASE("spaces as U+2581 and back") {
  CHECK(mark_spaces(" a  b") == "\u2581a\u2581\u2581b");
  CHECK(unmark_spaces("\u2581a\u2581\u2581b\u2582") == " a  b\u2582");
  CHECK(mark_spaces("") == "");
}
