// Quantizing: a model into another one whose weights take fewer bits.
#pragma once

#include <quern/callbacks.h>
#include <quern/evaluate.h>
#include <quern/result.h>
#include <quern/runtime.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quern {

/// The tensors whose names match a regular expression (anywhere in them) get a type of their own.
struct TensorTypeOverride {
  std::string pattern;  ///< Perl-compatible, e.g. "ffn_down|attn_v"
  std::string type;     ///< "Q6_K"
};

struct QuantizeOptions {
  /// By name, see quantization_types(): a mix of tensor types, which makes a GGUF file, or the form that another tool
  /// has for matrices, which makes a folder for that tool of a folder.
  std::string type = "Q4_K_M";
  /// Importance of the weights' inputs, as `quern imatrix` or llama-imatrix writes it; empty: all alike. Some types
  /// cannot be made well without.
  std::string imatrix{};
  /// How the levels of weights are chosen. "nearest": the nearest ones. "gptq": so that rounding errors cancel out in
  /// what the model computes from `calibration`, a text like those it will read; the blocks are ordinary ones. Takes
  /// the source model in memory, and about a gigabyte.
  std::string method = "nearest";
  std::string calibration{};                       ///< UTF-8; some tens of thousands of tokens.
  uint32_t calibration_ctx = 512;                  ///< It is read in pieces of so many tokens.
  uint32_t calibration_chunks = 0;                 ///< At most so many pieces; 0: all.
  std::vector<TensorTypeOverride> tensor_types{};  ///< The first that matches counts; goes before the mix.
  std::string output_tensor_type{};                ///< Of output.weight; empty: as the mix says.
  std::string token_embedding_type{};              ///< Of token_embd.weight; empty: as the mix says.
  /// Where one of these is given, the tensors' types are chosen for the least loss within this size, instead of by the
  /// mix (which still says which tensors are quantized at all). The loss of a tensor is measured: how far the model's
  /// predictions on `calibration` go from the source's with this tensor alone quantized. Takes a pass for each tensor.
  uint64_t target_size_bytes = 0;  ///< Of the file.
  double target_bpw = 0;           ///< Bits per weight, over all tensors.
  /// UTF-8. Where given, the new model and its source read it, and how far they are apart is told in the result and in
  /// the new file's metadata ("quern.quality.*"). Both are in memory then. Not together with keep_split.
  std::string report{};
  uint32_t report_chunks = 0;  ///< At most so many pieces of 512 tokens of it; 0: all.
  /// Of GPTQ_INT4: so many columns share a scale, a multiple of 32; and whether all zero points are in the middle,
  /// which some readers insist on, or fitted to the weights.
  uint32_t group_size = 128;
  bool symmetric = true;
  bool pure = false;                 ///< Every tensor in the mix's main type.
  bool leave_output_tensor = false;  ///< output.weight stays as it is.
  bool allow_requantize = false;     ///< Also from types that have lost precision before; otherwise an error.
  bool dry_run = false;              ///< Only say what would be done.
  bool keep_split = false;           ///< As many files as the source has; otherwise one.
  /// "key=type:value" with type int, float, bool or str: metadata of the new file.
  std::vector<std::string> override_kv{};
  /// Stage "quantize", in bytes of the source. Before it, where they are wanted, "load", "measure" (in tensors) for a
  /// size and "calibrate" (in tokens) for gptq; after it "compare" (in tokens) for a report.
  ProgressFn progress{};
  CancelToken cancel{};
};

struct QuantizedTensor {
  std::string name;
  std::vector<uint64_t> shape;  ///< GGUF order: input features first.
  std::string from, to;         ///< Types; equal where the tensor was copied.
  std::string reason;           ///< Why this type.
  std::string fallback;         ///< The type that the shape ruled out, or empty.
  uint64_t from_bytes = 0, to_bytes = 0;
};

struct QuantizeResult {
  std::vector<QuantizedTensor> tensors;
  uint64_t from_bytes = 0, to_bytes = 0;  ///< Of all tensors.
  double bits_per_weight = 0;             ///< Of the new file's tensors.
  std::vector<std::string> files;         ///< Written; empty after a dry run.
  std::optional<Comparison> quality;      ///< Where a report was asked for.
};

/// Writes `out` from `in`, a GGUF file or a Hugging Face folder, with the runtime's threads; a few megabytes of the
/// model are in memory at a time, and of GPTQ_INT4 the codes of a matrix. Where the type makes a folder, matrices of
/// the layers' linear modules are in the type's form; embeddings, output, norms and routers, the tokenizer and other
/// files are as they were, and config.json says so; `out` must not exist, or be an empty folder, and many of the
/// options, which speak of GGUF files, are refused. On any error and when cancelled `out` stays as it was.
/// Errc::argument for unknown types and keys, for a type that needs an importance matrix where there is none, for
/// sources that have lost precision; Errc::format for a damaged source or a weight that is not finite; Errc::io if the
/// file cannot be written.
Result<QuantizeResult> quantize(const Runtime& runtime, const std::string& in, const std::string& out,
                                const QuantizeOptions& options = {});

struct QuantizationType {
  std::string name;
  std::string description;
  double bits_per_weight = 0;  ///< Of an ordinary model of 8 billion weights; 0 where it keeps the source's types.
  bool needs_imatrix = false;
  bool makes_folder = false;  ///< Of a Hugging Face folder: a checkpoint for other tools, and no GGUF file.
};

/// The names that QuantizeOptions::type takes: those of files from few bits to many, then those of folders.
std::vector<QuantizationType> quantization_types();

}  // namespace quern
