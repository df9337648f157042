// The vocabulary in which an architecture is written down: plain data that model/ reads its hyper-parameters and
// tensors with, and that the decoder walks. An architecture is one file of such data (llama.cc); registry.cc lists
// them.
//
// A new mechanism is a new enumerator here and a block in model/blocks; an architecture that recombines known
// mechanisms is a data file alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace quern::arch {

/// How activations are normalized: divided by their root mean square, or by their standard deviation about their mean,
/// which then may have a bias.
enum class Norm { rms, layer };

/// Which elements of a head rotary embedding turns together: (2i, 2i+1), or (i, i + n_rot/2); none where there is no
/// such embedding.
enum class Rope { interleaved, halves, none };

/// How tokens see each other. grouped: queries in groups share a key-value head. latent: keys and values are made of
/// one short vector per token, which is all that is cached (MLA).
enum class Attention { grouped, latent };

/// The feed-forward block, down(f(gate(x)) * up(x)): f is silu, or gelu in its approximation by tanh. clipped_swiglu:
/// gate and up are clipped and f is a steeper silu, of which compute::Glu tells all. gelu: there is no gate,
/// down(gelu(up(x))).
enum class Ffn { swiglu, geglu, clipped_swiglu, gelu };

/// Where a sliding window of w positions lies: the w last ones, the own included, or w / 2 to each side and the own.
enum class Window { behind, around };

/// What embeddings are multiplied by: nothing, or sqrt(embedding_length). A key embedding_scale in the file goes first.
enum class EmbeddingScale { none, sqrt_width };

/// How scores of experts become a choice. softmax: over all experts, before the choice; softmax_of_chosen: over the
/// chosen ones; sigmoid: of each. The order is that of the key expert_gating_func, from 1 on.
enum class Gating { none, softmax, sigmoid, softmax_of_chosen };

/// The hyper-parameters that files carry under "{architecture}....". Their keys, types, limits and defaults are one
/// table in model/key_table.cc; an architecture names those it has.
enum class Key : uint32_t {
  context_length,
  embedding_length,
  block_count,
  vocab_size,
  head_count,
  head_count_kv,
  key_length,
  value_length,
  feed_forward_length,
  key_length_full,
  value_length_full,
  key_length_local,
  value_length_local,
  q_rank,
  kv_rank,
  rms_eps,
  layer_norm_eps,
  activation,
  causal,
  pooling,
  dense_2_out,
  dense_3_in,
  embedding_scale,
  residual_scale,
  logit_scale,
  attention_scale,
  attention_temperature,
  attention_softcap,
  logit_softcap,
  sliding_window,
  sliding_window_pattern,
  shared_kv_layers,
  layer_input_length,
  expert_count,
  expert_used_count,
  expert_feed_forward_length,
  expert_shared_feed_forward_length,
  expert_shared_count,
  expert_group_count,
  expert_group_used_count,
  leading_dense_blocks,
  nextn_layers,
  expert_gating,
  expert_weights_norm,
  expert_weights_scale,
  rope_dimension_count,
  rope_dimension_count_local,
  rope_freq_base,
  rope_freq_base_local,
  rope_scaling_type,
  rope_scaling_factor,
  rope_scale_linear,
  rope_original_context,
  rope_attn_factor,
  yarn_ext_factor,
  yarn_attn_factor,
  yarn_beta_fast,
  yarn_beta_slow,
  yarn_log_multiplier,
  rope_sections,
  full_attention_interval,
  recurrent_layers,
  conv_kernel,
  state_size,
  inner_size,
  time_step_rank,
  group_count,
  count_,
};
inline constexpr size_t kKeys = static_cast<size_t>(Key::count_);

/// What stands in for a key that a file lacks, where an architecture has a custom of its own.
struct KeyDefault {
  Key key;
  double value;
};

