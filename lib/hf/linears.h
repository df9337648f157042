// The linear modules of a checkpoint's layers, for those who write checkpoints.
#pragma once

#include <string>
#include <vector>

#include "lib/arch/hf.h"
#include "lib/hf/checkpoint.h"

namespace quern::hf {

/// A module with a plain array NAME.weight of two dimensions, whose rows are output features.
struct LinearModule {
  std::string name;    ///< "model.layers.0.self_attn.q_proj"
  std::string tensor;  ///< what it becomes in a GGUF, or becomes a part of: "blk.0.attn_q.weight"
  bool exact = false;  ///< it is never quantized: routers
};

/// In the order of the checkpoint's arrays. Embeddings and the output are not among them.
std::vector<LinearModule> linear_modules(const Checkpoint& checkpoint, const arch::HfArch& table);

}  // namespace quern::hf
