// Header fields with an inner structure, and URLs.
#include <curl/curl.h>

#include <charconv>
#include <memory>

#include "examples/store/http.h"
#include "examples/store/text.h"

namespace quern::store {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string out = text;
  curl_free(text);
  return out;
}

std::unique_ptr<CURLU, UrlDeleter> parsed(const std::string& url) {
  std::unique_ptr<CURLU, UrlDeleter> out(curl_url());
  if (out && curl_url_set(out.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) out.reset();
  return out;
}

bool parse_u64(std::string_view text, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() && is_digit(text[0]);
}

/// One value of a list "name=value, name="quoted value"": taken off `rest`. False at its end.
bool next_parameter(std::string_view& rest, std::string& name, std::string& value) {
  while (!rest.empty() && (rest[0] == ',' || rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
  const size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return false;
  name = lower(trim(rest.substr(0, equals)));
  rest.remove_prefix(equals + 1);
  value.clear();
  if (!rest.empty() && rest[0] == '"') {
    size_t i = 1;
    for (; i < rest.size() && rest[i] != '"'; ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      value += rest[i];
    }
    rest.remove_prefix(std::min(i + 1, rest.size()));
  } else {
    const size_t end = std::min(rest.find(','), rest.size());
    value = std::string(trim(rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  return true;
}

}  // namespace

std::string origin_of(const std::string& url) {
  const auto handle = parsed(url);
  if (!handle) return {};
  const std::string scheme = lower(part_of(handle.get(), CURLUPART_SCHEME));
  if (scheme != "http" && scheme != "https") return {};
  const std::string host = lower(part_of(handle.get(), CURLUPART_HOST));
  return scheme + "://" + host + ":" + part_of(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

bool is_loopback(const std::string& url) {
  const auto handle = parsed(url);
  if (!handle) return false;
  const std::string host = lower(part_of(handle.get(), CURLUPART_HOST));
  if (host == "localhost" || host == "[::1]") return true;
  // 127.0.0.0/8, written as four numbers: "127.example.com" is somebody's name.
  std::string_view rest = host;
  for (int i = 0; i < 4; ++i) {
    const size_t dot = rest.find('.');
    uint64_t number = 0;
    if ((dot == std::string_view::npos) != (i == 3) || !parse_u64(rest.substr(0, dot), number) || number > 255)
      return false;
    if (i == 0 && number != 127) return false;
    if (i < 3) rest.remove_prefix(dot + 1);
  }
  return true;
}

std::string url_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4];
      out += "0123456789ABCDEF"[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

std::optional<Challenge> parse_challenge(std::string_view header) {
  header = trim(header);
  constexpr std::string_view kScheme = "bearer";
  if (header.size() <= kScheme.size() || !equal_ignoring_case(header.substr(0, kScheme.size()), kScheme) ||
      header[kScheme.size()] != ' ') {
    return std::nullopt;
  }
  header.remove_prefix(kScheme.size());
  Challenge out;
  std::string name, value;
  while (next_parameter(header, name, value)) {
    if (name == "realm") out.realm = value;
    if (name == "service") out.service = value;
    if (name == "scope") out.scope = value;
  }
  if (out.realm.empty()) return std::nullopt;
  return out;
}

std::string next_link(std::string_view header) {
  while (true) {
    const size_t open = header.find('<');
    const size_t close = open == std::string_view::npos ? open : header.find('>', open);
    if (close == std::string_view::npos) return {};
    const std::string_view url = header.substr(open + 1, close - open - 1);
    header.remove_prefix(close + 1);
    const std::string_view attributes = header.substr(0, header.find('<'));
    if (attributes.find("rel=\"next\"") != std::string_view::npos ||
        attributes.find("rel=next") != std::string_view::npos) {
      return std::string(url);
    }
  }
}

std::optional<ContentRange> parse_content_range(std::string_view header) {
  header = trim(header);
  constexpr std::string_view kUnit = "bytes ";
  if (header.size() < kUnit.size() || !equal_ignoring_case(header.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  const size_t dash = header.find('-'), slash = header.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
  ContentRange out;
  if (!parse_u64(header.substr(0, dash), out.first)) return std::nullopt;
  if (!parse_u64(header.substr(dash + 1, slash - dash - 1), out.last) || out.last < out.first) return std::nullopt;
  const std::string_view total = header.substr(slash + 1);
  if (total == "*") return out;
  uint64_t n = 0;
  if (!parse_u64(total, n) || n <= out.last) return std::nullopt;
  out.total = n;
  return out;
}

}  // namespace quern::store
