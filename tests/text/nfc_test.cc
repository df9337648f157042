#include "lib/text/nfc.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "lib/text/pretokenizer_match.h"

using namespace quern::text;

TEST_CASE("examples of the standard") {
  CHECK(to_nfc("e\u0301") == "\u00e9");
  CHECK(to_nfc("\u212b") == "\u00c5");                // the sign for Angstrom is a letter
  CHECK(to_nfc("a\u0315\u0300") == "\u00e0\u0315");   // marks in order, then composed
  CHECK(to_nfc("q\u0323\u0307") == "q\u0323\u0307");  // nothing to compose
  CHECK(to_nfc("q\u0307\u0323") == "q\u0323\u0307");
  CHECK(to_nfc("\u0958") == "\u0915\u093c");        // excluded from composition
  CHECK(to_nfc("\u1112\u1161\u11ab") == "\ud55c");  // Hangul
  CHECK(to_nfc("\ud558\u11ab") == "\ud55c");
  CHECK(to_nfc("\u1100\u1161\u11a7") == "\uac00\u11a7");  // U+11A7 is no tail
  CHECK(to_nfc("\u0344") == "\u0308\u0301");
  CHECK(to_nfc("") == "");
}

TEST_CASE("what is no UTF-8 stays and keeps characters apart") {
  CHECK(to_nfc("e\xff\u0301") == "e\xff\u0301");
  CHECK(to_nfc("e\u0301\xe2\x96") == "\u00e9\xe2\x96");
  CHECK(is_nfc_quick("\xff\xfe plain"));
}

TEST_CASE("the quick check never passes what form C would change") {
  CHECK(is_nfc_quick("plain text, \u00e9\u4e2d\uac00\U0001F600"));
  CHECK(!is_nfc_quick("e\u0301"));
  CHECK(!is_nfc_quick("\u212b"));
  CHECK(!is_nfc_quick("\u1100\u1161"));
}

TEST_CASE("SentencePiece's table of form C") {
  const char* folder = std::getenv("QUERN_TEST_DATA");
  if (folder == nullptr) {
    MESSAGE("QUERN_TEST_DATA is not set");
    return;
  }
  const auto encode = [](const std::string& codes) {
    std::istringstream stream(codes);
    std::string out;
    for (uint32_t c; stream >> std::hex >> c;) {
      if (c >= 0x10000) {
        out += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63))};
      } else if (c >= 0x800) {
        out += static_cast<char>(0xE0 | c >> 12);
      }
      if (c >= 0x800) out += static_cast<char>(0x80 | (c >> 6 & 63));
      if (c < 0x80) out += static_cast<char>(c);
      if (c >= 0x80 && c < 0x800) out += static_cast<char>(0xC0 | c >> 6);
      if (c >= 0x80) out += static_cast<char>(0x80 | (c & 63));
    }
    return out;
  };
  std::ifstream file(std::string(folder) + "/tokenizers/unicode-norm/nfc.tsv");
  size_t n = 0;
  for (std::string line; std::getline(file, line); ++n) {
    const size_t tab = line.find('\t');
    const std::string from = encode(line.substr(0, tab)),
                      to = encode(line.substr(tab + 1, line.find('\t', tab + 1) - tab - 1));
    CAPTURE(line);
    CHECK(to_nfc(from) == to);
    CHECK(to_nfc(to) == to);
    CHECK((from == to || !is_nfc_quick(from)));
  }
  CHECK(n > 13000);
}

TEST_CASE("pre-tokenizers are found by their expressions, in the spelling of tokenizer.json too") {
  const auto name = [](std::vector<std::string> expressions, bool ignore_merges = false) {
    const auto* spec = match_pretokenizer(expressions, ignore_merges);
    return spec ? std::string(spec->name) : std::string();
  };
  const std::string tail = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const std::string head = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})";
  CHECK(name({std::string(kGpt2Expression)}) == "gpt-2");
  CHECK(name({std::string(kEachDigitExpression), std::string(kGpt2Expression)}) == "starcoder");
  CHECK(name({head + tail}) == "qwen2");
  CHECK(name({head + "{1,3}" + tail}, true) == "llama-bpe");
  CHECK(name({head + "{1,3}" + tail}, false) == "dbrx");
  CHECK(
      name(
          {R"(\p{N}{1,3})", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
           R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}) ==
      "deepseek-v3");
  const std::string word = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)";
  const std::string capitals = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)";
  const std::string contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
  const std::string rest = R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  CHECK(name({word + contraction + "|" + capitals + contraction + R"(|\p{N}{1,3})" + rest}) == "gpt-4o");
  CHECK(name({word + "|" + capitals + R"(|\p{N})" + rest}) == "tekken");
  CHECK(name({"x+"}).empty());
  CHECK(name({}).empty());
  // Whatever name is in the table is found again, or another of the same expressions.
  for (const PreTokenizerSpec& spec : pretokenizer_specs()) {
    if (spec.characters != Characters::bytes) continue;
    const std::vector<std::string> expressions(spec.expressions.begin(), spec.expressions.end());
    const auto* found = match_pretokenizer(expressions, spec.ignore_merges);
    CAPTURE(spec.name);
    REQUIRE(found != nullptr);
    CHECK(std::equal(found->expressions.begin(), found->expressions.end(), spec.expressions.begin(),
                     spec.expressions.end(), [](const char* a, const char* b) { return std::string_view(a) == b; }));
  }
}
