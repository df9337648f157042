#include "examples/store/name.h"

#include "examples/store/digest.h"
#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

constexpr size_t kMaxTextBytes = 1024, kMaxUrlBytes = 4096;
constexpr std::string_view kHubHost = "hf.co";

Error bad(std::string_view whole, const std::string& why) {
  return {Errc::argument, "model name '" + shown(whole) + "': " + why};
}

bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

/// Checks one part; `what` names it for the message.
Status check_part(std::string_view part, const char* what, std::string_view whole) {
  if (part.empty()) return bad(whole, std::string("the ") + what + " is empty");
  const bool is_host = what == std::string_view("host");
  const size_t limit = is_host ? kMaxHostBytes : kMaxPartBytes;
  if (part.size() > limit) {
    return bad(whole, std::string("the ") + what + " is longer than " + std::to_string(limit) + " bytes");
  }
  if (!is_word(part[0])) {
    return bad(whole, std::string("the ") + what + " must begin with a letter, a digit or '_', found '" +
                          shown(part.substr(0, 1)) + "'");
  }
  for (const char c : part) {
    if (is_word(c) || c == '-' || c == '.' || (is_host && c == ':')) continue;
    const bool visible = static_cast<unsigned char>(c) > 32 && static_cast<unsigned char>(c) < 127;
    return bad(whole, std::string("the ") + what + " may have letters, digits, '_', '-' and '.', found " +
                          (visible ? std::string("'") + c + "'" : "a character that is none of these"));
  }
  return {};
}

/// "host:port" has one colon and 1 to 5 digits behind it.
Status check_port(std::string_view host, std::string_view whole) {
  const size_t colon = host.find(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view port = host.substr(colon + 1);
  bool good = !port.empty() && port.size() <= 5;
  for (const char c : port) good = good && is_digit(c);
  if (!good) return bad(whole, "the port of the host must be a number of at most five digits");
  return {};
}

/// Letters, digits and the like of a URL's path as part of a name; `changed` where something had to go.
std::string sanitized(std::string_view text, bool& changed) {
  std::string out;
  for (const char c : text) {
    const bool fits = is_word(c) || (!out.empty() && (c == '-' || c == '.'));
    if (!fits) changed = true;
    if (fits || !out.empty()) out += fits ? c : '-';
  }
  constexpr size_t kKept = kMaxPartBytes - 9;  // room for a mark of 8 digits
  if (out.size() > kKept) {
    out.resize(kKept);
    changed = true;
  }
  return out;
}

struct UrlParts {
  std::string host, path;
};

Result<UrlParts> split_url(std::string_view url) {
  const auto wrong = [url](const char* why) { return Error{Errc::argument, "URL '" + shown(url, 200) + "': " + why}; };
  if (url.size() > kMaxUrlBytes) return wrong("longer than 4096 bytes");
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= 32 || static_cast<unsigned char>(c) >= 127) {
      return wrong("blanks, control characters and others than ASCII must be written as %XX");
    }
  }
  const size_t scheme = url.find("://") + 3;
  const std::string_view rest = url.substr(scheme, url.find_first_of("?#", scheme) - scheme);
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash == 0) return wrong("expected https://host/path/file.gguf");
  UrlParts out{std::string(rest.substr(0, slash)), std::string(rest.substr(slash + 1))};
  if (out.host.find('@') != std::string::npos) return wrong("a user name or password in a URL is not supported");
  if (!ends_with_ignoring_case(out.path, ".gguf")) return wrong("the path must end in .gguf");
  return out;
}

