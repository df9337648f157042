// Hyper-parameters: the numbers of a model, read from its metadata through one table of keys, types, limits and
// defaults. What comes out of here is consistent; no other code reads "{architecture}...." keys.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/base/status.h"
#include "lib/io/reader.h"

namespace quern::model {

enum class RopeScaling { none, linear, yarn };

/// Rotary embedding: base, and how angles are scaled for contexts longer than the training's first stage. See rope.h.
struct RopeParams {
  double base = 10000;
  RopeScaling scaling = RopeScaling::none;
  double factor = 1;                     ///< of the context length
  double original_context = 0;           ///< tokens, before scaling
  double attn_factor = 1;                ///< multiplies cosines and sines
  double ext_factor = 1;                 ///< YaRN: share of extrapolation, 0 ... 1
  double beta_fast = 32, beta_slow = 1;  ///< YaRN: rotations over the original context between which angles are mixed
};

struct LayerParams {
  uint32_t n_head = 0, n_head_kv = 0, n_ff = 0;
};

struct Hparams {
  uint32_t n_ctx_train = 0, n_embd = 0, n_layer = 0;
  uint32_t n_vocab = 0;     ///< of the tokenizer; set by whoever reads the vocabulary
  uint32_t vocab_size = 0;  ///< what the file's vocab_size key says; 0 where it has none
  uint32_t k_dim = 0, v_dim = 0, n_rot = 0;
  uint32_t sliding_window = 0;  ///< a token sees those less than this many positions before it; 0: all
  float rms_eps = 0;
  RopeParams rope;
  std::vector<LayerParams> layers;

  /// A length of this model: of `layer` where layers differ.
  uint64_t dim(arch::Dim dim, uint32_t layer) const;
  /// The largest such length of all layers.
  uint64_t max_dim(arch::Dim dim) const;
};

/// Reads and checks everything that `spec` lists. Errors name the key, what was expected and what was found.
Result<Hparams> read_hparams(const io::MetaTable& meta, const arch::ArchSpec& spec);

}  // namespace quern::model
