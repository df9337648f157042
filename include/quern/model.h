// Model: weights, tokenizer and metadata of one model file, ready to run.
#pragma once

#include <quern/callbacks.h>
#include <quern/result.h>
#include <quern/runtime.h>
#include <quern/tokenizer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern {

struct ModelOptions {
  std::optional<Runtime> runtime{};  ///< Absent: a private one with default options.
  bool use_mmap = true;              ///< Map the file instead of reading it into memory.
  /// Rearrange the weights in memory for this machine. Without: they are read from the mapped file, which takes a
  /// fraction of the memory and the time to open; answers come more slowly and are the same, bit for bit.
  bool repack = true;
  /// Metadata and tokenizer only; such a model makes no Context. Also opens a folder of Hugging Face's form by its
  /// tokenizer, and such a tokenizer's file: tokenizer.json, a SentencePiece model, a rank file of tiktoken.
  bool vocab_only = false;
  ProgressFn progress{};  ///< Stage "load", in bytes.
  CancelToken cancel{};
  /// Quantize as the model is opened: "nf4", "fp4", "int8", or a type of GGUF ("Q4_K", "Q8_0"); empty: as it is stored.
  /// The matrices of products are quantized, row by row, on their way into memory, where they are stored as F32, F16 or
  /// BF16 and their rows are whole blocks of the type; the output layer, the matrices that choose experts, and what is
  /// quantized already stay as they are. What is quantized is in memory, whatever `repack` says.
  std::string quantize{};
  bool double_quant = false;  ///< With "nf4": its scales are quantized too, which saves 0.125 bits of 4.5 per weight.
};

/// What a model is. Counts are of the architecture's hyper-parameters; sizes in bytes.
struct ModelInfo {
  std::string path, name, architecture;
  std::string file_type;  ///< The commonest tensor type by bytes, e.g. "Q4_K".
  uint64_t n_parameters = 0;
  uint64_t size_bytes = 0;  ///< Tensor bytes in the file.
  uint32_t n_vocab = 0, n_embd = 0, n_layer = 0, n_head = 0, n_head_kv = 0, n_ff = 0;
  uint32_t n_ctx_train = 0;  ///< Context length of the training.
};

/// One tensor of the file, for inspection.
struct TensorInfo {
  std::string name, type;
  std::vector<uint64_t> shape;  ///< Fastest dimension first.
  uint64_t size_bytes = 0;
};

/// The bytes of a model's weights, by what they are for. A context takes memory of its own.
struct Footprint {
  uint64_t matrix_bytes = 0;  ///< Matrices of products, rearranged in memory.
  uint64_t vector_bytes = 0;  ///< Norms and biases, as floats in memory.
  uint64_t table_bytes = 0;   ///< Tables of embeddings: the rows of the tokens that come up are read from the file.
  uint64_t kept_bytes = 0;    ///< Matrices of products that are read from the file each time: ModelOptions::repack off.
  uint64_t total_bytes = 0;   ///< The sum of these.
  uint64_t file_bytes = 0;    ///< All of the model's files: mapped, or in memory where ModelOptions::use_mmap is off.
  /// Of the file's bytes, those that are still read; the others need not be in memory. Tables and kept matrices; where
  /// these are made from something else in the file, in the size that they are made.
  uint64_t file_needed_bytes = 0;
  bool file_mapped = false;

  /// The memory that the model occupies beyond pages of the file that the system may drop.
  uint64_t resident_bytes() const { return matrix_bytes + vector_bytes + (file_mapped ? 0 : file_bytes); }
};

/// Copies share the weights, which live as long as any copy or Context. Immutable and thread-safe.
class Model {
 public:
  /// Opens a GGUF file (any part's siblings are found by name). Errors name the file and the key or tensor at fault.
  static Result<Model> open(const std::string& path, const ModelOptions& options = {});

  const ModelInfo& info() const;
  const Tokenizer& tokenizer() const;
  /// The Jinja source of the file's chat template; empty if it has none.
  const std::string& chat_template() const;
  /// Metadata in file order; arrays are shortened to their first elements in the text form.
  std::vector<std::pair<std::string, std::string>> metadata() const;
  /// The text form of one metadata value, if the key exists.
  std::optional<std::string> metadata(std::string_view key) const;
  std::vector<TensorInfo> tensors() const;
  /// What the weights take now; with ModelOptions::vocab_only, nothing but the file.
  Footprint footprint() const;
  const Runtime& runtime() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }  ///< For the library itself.

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace quern
