// The chat page as the program carries it: the joined document, byte for byte, and the policy that goes with it.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "examples/server/page/page.h"

namespace {

std::string file_text(const char* name) {
  std::ifstream file(std::string(QUERN_PAGE_FOLDER "/") + name, std::ios::binary);
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

}  // namespace

TEST_CASE("the page in the library is the joined document") {
  const std::string_view page = quern::server::chat_page();
  CHECK(page == file_text("page.html"));
  CHECK(quern::server::chat_page_policy() == file_text("policy.txt"));
}

TEST_CASE("the page is one document that names no other") {
  const std::string_view page = quern::server::chat_page();
  CHECK(page.substr(0, 15) == "<!doctype html>");
  CHECK(count(page, "<script>") == 1);
  CHECK(count(page, "</script>") == 1);
  CHECK(count(page, "<style>") == 1);
  CHECK(page.find("@SCRIPT@") == page.npos);
  CHECK(page.find("@STYLE@") == page.npos);
  CHECK(page.find("<script src") == page.npos);
  CHECK(page.find("@import") == page.npos);
  CHECK(page.find("url(") == page.npos);
  CHECK(page.find("\nexport ") == page.npos);
  CHECK(page.find("\nimport ") == page.npos);
  CHECK(page.find('\0') == page.npos);
}

TEST_CASE("the policy allows what the page needs and nothing else") {
  const std::string_view policy = quern::server::chat_page_policy();
  CHECK(policy.find("default-src 'none'") != policy.npos);
  CHECK(policy.find("unsafe") == policy.npos);
  CHECK(policy.find('\n') == policy.npos);
  CHECK(count(policy, "'sha256-") == 2);
  // A SHA-256 in base64 is 43 digits and one '='.
  for (std::size_t at = policy.find("'sha256-"); at != policy.npos; at = policy.find("'sha256-", at + 1)) {
    CHECK(policy.substr(at + 8 + 43, 2) == "='");
  }
}
