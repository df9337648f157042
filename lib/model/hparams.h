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
  double log_multiplier = 0;             ///< YaRN: divides the magnitude by 0.1 * this * ln(factor) + 1
};

/// Which rotary embedding a layer has.
enum class LayerRope { global, local, none };

/// How a layer lets tokens see each other: by attention over a cache, or by a state.
enum class LayerMixer { attention, delta_net };

struct LayerParams {
  LayerMixer mixer = LayerMixer::attention;
  uint32_t n_head = 0, n_head_kv = 0, n_ff = 0;
  uint32_t k_dim = 0, v_dim = 0;  ///< of a head
  uint32_t n_rot = 0;             ///< of these, elements that rotary embedding turns
  uint32_t kv_layer = 0;          ///< whose keys and values it sees: its own, or those of an earlier layer
  bool own_kv = true;             ///< they are its own
  float output_scale = 1;         ///< multiplies what it hands on; set by whoever reads the tensors
  bool windowed = false;          ///< sees the sliding window alone
  LayerRope rope = LayerRope::global;
  bool experts = false;  ///< a mixture in place of the feed-forward block
};

/// Latent attention: a head's key is made of kv_rank numbers and of n_rot rotated ones, which all heads share.
struct LatentParams {
  uint32_t q_rank = 0;            ///< 0: queries are made in one step
  uint32_t kv_rank = 0;           ///< 0: there is none
  uint32_t k_dim = 0, v_dim = 0;  ///< of a head, once made
  bool full_cache = false;        ///< the cache holds every head's keys and values, in place of what they are made of
};

/// Gated delta nets.
struct DeltaParams {
  uint32_t n_k_heads = 0, n_heads = 0;  ///< of queries and keys; of values. 0: there are none
  uint32_t k_dim = 0, v_dim = 0;        ///< of a head
  uint32_t n_taps = 0;                  ///< of the convolution, the present token's included
  uint64_t q_k_v() const { return uint64_t{2} * n_k_heads * k_dim + uint64_t{n_heads} * v_dim; }
};

/// Mixtures of experts.
struct ExpertParams {
  uint32_t n = 0, n_used = 0;  ///< of the model, and of one token
  uint32_t n_ff = 0;           ///< of one expert
  uint32_t n_ff_shared = 0;    ///< of the part that every token goes through; 0: there is none
  arch::Gating gating = arch::Gating::softmax;
  bool normalize = true;                     ///< a token's weights are made to sum up to one
  float scale = 1;                           ///< of the weights
  uint32_t n_groups = 1, n_groups_used = 1;  ///< experts are chosen from so many groups alone
};

struct Hparams {
  uint32_t n_ctx_train = 0, n_embd = 0, n_layer = 0;
  uint32_t n_layer_skipped = 0;              ///< behind these: layers that predict further tokens, which are not used
  uint32_t n_vocab = 0;                      ///< of the tokenizer; set by whoever reads the vocabulary
  uint32_t vocab_size = 0;                   ///< what the file's vocab_size key says; 0 where it has none
  uint32_t k_dim = 0, v_dim = 0, n_rot = 0;  ///< of layers without a sliding window
  uint32_t n_rot_local = 0;                  ///< of layers with LayerRope::local
  uint32_t n_layer_input = 0;                ///< every layer has an input of its own, of that length; 0: none has
  uint32_t sliding_window = 0;               ///< positions that a token sees in layers with a window, as arch::Window
                                             ///< says; 0: there are no such layers
  float rms_eps = 0, layer_norm_eps = 0;
  arch::Ffn ffn = arch::Ffn::swiglu;
  bool causal = true;                        ///< a token sees none that follow it; else it sees all of its text
  uint32_t pooling = 0;                      ///< how embeddings of tokens become one: the value of the key pooling_type
  uint32_t n_token_types = 2;                ///< set by whoever reads the vocabulary; 2 is BERT's
  uint32_t dense_2_out = 0, dense_3_in = 0;  ///< lengths between the projections of embeddings
  float embedding_scale = 1;                 ///< multiplies embeddings
  float residual_scale = 1;                  ///< multiplies what a block adds to the residual stream
  float logit_scale = 1;                     ///< multiplies logits
  float attention_scale = 1;                 ///< multiplies scores
  /// Where it is not 0, queries grow with their position p by 1 + this * ln(1 + floor(p / original context)).
  double attention_temperature = 0;
  float attention_softcap = 0, logit_softcap = 0;  ///< c * tanh(x / c) where > 0
  RopeParams rope;
  RopeParams rope_local;     ///< of layers with LayerRope::local
  bool output_gate = false;  ///< attention: queries come with a gate of what the head hands on
  LatentParams latent;
  DeltaParams delta;
  ExpertParams experts;
  std::vector<LayerParams> layers;

  /// A length of this model: of `layer` where layers differ.
  uint64_t dim(arch::Dim dim, uint32_t layer) const;
  /// The largest such length of all layers.
  uint64_t max_dim(arch::Dim dim) const;
};

/// Reads and checks everything that `spec` lists. Errors name the key, what was expected and what was found.
Result<Hparams> read_hparams(const io::MetaTable& meta, const arch::ArchSpec& spec);

}  // namespace quern::model
