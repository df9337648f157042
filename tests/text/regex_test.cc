// The wrapper of PCRE2: what tokenizers and recipes ask of it.
#include "lib/text/regex.h"

#include <doctest/doctest.h>

using namespace quern;
using text::Regex;

TEST_CASE("matches anywhere, with anchors and classes") {
  const Regex regex = Regex::compile("blk\\.(1[0-9]|2)\\.attn_[qk]\\.weight$").value();
  CHECK(regex.matches("blk.17.attn_q.weight"));
  CHECK(regex.matches("x.blk.2.attn_k.weight"));
  CHECK_FALSE(regex.matches("blk.3.attn_q.weight"));
  CHECK_FALSE(regex.matches("blk.17.attn_q.weight.x"));
  CHECK(Regex::compile("").value().matches("anything"));
  CHECK_FALSE(Regex::compile(".").value().matches("\xFF"));  // not UTF-8
  CHECK(Regex::compile("^.$").value().matches("\u00e9"));
}

TEST_CASE("finds the first non-empty match from a position on") {
  const Regex regex = Regex::compile("[0-9]*").value();
  text::RegexScratch scratch;
  REQUIRE(scratch);
  const auto match = regex.find("ab12c345", 0, scratch);
  REQUIRE(match);
  CHECK(match->begin == 2);
  CHECK(match->end == 4);
  CHECK(regex.find("ab12c345", match->end, scratch)->begin == 5);
  CHECK_FALSE(regex.find("ab12c345", 8, scratch));
}

TEST_CASE("an expression that is none, and one that would search for ages") {
  const auto none = Regex::compile("a(b");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::argument);
  CHECK(none.error().message.find("'a(b'") != std::string::npos);
  CHECK(none.error().message.find("byte 3") != std::string::npos);
  CHECK_FALSE(Regex::compile("(a+)+$").value().matches(std::string(5000, 'a') + "b"));
}
