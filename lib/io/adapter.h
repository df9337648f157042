// Low-rank adapters, LoRA (Hu et al. 2021, arXiv 2106.09685), as their files hold them: for some weights W of a model
// two small matrices, so that W + scale * B A takes W's place. Neutral: made from a GGUF here, from a folder in PEFT's
// form by lib/hf.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "lib/io/reader.h"
#include "lib/tensor/view.h"

namespace quern::io {

/// What is added to one weight, or to the experts that are stacked in one.
struct LowRank {
  static constexpr int32_t kWhole = -1;

  std::string target;       ///< the name of the weight's tensor in a GGUF
  int32_t expert = kWhole;  ///< of a tensor that stacks experts: this one alone
  /// A: [inputs, rank], and with experts [inputs, rank, experts]. Of the table of embeddings a column of A is looked up
  /// by token, so it lies transposed: [rank, tokens].
  tensor::TensorView a;
  tensor::TensorView b;  ///< B: [rank, outputs], or [rank, outputs, experts]
  float scale = 1;       ///< of B A
  std::string a_name, b_name;

  uint64_t rank() const { return b.shape.cols(); }
};

struct AdapterFile {
  std::string path;
  std::string architecture;  ///< of the model that it is for, as GGUF names it; empty: the file does not say
  std::string name;          ///< of the adapter; may be empty
  float alpha = 0;           ///< the files' number from which, with the rank, the scales are
  std::vector<LowRank> parts;
  ModelFile file;  ///< keeps what the parts point to
};

/// The weight "token_embd.weight", of which rows are looked up.
bool is_looked_up(const LowRank& part);

/// Reads an opened GGUF: keys general.type "adapter", adapter.type "lora" and adapter.lora.alpha, tensors X.lora_a and
/// X.lora_b for the weight X. Errors name the file and the key or tensor.
Result<AdapterFile> read_gguf_adapter(ModelFile file);

}  // namespace quern::io
