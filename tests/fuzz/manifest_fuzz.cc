// Any bytes as what a registry or the Hub answers: a manifest, a configuration, messages, a list of files, and the
// header fields with an inner structure.
#include <cstdint>
#include <cstdlib>

#include "examples/store/http.h"
#include "examples/store/hub.h"
#include "examples/store/manifest.h"

using namespace quern::store;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_manifest(std::string_view text) {
  const auto manifest = Manifest::parse(text, "fuzz");
  if (!manifest) return;
  (void)manifest->size_bytes();
  for (const auto& layer : manifest->blobs()) {
    require(layer.digest.hex().size() == 64 && layer.size <= kMaxBlobBytes);
    if (layer.media_type == kFileType) require(is_plain_file_name(layer.name));
  }
  const auto again = Manifest::parse(manifest->dump(), "again");
  require(again.has_value() && again->dump() == manifest->dump());
}

void check_files(std::string_view text) {
  const auto files = parse_tree(text, "fuzz");
  if (!files) return;
  for (const char* tag : {"latest", "Q4_K_M", "x"}) {
    const auto chosen = choose_files(*files, tag, "user/repo");
    if (!chosen) continue;
    require(!chosen->empty());
    for (const size_t i : *chosen) require(i < files->size() && (*files)[i].path.find("..") != 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_manifest(text);
  check_files(text);
  if (const auto config = Config::parse(text, "fuzz")) require(Config::parse(config->dump(), "again").has_value());
  if (const auto messages = parse_messages(text, "fuzz")) {
    require(parse_messages(dump_messages(*messages), "again")->size() == messages->size());
  }
  if (const auto challenge = parse_challenge(text)) require(!challenge->realm.empty());
  if (const auto range = parse_content_range(text)) require(range->first <= range->last);
  (void)next_link(text);
  (void)Digest::parse(text);
  if (size < 4096) {
    (void)origin_of(std::string(text));
    (void)is_loopback(std::string(text));
  }
  return 0;
}