/// A length that the hyper-parameters give, of the layer concerned: what the shapes of tensors are made of.
enum class Dim {
  zero,       ///< 0
  one,        ///< 1
  heads,      ///< head_count
  embd,       ///< embedding_length
  vocab,      ///< tokens of the vocabulary
  positions,  ///< context_length
  token_types,
  dense_2_out,
  dense_3_in,
  k_head,     ///< key_length, of the layer
  q,          ///< head_count * key_length, twice that where the output is gated
  k,          ///< head_count_kv * key_length
  v,          ///< head_count_kv * value_length
  q_k,        ///< q + k
  q_k_v,      ///< q + k + v
  attn,       ///< head_count * value_length: what attention hands on
  q_rank,     ///< q_lora_rank
  kv_rank,    ///< kv_lora_rank
  kv_latent,  ///< kv_rank + rope_dimension_count
  q_full,     ///< head_count * key_length_mla
  k_plain,    ///< key_length_mla - rope_dimension_count
  v_full,     ///< value_length_mla
  attn_full,  ///< head_count * value_length_mla
  kv_full,    ///< head_count * (k_plain + value_length_mla)
  ff,         ///< feed_forward_length
  ff_twice,   ///< 2 * feed_forward_length
  experts,    ///< expert_count
  ff_expert,  ///< expert_feed_forward_length
  ff_expert_twice,
  ff_shared,     ///< expert_shared_feed_forward_length
  half_rot,      ///< rope_dimension_count / 2
  delta_heads,   ///< ssm.time_step_rank: heads of the values of a gated delta net
  delta_v_head,  ///< ssm.inner_size / time_step_rank
  delta_v,       ///< ssm.inner_size
  delta_q_k_v,   ///< 2 * ssm.group_count * ssm.state_size + inner_size
  delta_rates,   ///< 2 * ssm.time_step_rank
  conv_taps,     ///< ssm.conv_kernel
  layer_input,   ///< embedding_length_per_layer_input
  layer_inputs,  ///< the same, of all layers
};

/// The places where tensors go. Those from `attn_norm` on exist once per layer. A post_norm normalizes what a block has
/// made before it is added, an end_norm the sum.
enum class Slot : uint32_t {
  token_embd,
  position_embd,
  token_types,
  token_norm,
  token_norm_bias,
  output_norm,
  output_norm_bias,
  dense_2,
  dense_3,
  output,
  output_bias,
  rope_freqs,
  rope_long,
  rope_short,
  layer_inputs_embd,
  layer_inputs_proj,
  layer_inputs_norm,
  attn_norm,
  attn_norm_bias,
  attn_q,
  attn_k,
  attn_v,
  attn_output,
  attn_q_bias,
  attn_k_bias,
  attn_v_bias,
  attn_output_bias,
  attn_q_norm,
  attn_k_norm,
  attn_sinks,
  attn_q_a,
  attn_q_a_norm,
  attn_q_b,
  attn_kv_a,
  attn_kv_a_norm,
  attn_k_b,
  attn_v_b,
  attn_kv_b,
  attn_post_norm,
  attn_end_norm,
  attn_end_norm_bias,
  delta_q_k_v,
  delta_gate,
  delta_decay,
  delta_decay_bias,
  delta_decay_rate,
  delta_rate,
  delta_rates,
  delta_taps,
  delta_norm,
  delta_output,
  ffn_norm,
  ffn_norm_bias,
  ffn_gate,
  ffn_up,
  ffn_down,
  ffn_gate_bias,
  ffn_up_bias,
  ffn_down_bias,
  ffn_post_norm,
  ffn_end_norm,
  ffn_end_norm_bias,
  router_norm,
  router,
  router_bias,
  router_choice_bias,
  experts_norm,
  experts_gate,
  experts_up,
  experts_down,
  experts_gate_bias,
  experts_up_bias,
  experts_down_bias,
  shared_router,
  shared_gate,
  shared_up,
  shared_down,
  dense_post_norm,
  experts_post_norm,
  layer_input_gate,
  layer_input_out,
  layer_input_post_norm,
  layer_scale,
  none,
};
inline constexpr size_t kSlots = static_cast<size_t>(Slot::none);
inline constexpr bool is_per_layer(Slot slot) { return slot >= Slot::attn_norm && slot < Slot::none; }

