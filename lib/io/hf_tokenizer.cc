#include "lib/io/hf_tokenizer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "lib/base/file.h"
#include "lib/io/gpt2_files.h"
#include "lib/io/names.h"
#include "lib/io/sentencepiece.h"
#include "lib/io/tiktoken.h"
#include "lib/io/tokenizer_companions.h"
#include "lib/io/tokenizer_json.h"

namespace quern::io {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxBytes = uint64_t{256} << 20;
constexpr std::array<std::string_view, 7> kFileNames = {
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
    "tiktoken.model", "qwen.tiktoken",   "vocab.json"};
constexpr std::string_view kModelName = "tokenizer.model", kVocabName = "vocab.json", kMergesName = "merges.txt";

bool begins_as_json(std::span<const std::byte> bytes) {
  const auto first = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) {
    const char c = static_cast<char>(b);
    return c != ' ' && c != '\n' && c != '\r' && c != '\t';
  });
  return first != bytes.end() && *first == std::byte{'{'};
}

/// The scores of a SentencePiece model with the same pieces.
Status take_scores(const std::string& folder, TokenizerParts& parts) {
  auto file = base::FileBytes::open(cat(folder, "/", kModelName), {});
  if (!file || !looks_like_sentencepiece(file->bytes())) return {};
  const auto model = parse_sentencepiece(file->bytes(), file->path());
  // One that cannot be read, or is of something else, is no fault of the tokenizer.json, which says all that is needed.
  if (!model || model->model != parts.model || model->tokens.size() > parts.tokens.size()) return {};
  if (!std::equal(model->tokens.begin(), model->tokens.end(), parts.tokens.begin())) return {};
  std::copy(model->scores.begin(), model->scores.end(), parts.scores.begin());
  return {};
}

/// The string at a key of a JSON file that need not exist; "" where it is not there.
std::string text_in(const std::string& path, std::string_view key) {
  const auto file = base::FileBytes::open(path, {});
  if (!file || file->bytes().size() > kMaxBytes) return {};
  const auto json = parse_json(file->bytes(), path);
  const Json* value = json ? json->find(key) : nullptr;
  const auto* text = value ? value->get<std::string>() : nullptr;
  return text ? *text : std::string();
}

/// vocab.json with the merges.txt beside it.
Result<TokenizerParts> parse_gpt2_files(Json vocab, const std::string& path, const std::string& folder) {
  QUERN_TRY(const auto merges, base::FileBytes::open(cat(folder, "/", kMergesName), {}));
  QUERN_ENSURE(merges.bytes().size() <= kMaxBytes, Errc::unsupported, merges.path(), ": is too large");
  std::string name = text_in(cat(folder, "/tokenizer_config.json"), "tokenizer_class");
  if (name.empty()) name = text_in(cat(folder, "/config.json"), "model_type");
  if (name.ends_with("TokenizerFast")) name.resize(name.size() - 4);
  const std::string_view lines(reinterpret_cast<const char*>(merges.bytes().data()), merges.bytes().size());
  QUERN_TRY(const Json joined, join_gpt2_files(std::move(vocab), lines, name, path));
  return parse_tokenizer_json(joined, path);
}

Result<TokenizerParts> parse_file(std::span<const std::byte> bytes, const std::string& path,
                                  const std::string& folder) {
  QUERN_ENSURE(bytes.size() <= kMaxBytes, Errc::unsupported, path, ": has ", bytes.size(), " bytes, at most ",
               kMaxBytes, " are supported");
  if (begins_as_json(bytes)) {
    QUERN_TRY(Json json, parse_json(bytes, path));
    if (looks_like_tokenizer_json(json)) return parse_tokenizer_json(json, path);
    QUERN_ENSURE(path.ends_with(kVocabName), Errc::format, path,
                 ": not a tokenizer.json: it has no 'model' with a 'vocab'");
    return parse_gpt2_files(std::move(json), path, folder);
  }
  if (looks_like_sentencepiece(bytes)) return parse_sentencepiece(bytes, path);
  if (looks_like_ranks(bytes)) return parse_tiktoken(bytes, path);
  return fail(Errc::format, path,
              ": is neither a tokenizer.json nor a SentencePiece model nor a rank file of tiktoken");
}

Result<std::string> find_in(const std::string& folder) {
  std::error_code error;
  for (const std::string_view name : kFileNames) {
    std::string path = cat(folder, "/", name);
    if (fs::is_regular_file(path, error)) return path;
  }
  return fail(Errc::not_found, folder, ": the folder has no tokenizer: neither tokenizer.json nor tokenizer.model");
}

}  // namespace

bool looks_like_tokenizer(std::span<const std::byte> bytes) {
  return begins_as_json(bytes) || looks_like_sentencepiece(bytes) || looks_like_ranks(bytes);
}

Result<MetaTable> read_hf_tokenizer(const std::string& path) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  std::string folder = path, file = path;
  if (is_folder) {
    QUERN_TRY(file, find_in(path));
  } else {
    folder = fs::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
  }
  QUERN_TRY(const auto bytes, base::FileBytes::open(file, {}));
  QUERN_TRY(TokenizerParts parts, parse_file(bytes.bytes(), file, folder));
  const bool complete = begins_as_json(bytes.bytes()) && !file.ends_with(kVocabName);
  if (complete && parts.model == "llama") QUERN_CHECK(take_scores(folder, parts));
  QUERN_CHECK(read_companions(folder, complete, parts));
  return to_meta(std::move(parts));
}

}  // namespace quern::io
