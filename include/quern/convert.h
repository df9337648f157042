// Converting: a Hugging Face folder, or a model file, into a GGUF file.
#pragma once

#include <quern/callbacks.h>
#include <quern/quantize.h>
#include <quern/result.h>
#include <quern/runtime.h>

#include <cstdint>
#include <string>
#include <vector>

namespace quern {

/// An adapter by its path, and how much of it counts.
struct MergedAdapter {
  std::string path;
  float scale = 1;
};

struct ConvertOptions {
  /// Of the weights: "f32", "f16", "bf16", "q8_0" or any other name that QuantizeOptions::type takes, or "auto": F16 or
  /// BF16, whichever the source's first matrix of 16 bits is in, else F16. Norms, biases and routers become F32.
  std::string type = "auto";
  /// Weights that are quantized already keep their very numbers where GGUF has a type for them (MXFP4, NVFP4, 4-bit
  /// GPTQ with symmetric groups, ...), and become `type` where it has none. With this they all become `type`.
  bool dequantize = false;
  /// Weights that are quantized already may become a quantized type of less than 8 bits; otherwise that is an error.
  bool allow_requantize = false;
  std::string imatrix{};           ///< As in QuantizeOptions.
  std::string model_name{};        ///< general.name; empty: the source's.
  bool vocab_only = false;         ///< Metadata and tokenizer, no tensors.
  bool dry_run = false;            ///< Only say what would be done.
  uint64_t split_max_bytes = 0;    ///< Several files, of at most so many bytes of tensors each. 0: one file.
  uint64_t split_max_tensors = 0;  ///< Several files, of at most so many tensors each. 0: one file.
  /// Low-rank adapters to add to the weights: GGUF files or PEFT folders. Changed weights become `type`, also those of
  /// sources that are quantized already.
  std::vector<MergedAdapter> adapters{};
  /// "key=type:value" with type int, float, bool or str: metadata of the new file.
  std::vector<std::string> override_kv{};
  ProgressFn progress{};  ///< Stage "quantize", in bytes of the source.
  CancelToken cancel{};
};

/// Writes `out`, a GGUF file, from `in`, a Hugging Face folder (config.json, safetensors, tokenizer) or a GGUF file,
/// with the runtime's threads; a few megabytes of the model are in memory at a time. On any error and when cancelled
/// `out` stays as it was. Errors are those of quantize().
Result<QuantizeResult> convert_model(const Runtime& runtime, const std::string& in, const std::string& out,
                                     const ConvertOptions& options = {});

}  // namespace quern
