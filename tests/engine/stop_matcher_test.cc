#include "lib/engine/stop_matcher.h"

#include <doctest/doctest.h>

using quern::engine::StopMatcher;

namespace {

/// What comes out when the text arrives in pieces of n bytes.
std::string in_pieces(const std::vector<std::string>& stops, const std::string& text, size_t n, bool& matched) {
  StopMatcher matcher(stops);
  std::string out;
  for (size_t i = 0; i < text.size(); i += n) out += matcher.push(text.substr(i, n));
  out += matcher.finish();
  matched = matcher.matched();
  return out;
}

}  // namespace

TEST_CASE("a stop text is found however the stream is cut") {
  struct Case {
    std::vector<std::string> stops;
    std::string text, expected;
    bool matched;
  };
  const Case cases[] = {
      {{"END"}, "some text END more", "some text ", true},
      {{"END"}, "some text EN", "some text EN", false},
      {{"END"}, "EENENDX", "EEN", true},
      {{"abab"}, "xababab", "x", true},
      {{"aab"}, "aaaaab", "aaa", true},
      {{"\n\n", "User:"}, "answer\nUser: next", "answer\n", true},
      {{"long stop", "st"}, "a long stop", "a long ", true},  // the one that is complete first
      {{"st", "long st"}, "a long stop", "a ", true},         // or, of those, the longest
      {{""}, "nothing stops", "nothing stops", false},
      {{}, "nothing stops", "nothing stops", false},
      {{"x"}, "x", "", true},
  };
  for (const auto& c : cases) {
    for (size_t n = 1; n <= c.text.size(); ++n) {
      CAPTURE(c.text);
      CAPTURE(n);
      bool matched = false;
      const std::string out = in_pieces(c.stops, c.text, n, matched);
      CHECK(matched == c.matched);
      CHECK(out == c.expected);
    }
  }
}

TEST_CASE("text is held back no longer than needed") {
  StopMatcher matcher({"<end>"});
  CHECK(matcher.push("ab") == "ab");
  CHECK(matcher.push("c<e") == "c");
  CHECK(matcher.push("n") == "");
  CHECK(matcher.push("try") == "<entry");
  CHECK(matcher.push("<end>x") == "");
  CHECK(matcher.matched());
  CHECK(matcher.push("more") == "");
  CHECK(matcher.finish() == "");
}
