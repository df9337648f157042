#include "lib/text/pretokenize.h"

#include <algorithm>

#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

using Words = std::vector<std::string>;

static Words split(std::string_view name, std::string_view text) {
  const auto pre = PreTokenizer::create(name, "test");
  REQUIRE(pre.has_value());
  Words words;
  for (const std::string_view word : pre->split(text)) words.emplace_back(word);
  return words;
}

TEST_CASE("the table is sorted, and every entry compiles and loses no byte") {
  const auto specs = pretokenizer_specs();
  CHECK(std::is_sorted(specs.begin(), specs.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  std::mt19937 rng(5);
  for (const PreTokenizerSpec& spec : specs) {
    CAPTURE(spec.name);
    REQUIRE(find_pretokenizer(spec.name) == &spec);
    for (int round = 0; round < 30; ++round) {
      const std::string text = random_text(rng, 30);
      std::string joined;
      for (const std::string& word : split(spec.name, text)) {
        CHECK(!word.empty());
        joined += word;
      }
      CHECK(joined == text);
    }
  }
}

TEST_CASE("an unknown name is an error that says it; no name is 'default'") {
  const auto unknown = PreTokenizer::create("no-such-pre", "model.gguf");
  REQUIRE(!unknown);
  CHECK(unknown.error().code == Errc::unsupported);
  CHECK(unknown.error().message == "model.gguf: the pre-tokenizer 'no-such-pre' is not supported");
  CHECK(find_pretokenizer("") == find_pretokenizer("default"));
}

TEST_CASE("gpt-2 and its kin") {
  CHECK(split("gpt-2", "I'll pay  $30 \n now") == Words{"I", "'ll", " pay", " ", " $", "30", " \n", " now"});
  CHECK(split("gpt-2", "I'LL") == Words{"I", "'", "LL"});
  CHECK(split("starcoder", "x123 y") == Words{"x", "1", "2", "3", " y"});
  CHECK(split("falcon", "a.b 12345") == Words{"a", ".", "b", " ", "123", "45"});
}

TEST_CASE("llama 3, qwen and their kin") {
  CHECK(split("llama-bpe", "I'LL pay 12345!\n\n  x") ==
        Words{"I", "'LL", " pay", " ", "123", "45", "!\n\n", " ", " x"});
  CHECK(split("qwen2", "a 123") == Words{"a", " ", "1", "2", "3"});
  CHECK(split("qwen2", "e\u0301a") == Words{"e", "\u0301a"});
  CHECK(split("qwen35", "e\u0301a") == Words{"e\u0301a"});
  CHECK(split("seed-coder", "!\n") == Words{"!", "\n"});
}

TEST_CASE("words by case: gpt-4o, tekken, kimi-k2") {
  CHECK(split("gpt-4o", "helloWorld HTTPServer don't 1234 /\n") ==
        Words{"hello", "World", " HTTPServer", " don't", " ", "123", "4", " /\n"});
  CHECK(split("tekken", "don't 12") == Words{"don", "'t", " ", "1", "2"});
  CHECK(split("tekken", "\u0430\u0411") == Words{"\u0430", "\u0411"});
  CHECK(split("kimi-k2", "a\u4f60\u597db\u3042") == Words{"a", "\u4f60\u597d", "b\u3042"});
  CHECK(split("kimi-k2", "\u4f60\u3002'sx") == Words{"\u4f60", "\u3002'", "sx"});  // the full stop is no ideograph
}

TEST_CASE("deepseek") {
  CHECK(split("deepseek-llm", "a\nb\u4f60 12") == Words{"a", "\n", "b", "\u4f60", " ", "12"});
  CHECK(split("deepseek-coder", "a 12;") == Words{"a", " ", "1", "2", ";"});
  CHECK(split("deepseek-v3", "x=foo(1234) \u4f60\u597d!\n") ==
        Words{"x", "=foo", "(", "123", "4", ")", " ", "\u4f60\u597d", "!\n"});
}

TEST_CASE("bloom and viking") {
  CHECK(split("bloom", "one two, 12") == Words{"one", " two", ",", " 12"});
  CHECK(split("viking", "one 12") == Words{"one", " ", "1", "2"});
}

TEST_CASE("digits by three from the right") {
  CHECK(split("superbpe", "x1234567 12 123") == Words{"x", "1", "234", "567", " ", "12", " ", "123"});
  CHECK(split("superbpe", "\u00bd1234\u00bd") == Words{"\u00bd1", "234\u00bd"});  // one number, cut before 234
  CHECK(split("tiny_aya", "1234567 1234a") == Words{"1", "234", "567", " ", "123", "4", "a"});
  CHECK(split("afmoe", "a1234b12") == Words{"a", "1", "234", "b", "12"});
  CHECK(split("afmoe", "\u0661\u0662\u0663\u0664") == Words{"\u0661", "\u0662\u0663\u0664"});
}

TEST_CASE("rarer rules: spaces by powers of two, words of several parts, images, suffixes with their apostrophe") {
  CHECK(split("jais-2", "a" + std::string(21, ' ') + "b") ==
        Words{"a", std::string(16, ' '), std::string(4, ' '), " b"});
  CHECK(split("exaone-moe", "xin ch\u00e0o  ban 12") == Words{"xin ch\u00e0o", " ", " ban", " ", "1", "2"});
  CHECK(split("chameleon", "<sentinel:12>aIMGIMGABZ1") ==
        Words{"<", "sentinel", ":", "1", "2", ">", "a", "IMGIMGABZ", "1"});
  CHECK(split("ufakzeka", "Ali's") == Words{"Ali", "'s"});
  CHECK(split("gemma4", "a b\n\nc") == Words{"a b", "\n\n", "c"});
}

TEST_CASE("spaces are Unicode's White_Space: U+3000 is one, U+180E is not") {
  CHECK(split("gpt-2", "a\u3000b") == Words{"a", "\u3000", "b"});
  CHECK(split("gpt-2", "a!\u180Eb") == Words{"a", "!\u180E", "b"});
}

TEST_CASE("long runs of anything take linear time and little stack") {
  for (const char* unit : {"a", "A", " ", "\n", "7", "!", "\u4f60", "\u0301", "'", "aA", " \n"}) {
    std::string text;
    while (text.size() < 200'000) text += unit;
    for (const char* name :
         {"gpt-2", "llama-bpe", "gpt-4o", "deepseek-llm", "deepseek-v3", "default", "bloom", "kimi-k2", "superbpe",
          "tiny_aya", "afmoe", "exaone-moe", "jais-2", "youtu", "spark2_5", "chameleon"}) {
      size_t bytes = 0;
      for (const std::string& word : split(name, text)) bytes += word.size();
      CHECK(bytes == text.size());
    }
  }
}
