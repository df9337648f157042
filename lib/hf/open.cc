#include "lib/hf/open.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "lib/hf/checkpoint.h"
#include "lib/hf/config.h"
#include "lib/hf/names.h"
#include "lib/hf/sentence.h"
#include "lib/io/gguf.h"
#include "lib/io/hf_tokenizer.h"

namespace quern::hf {
namespace {

namespace fs = std::filesystem;

/// general.file_type, where there is one: the commonest plain type of matrices, by bytes.
std::optional<uint64_t> file_type(const io::TensorTable& tensors) {
  struct Type {
    tensor::DType type;
    uint64_t file_type;
    uint64_t bytes = 0;
  } plain[] = {{tensor::DType::f32, 0}, {tensor::DType::f16, 1}, {tensor::DType::bf16, 32}};
  uint64_t others = 0;
  for (const io::TensorEntry& entry : tensors.entries()) {
    if (entry.view.shape.rank < 2) continue;
    uint64_t* bytes = &others;
    for (Type& own : plain) {
      if (own.type == entry.view.type) bytes = &own.bytes;
    }
    *bytes += entry.view.size_bytes();
  }
  const Type& most = *std::max_element(std::begin(plain), std::end(plain),
                                       [](const Type& a, const Type& b) { return a.bytes < b.bytes; });
  return others > most.bytes ? std::nullopt : std::optional(most.file_type);
}

/// Embeddings may have more rows than the tokenizer has tokens: those have names that no text has.
void pad_tokens(io::MetaTable::Entry& entry, uint64_t n) {
  constexpr int64_t kUnused = 5;
  constexpr double kUnusedScore = -10000;
  if (entry.key == "tokenizer.ggml.tokens") {
    auto& tokens = std::get<std::vector<std::string>>(entry.value);
    for (uint64_t i = tokens.size(); i < n; ++i) tokens.push_back(cat("[PAD", i, "]"));
  } else if (entry.key == "tokenizer.ggml.token_type") {
    if (auto* types = std::get_if<std::vector<int64_t>>(&entry.value))
      types->resize(std::max(n, types->size()), kUnused);
  } else if (entry.key == "tokenizer.ggml.scores") {
    auto& scores = std::get<std::vector<double>>(entry.value);
    if (!scores.empty()) scores.resize(std::max(n, scores.size()), kUnusedScore);
  }
}

Result<io::ModelFile> open_folder(const std::string& path, const io::OpenOptions& options) {
  QUERN_TRY(Checkpoint checkpoint, open_checkpoint(path, options.use_mmap));
  QUERN_CHECK(add_sentence_modules(checkpoint, options.use_mmap));
  QUERN_TRY(const arch::HfArch* const table, find_class(checkpoint));
  io::ModelFile model;
  model.path = path;
  QUERN_TRY(model.meta, read_config(checkpoint, *table));
  QUERN_TRY(Tensors tensors, read_tensors(checkpoint, *table, model.meta));
  if (const auto type = file_type(tensors.table))
    QUERN_CHECK(model.meta.add({"general.file_type", *type, static_cast<uint32_t>(io::ValueType::u32)}));
  const io::TensorEntry* const embeddings = tensors.table.find("token_embd.weight");
  QUERN_TRY(const io::MetaTable tokenizer, io::read_hf_tokenizer(path));
  for (io::MetaTable::Entry entry : tokenizer.entries()) {
    if (embeddings != nullptr) pad_tokens(entry, embeddings->view.shape.ne[1]);
    QUERN_CHECK(model.meta.add(std::move(entry)));
  }
  model.tensors = std::move(tensors.table);
  model.keep = std::move(tensors.keep);
  model.parts = std::move(checkpoint.files);
  return model;
}

}  // namespace

Result<io::ModelFile> open_model(const std::string& path, const io::OpenOptions& options) {
  std::error_code error;
  if (!options.tokenizers && fs::is_directory(path, error)) return open_folder(path, options);
  return io::open_model_file(path, options);
}

}  // namespace quern::hf
