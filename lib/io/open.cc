// Opening a model file by its content, whatever its name.
#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "lib/io/gguf.h"
#include "lib/io/hf_tokenizer.h"
#include "lib/io/reader.h"
#include "lib/io/shards.h"

namespace quern::io {
namespace {

bool begins_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin(),
                                                    [](char c, std::byte b) { return static_cast<std::byte>(c) == b; });
}

/// What a file that is not GGUF most likely is: people open these by mistake.
const char* guess_kind(std::span<const std::byte> bytes) {
  if (bytes.empty()) return "an empty file";
  if (begins_with(bytes, "ggml") || begins_with(bytes, "lmgg") || begins_with(bytes, "tjgg") ||
      begins_with(bytes, "fmgg"))
    return "a model in a format that GGUF replaced in 2023 (convert it to GGUF)";
  if (begins_with(bytes, "PK\3\4")) return "a zip archive or a PyTorch checkpoint";
  if (begins_with(bytes, "\x1F\x8B")) return "a gzip archive";
  if (begins_with(bytes, "version https://git-lfs")) return "a Git LFS pointer (the model itself was not downloaded)";
  if (begins_with(bytes, "<")) return "a web page (was a link to a page downloaded?)";
  if (bytes.size() > 8 && bytes[8] == std::byte{'{'}) return "a safetensors file";
  return "a file that begins otherwise";
}

Result<ModelFile> open_tokenizer(const std::string& path) {
  ModelFile model;
  model.path = path;
  model.tokenizer_only = true;
  QUERN_TRY(model.meta, read_hf_tokenizer(path));
  return model;
}

}  // namespace

Result<ModelFile> open_model_file(const std::string& path, const OpenOptions& options) {
  std::error_code error;
  if (options.tokenizers && std::filesystem::is_directory(path, error)) return open_tokenizer(path);
  QUERN_TRY(auto file, base::FileBytes::open(path, {.use_mmap = options.use_mmap}));
  const bool is_gguf = begins_with(file.bytes(), {kGgufMagic, sizeof kGgufMagic});
  if (!is_gguf && options.tokenizers && looks_like_tokenizer(file.bytes())) return open_tokenizer(path);
  QUERN_ENSURE(is_gguf, Errc::format, path, ": not a GGUF file: expected it to begin with 'GGUF', found ",
               guess_kind(file.bytes()));
  QUERN_TRY(auto contents, parse_gguf(file.bytes(), path));
  ModelFile model{path, contents.version, contents.alignment, std::move(contents.meta), std::move(contents.tensors), {},
                  {}};
  model.parts.push_back(std::move(file));
  QUERN_CHECK(open_other_parts(model, options));
  return model;
}

}  // namespace quern::io