/// The name of a URL's model: host/folder/file. Where that is not unambiguous, the folder gets a mark of the whole URL.
Result<ModelName> name_of_url(std::string_view url) {
  QUERN_TRY(UrlParts parts, split_url(url));
  bool changed = url.find_first_of("?#") != std::string_view::npos;
  const size_t slash = parts.path.rfind('/');
  std::string folder = slash == std::string::npos ? "" : parts.path.substr(0, slash);
  const std::string file = parts.path.substr(slash + 1, parts.path.size() - (slash + 1) - 5);
  folder = sanitized(folder, changed);
  if (folder.empty()) folder = "url";
  std::string stem = sanitized(file, changed);
  if (stem.empty()) stem = "model";
  if (changed) folder += "-" + digest_of(url).hex().substr(0, 8);
  bool host_changed = false;
  std::string host = parts.host;
  // An IPv6 address in brackets has no place in a name.
  if (host[0] == '[') host = sanitized(host, host_changed);
  return ModelName::parse(host + "/" + folder + "/" + stem + ":" + std::string(kDefaultTag));
}

}  // namespace

Result<ModelName> ModelName::parse(std::string_view text) {
  const std::string_view whole = text;
  if (text.empty()) return Error{Errc::argument, "model name: empty"};
  if (text.size() > kMaxTextBytes) return bad(whole, "longer than 1024 bytes");
  ModelName out;
  out.tag_ = kDefaultTag;
  std::string prefixed;
  const bool hub = text.substr(0, 3) == "hf:";
  if (hub) {
    prefixed = std::string(kHubHost) + "/" + std::string(text.substr(3));
    text = prefixed;
  }
  const size_t last_slash = text.rfind('/');
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && (last_slash == std::string_view::npos || colon > last_slash)) {
    out.tag_ = text.substr(colon + 1);
    QUERN_CHECK(check_part(out.tag_, "tag", whole));
    text = text.substr(0, colon);
  }
  out.model_ = text.substr(last_slash + 1);  // npos + 1 is 0
  QUERN_CHECK(check_part(out.model_, "name", whole));
  out.host_ = kDefaultHost;
  out.owner_ = kDefaultNamespace;
  if (last_slash != std::string_view::npos) {
    text = text.substr(0, last_slash);
    const size_t slash = text.rfind('/');
    out.owner_ = text.substr(slash + 1);
    QUERN_CHECK(check_part(out.owner_, hub ? "user" : "namespace", whole));
    if (slash != std::string_view::npos) out.host_ = lower(text.substr(0, slash));
  }
  QUERN_CHECK(check_part(out.host_, "host", whole));
  QUERN_CHECK(check_port(out.host_, whole));
  const bool named_hub = out.host_ == kDefaultHost && (out.owner_ == kHubHost || out.owner_ == "huggingface.co");
  if ((hub && out.host_ != kHubHost) || named_hub) {
    return bad(whole, "a model of the Hub needs a user and a repository, as in hf:user/repo:Q4_K_M");
  }
  return out;
}

bool ModelName::on_hub() const { return host_ == kHubHost || host_ == "huggingface.co"; }

std::string ModelName::full() const { return host_ + "/" + owner_ + "/" + model_ + ":" + tag_; }

std::string ModelName::text() const {
  if (host_ != kDefaultHost) return full();
  // A model called hf needs its namespace, as "hf:latest" would be a repository of the Hub.
  const bool bare = owner_ == kDefaultNamespace && model_ != "hf";
  return (bare ? "" : owner_ + "/") + model_ + ":" + tag_;
}

std::filesystem::path ModelName::relative_path() const { return std::filesystem::path(host_) / owner_ / model_ / tag_; }

Result<Reference> Reference::parse(std::string_view text) {
  const std::string start = lower(text.substr(0, 8));
  if (start.substr(0, 7) == "http://" || start == "https://") {
    QUERN_TRY(ModelName name, name_of_url(text));
    const size_t scheme = text.find("://");
    return Reference{std::move(name), lower(text.substr(0, scheme)) + std::string(text.substr(scheme))};
  }
  QUERN_TRY(ModelName name, ModelName::parse(text));
  return Reference{std::move(name), {}};
}

}  // namespace quern::store
