// Pulling from the Hugging Face Hub (https://huggingface.co/docs/hub/api):
//   GET /api/models/<user>/<repo>/tree/main?recursive=true   the files with sizes and checksums, in pages (Link:
//   rel="next") GET /<user>/<repo>/resolve/main/<path>                   a file, by a redirect to where it lies
// The checksum of a file in LFS is its SHA-256, that of a small one its name as a git object.
// The files template, system and params at the root are what the Hub's own connection to Ollama reads
// (https://huggingface.co/docs/hub/ollama).
#include "examples/store/hub.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "examples/store/pull.h"
#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

constexpr size_t kMaxPageBytes = size_t{16} << 20, kMaxTokenBytes = 4096;
constexpr int kMaxPages = 50;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

class HubPull {
 public:
  HubPull(Session& session, const ModelName& name)
      : session_(session),
        name_(name),
        endpoint_(hub_endpoint(session.options())),
        token_(hub_token(session.options())),
        repository_(name.owner() + "/" + name.model()) {}

  Result<Pulled> run() {
    QUERN_TRY(files_, list_files());
    QUERN_TRY(const auto chosen, choose_files(files_, name_.tag(), "hf:" + repository_));
    QUERN_CHECK(prepare(chosen));
    Manifest manifest;
    const bool single = chosen.size() == 1 && ends_with_ignoring_case(files_[chosen[0]].path, ".gguf");
    for (const size_t i : chosen) {
      QUERN_TRY(const Blob blob, fetch(files_[i]));
      Layer layer{std::string(single ? kModelType : kFileType), blob.digest, blob.size};
      if (!single) layer.name = base_name(files_[i].path);
      manifest.layers.push_back(std::move(layer));
    }
    QUERN_CHECK(add_extras(manifest));
    return with_config(session_.layout(), session_.pin(), std::move(manifest), Config{});
  }

 private:
  std::string status_advice(long status) const {
    if (status == 401 || status == 403) {
      return token_.empty() ? "'" + repository_ +
                                  "' does not exist, or needs permission: set HF_TOKEN to a token from "
                                  "https://huggingface.co/settings/tokens"
                            : "the token in HF_TOKEN does not give access to '" + repository_ +
                                  "': accept the model's terms on its page, or check the name";
    }
    if (status == 404) return "there is no repository '" + repository_ + "'; names are case-sensitive there";
    return {};
  }

  Result<std::vector<HubFile>> list_files() {
    std::vector<HubFile> out;
    std::string url = endpoint_ + "/api/models/" + repository_ + "/tree/main?recursive=true";
    for (int page = 0; page < kMaxPages; ++page) {
      QUERN_TRY(const auto document, session_.get_document({url, {}, token_}, kMaxPageBytes));
      if (document.head.status / 100 != 2)
        return status_error(document.head, document.body, status_advice(document.head.status));
      QUERN_TRY(const auto files, parse_tree(document.body, url));
      out.insert(out.end(), files.begin(), files.end());
      const std::string next = next_link(document.head.link);
      if (next.empty()) return out;
      if (origin_of(next) != origin_of(url)) {
        return Error{Errc::format, url + ": the next page of the list is on another host: " + shown(next)};
      }
      url = next;
    }
    return Error{Errc::format, url + ": the list of files has more than 50 pages"};
  }

  Status prepare(const std::vector<size_t>& chosen) {
    std::vector<Digest> digests;
    uint64_t missing = 0;
    for (const size_t i : chosen) {
      if (files_[i].digest) digests.push_back(*files_[i].digest);
    }
    QUERN_CHECK(session_.pin(digests));
    for (const size_t i : chosen) {
      std::error_code error;
      const auto& digest = files_[i].digest;
      if (!digest || !std::filesystem::exists(session_.layout().blob(*digest), error)) missing += files_[i].size;
    }
    return check_room(session_.layout(), missing);
  }

  Result<Blob> fetch(const HubFile& file) {
    std::string url = endpoint_ + "/" + repository_ + "/resolve/main";
    std::string_view rest = file.path;
    while (!rest.empty()) {
      const size_t slash = std::min(rest.find('/'), rest.size());
      url += "/" + url_escaped(rest.substr(0, slash));
      rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    BlobSource source{url, token_, file.digest, file.git_oid, file.size};
    source.gguf = ends_with_ignoring_case(file.path, ".gguf");
    source.label = base_name(file.path);
    return fetch_blob(session_, std::move(source));
  }

  Status add_extras(Manifest& manifest) {
    for (const auto& file : files_) {
      std::string_view type;
      if (file.path == "template") type = kTemplateType;
      if (file.path == "system") type = kSystemType;
      if (file.path == "params") type = kParamsType;
      if (type.empty() || file.size > kMaxTextBytes) continue;
      QUERN_TRY(const Blob blob, fetch(file));
      manifest.layers.push_back({std::string(type), blob.digest, blob.size});
    }
    return {};
  }

  Session& session_;
  const ModelName& name_;
  std::string endpoint_, token_, repository_;
  std::vector<HubFile> files_;
};

}  // namespace

std::string hub_endpoint(const PullOptions& options) {
  std::string out = options.hf_endpoint.empty() ? environment("HF_ENDPOINT") : options.hf_endpoint;
  if (out.empty()) out = "https://huggingface.co";
  while (!out.empty() && out.back() == '/') out.pop_back();
  return out;
}

/// The user's token: given, HF_TOKEN, or the file that the Hub's own command line writes.
std::string hub_token(const PullOptions& options) {
  std::string out = options.hf_token.empty() ? environment("HF_TOKEN") : options.hf_token;
  if (out.empty()) {
    std::string file = environment("HF_TOKEN_PATH");
    if (file.empty() && !environment("HF_HOME").empty()) file = environment("HF_HOME") + "/token";
    if (file.empty() && !environment("HOME").empty()) file = environment("HOME") + "/.cache/huggingface/token";
    const auto text = file.empty() ? Result<std::string>(std::string()) : read_file(file, kMaxTokenBytes);
    if (text) out = std::string(trim(*text));
  }
  // A token with a line break in it would be another header field.
  return out.find_first_of("\r\n") == std::string::npos ? out : std::string();
}

Result<Pulled> pull_from_hub(Session& session, const ModelName& name) { return HubPull(session, name).run(); }

}  // namespace quern::store
