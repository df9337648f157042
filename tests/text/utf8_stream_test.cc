#include "lib/text/utf8_stream.h"

#include "lib/text/utf8.h"
#include "tests/text/test_vocab.h"

using namespace quern::text;

static std::string whole(std::string_view bytes) {
  Utf8Stream stream;
  std::string out = stream.push(bytes);
  return out + stream.finish();
}

TEST_CASE("a character comes out when its last byte arrives") {
  Utf8Stream stream;
  CHECK(stream.push("a\xE4\xBD") == "a");
  CHECK(stream.push("\xA0") == "\xE4\xBD\xA0");
  CHECK(stream.push("\xF0\x9F\x98") == "");
  CHECK(stream.push("\x80!") == "\xF0\x9F\x98\x80!");
  CHECK(stream.finish() == "");
}

TEST_CASE("what can never become a character is U+FFFD") {
  CHECK(whole("\xFF") == "\xEF\xBF\xBD");
  CHECK(whole("\x80x") == "\xEF\xBF\xBDx");
  CHECK(whole("\xC0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  CHECK(whole("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // surrogate
  CHECK(whole("\xF4\x90\x80\x80").size() == 12);                           // above U+10FFFF
  CHECK(whole("\xE4\xBDx") == "\xEF\xBF\xBDx");                            // one for the maximal invalid part
  CHECK(whole("ab\xE4\xBD") == "ab\xEF\xBF\xBD");                          // unfinished at the end
}

TEST_CASE("however the bytes are cut, the stream says the same, and it is valid UTF-8") {
  std::mt19937 rng(3);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = random_text(rng, 20);
    for (int i = 0; i < round % 5; ++i) bytes[rng() % bytes.size()] = static_cast<char>(rng());
    Utf8Stream stream;
    std::string out;
    for (size_t i = 0; i < bytes.size();) {
      const size_t n = 1 + rng() % 5;
      out += stream.push(std::string_view(bytes).substr(i, n));
      i += n;
    }
    out += stream.finish();
    CHECK(out == whole(bytes));
    if (round % 5 == 0) CHECK(out == bytes);
    for (std::string_view rest = out; !rest.empty();) {
      const Utf8Step step = read_utf8(rest);
      REQUIRE(step.kind == Utf8Step::Kind::valid);
      rest.remove_prefix(step.size);
    }
  }
}
