// Check: whether a model file runs here, and what keeps it from doing so, found out without loading its weights.
#pragma once

#include <quern/context.h>
#include <quern/result.h>
#include <quern/runtime.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quern {

struct CheckOptions {
  std::optional<Runtime> runtime{};  ///< What it would run on. Absent: a private one with default options.
  bool use_mmap = true;              ///< As in ModelOptions, for the memory needed.
  bool repack = true;                ///< The same.
  /// The context that the memory is counted for. n_ctx 0: the model's training context, but at most 4096.
  ContextOptions context{};
  std::string quantize{};     ///< As in ModelOptions, for the memory needed.
  bool double_quant = false;  ///< The same.
};

/// What a problem is about.
enum class CheckPart : int32_t {
  file = 0,           ///< cannot be read, or is malformed
  architecture = 1,   ///< not named, or not known
  tokenizer = 2,      ///< its data is at fault, or of a kind that is not known
  parameters = 3,     ///< keys of the architecture
  tensors = 4,        ///< missing, of another shape, or of a type that this build does not run
  chat_template = 5,  ///< does not parse
  memory = 6,         ///< more is needed than there is
};

/// Short stable name of a part, e.g. "tensors". Static storage.
const char* check_part_name(CheckPart part) noexcept;

struct CheckProblem {
  CheckPart part = CheckPart::file;
  bool fatal = true;  ///< The model does not run because of it.
  Error error;
  std::string tensor;    ///< The tensor's name, where it is about one.
  bool missing = false;  ///< The file does not have that tensor.
};

/// Sizes in bytes.
struct CheckReport {
  bool opens = false;  ///< Model::open accepts the file.
  bool runs = false;   ///< And there is enough memory, as far as the system tells.
  std::string path;
  std::string format;        ///< "GGUF v3"; empty if the file could not be read.
  std::string architecture;  ///< As the file says.
  bool architecture_known = false;
  std::string tokenizer, pretokenizer;  ///< Kinds, as the file says.
  bool tokenizer_known = false;
  bool has_chat_template = false;
  std::string file_type;  ///< The commonest tensor type.
  std::string backend;    ///< What it would run on.

  std::vector<CheckProblem> problems;  ///< Fatal ones first, in the order in which opening meets them.
  uint64_t n_problems = 0;             ///< `problems` lists at most 64 tensors.

  uint64_t n_tensors = 0;
  std::vector<std::string> unused;  ///< Tensors that the architecture has no use for, at most 64 of them.
  uint64_t n_unused = 0;
  uint32_t n_skipped_layers = 0;  ///< Extra layers that predict further tokens, which are not used.
  uint64_t n_skipped = 0;         ///< Their tensors.

  uint32_t n_ctx = 0;            ///< What the memory is counted for, in tokens.
  uint64_t file_bytes = 0;       ///< Of all parts.
  uint64_t weight_bytes = 0;     ///< Memory of the prepared weights, beyond the mapped file.
  uint64_t cache_bytes = 0;      ///< Of a full context.
  uint64_t buffer_bytes = 0;     ///< Of the activations.
  uint64_t needed_bytes = 0;     ///< Their sum, and the file where it is not mapped. 0: could not be found out.
  uint64_t available_bytes = 0;  ///< 0: the system does not tell.
};

/// Goes as far as Model::open does before it takes memory, and does not stop at the first fault. Whatever is wrong with
/// the file is in the report; an error means that the check itself failed: options out of range, no memory.
Result<CheckReport> check_model(const std::string& path, const CheckOptions& options = {});

}  // namespace quern