/// The place of a norm's bias, next to its weight; none for norms that never have one.
inline constexpr Slot bias_of(Slot norm) {
  constexpr Slot kNorms[] = {Slot::token_norm, Slot::output_norm,   Slot::attn_norm,
                             Slot::ffn_norm,   Slot::attn_end_norm, Slot::ffn_end_norm};
  for (const Slot with_bias : kNorms) {
    if (norm == with_bias) return static_cast<Slot>(static_cast<uint32_t>(norm) + 1);
  }
  return Slot::none;
}

/// What a tensor is used as, which decides the types it may have.
enum class Role {
  matrix,   ///< left side of a product: any format that this build runs; of each expert, where there are some
  table,    ///< rows are looked up by token: any such format
  vector,   ///< a norm weight or a bias: one row of F32 or F16
  factors,  ///< read by the host: one row of F32, finite and positive
  number,   ///< read by the host: one finite number of F32
};

/// Where the matrices of a layer's experts are.
enum class Experts {
  none,      ///< the tensor belongs to no expert
  stacked,   ///< one tensor for all, with the expert as its last dimension
  separate,  ///< a tensor each; the second "{}" of the name stands for the expert
  per_head,  ///< no experts: one matrix per query head, stacked in one tensor
};

/// Where there is a tensor: in layers with or without experts, that attend or are gated delta nets, with keys and
/// values of their own; in models with or without a rank of queries, whose latent attention caches the short vectors or
/// the keys and values made of them, or with inputs of their own for the layers.
enum class When {
  always,
  dense,
  with_experts,
  with_shared_expert,
  attends,
  delta_net,
  with_own_kv,
  with_q_rank,
  without_q_rank,
  with_short_cache,
  with_full_cache,
  with_layer_inputs,
};

/// The part of a tensor that a slot takes, where several share one: features [first, first + its own) of `of`. Features
/// are the rows of a matrix and the elements of a vector.
struct Part {
  Dim first = Dim::zero, of = Dim::zero;
  constexpr bool whole() const { return of == Dim::zero; }
};

/// One tensor: its name in the file ("{}" stands for the layer) and what must be true of it. A slot may be listed more
/// than once, for files that keep it in different ways: the first tensor that a file has is taken.
struct TensorSpec {
  Slot slot;
  const char* name;
  Role role;
  Dim cols, rows;
  bool optional = false;
  Slot stand_in = Slot::none;  ///< whose tensor serves where this one is absent (tied embeddings)
  Part part = {};
  Experts experts = Experts::none;
  When when = When::always;
};

struct ArchSpec {
  std::string_view name;  ///< general.architecture, and the prefix of the keys
  Norm norm;
  Rope rope;
  Attention attention;
  Ffn ffn;
  std::span<const Key> keys;
  std::span<const TensorSpec> tensors;
  std::span<const KeyDefault> defaults = {};

  EmbeddingScale embedding_scale = EmbeddingScale::none;
  /// Where there is a sliding window: every so many layers one sees everything, the last of them. 0: none does. The key
  /// sliding_window_pattern goes first.
  uint32_t full_layer_every = 0;
  bool full_layer_first = false;  ///< the first of so many, not the last
  Window window = Window::behind;
  /// Every so many layers one has no rotary embedding, the last of them. 0: all have it.
  uint32_t no_rope_every = 0;
  /// YaRN lets the scores grow, by the square of 1 + m ln(factor) with m the key yarn_log_multiplier, and not the
  /// rotated elements.
  bool yarn_scales_scores = false;
  /// Models of exactly so many layers scale scores by the width per head, embedding_length / head_count, in place of
  /// key_length. 0: none do.
  uint32_t scores_by_width_layers = 0;
  /// attn_q makes of every head its query and, behind it, as many numbers whose sigmoids multiply what the head hands
  /// on.
  bool output_gate = false;
  /// Gated delta nets: neighbouring heads of the values share one of the keys, and not those n_k_heads apart.
  bool delta_neighbours_share = false;
  /// Every head's values are normalized, without a weight. Where a layer has no tensor for values, keys are the values
  /// too, before they are normalized and rotated.
  bool normalized_values = false;
  /// Scores of experts are divided by sqrt(embedding_length).
  bool router_by_width = false;
};

/// The architecture of that name, or nullptr.
const ArchSpec* find_arch(std::string_view name);
/// All architectures, for listing.
std::span<const ArchSpec* const> architectures();

}  // namespace quern::arch
