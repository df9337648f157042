// The activations of a forward pass: one buffer, sized once for the longest pass, cut into matrices.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/model/hparams.h"

namespace quern::model {

class Workspace {
 public:
  /// For passes of up to n_rows tokens.
  static Result<Workspace> create(compute::Backend& backend, const Hparams& hparams, uint32_t n_rows,
                                  bool with_logits = true);
  /// The memory that create() takes.
  static uint64_t needed_bytes(const Hparams& hparams, uint32_t n_rows, bool with_logits = true);

  /// A region cut into rows of that many floats.
  struct Region {
    compute::Buffer* buffer = nullptr;
    uint64_t offset = 0;
    uint32_t max_rows = 0, max_cols = 0;
    compute::Mat mat(uint32_t rows, uint64_t cols) const {
      const auto c = static_cast<uint32_t>(cols);
      return {buffer, offset, rows, c, c};
    }
  };

  uint32_t n_rows() const { return x.max_rows; }

  Region x;                       ///< the residual stream, [n_embd]
  Region picked;                  ///< the residual stream of the rows that are asked for, [n_embd]
  Region norm;                    ///< the input of a block, then its output, [n_embd]
  Region q, k, v;                 ///< of the layer; in a gated delta net all three, before their convolution
  Region attn;                    ///< what attention, or a gated delta net, hands on
  Region decay, rate;             ///< gated delta nets: [heads]
  Region q_rank, full_heads;      ///< latent attention: queries on their way, then values. Gated: queries alone
  Region latent;                  ///< latent attention: what keys and values are made of, where these are cached
  Region heads;                   ///< latent attention: [heads], their numbers
  Region gate, up;                ///< [n_ff], or as many rows of experts as a token has. Gated delta nets: the gate
                                  ///< of the output; queries, keys and values
  Region cos_sin, cos_sin_local;  ///< [n_rot]
  Region cos_sin_picked, cos_sin_local_picked;  ///< [n_rot]
  Region layer_inputs, layer_inputs_picked;     ///< [n_layer * n_layer_input]
  Region warmth, warmth_picked;                 ///< [1]: factors of the queries, where they depend on the position
  Region scores;                                ///< [experts]
  Region chosen, chosen_weights;                ///< [experts of a token]
  Region expert_out;                            ///< [n_embd], as many rows as a token has experts
  Region shared, shared_score;  ///< what the shared expert adds, [n_embd], and how much of it counts, [1]
  Region logits;                ///< [n_vocab], fewer rows: logits are computed some rows at a time

  /// On the host: rotary tables and other numbers before their upload.
  std::vector<float> host;

 private:
  /// Cuts the regions; returns the floats of the buffer, and the regions for it.
  static uint64_t cut_regions(Workspace& ws, const Hparams& hparams, uint32_t n_rows, bool with_logits,
                              std::vector<Region*>& regions);
  static uint64_t host_floats(const Hparams& hparams, uint32_t n_rows);
  std::unique_ptr<compute::Buffer> buffer_;
};

}  // namespace quern::model
