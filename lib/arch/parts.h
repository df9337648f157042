// The keys and tensors that many architectures share, and how lists of them are joined.
#pragma once

#include <array>
#include <cstddef>

#include "lib/arch/spec.h"

namespace quern::arch {

/// The elements of some arrays, one array behind the other.
template <typename T, size_t... kSizes>
constexpr auto join(const std::array<T, kSizes>&... arrays) {
  std::array<T, (kSizes + ...)> out{};
  size_t i = 0;
  const auto append = [&](const auto& array) {
    for (const T& element : array) out[i++] = element;
  };
  (append(arrays), ...);
  return out;
}

// Tensors in words: matrix(...), optional(vector(...)), part(matrix(...), first, of).
constexpr TensorSpec matrix(Slot slot, const char* name, Dim cols, Dim rows) {
  return {slot, name, Role::matrix, cols, rows};
}
constexpr TensorSpec vector(Slot slot, const char* name, Dim cols) {
  return {slot, name, Role::vector, cols, Dim::one};
}
constexpr TensorSpec factors(Slot slot, const char* name) {
  return {slot, name, Role::factors, Dim::half_rot, Dim::one, true};
}
constexpr TensorSpec number(Slot slot, const char* name) {
  return {slot, name, Role::number, Dim::one, Dim::one, true};
}
constexpr TensorSpec optional(TensorSpec tensor) {
  tensor.optional = true;
  return tensor;
}
constexpr TensorSpec part(TensorSpec tensor, Dim first, Dim of) {
  tensor.part = {first, of};
  return tensor;
}
constexpr TensorSpec when(When condition, TensorSpec tensor) {
  tensor.when = condition;
  return tensor;
}
constexpr TensorSpec dense(TensorSpec tensor) { return when(When::dense, tensor); }
constexpr TensorSpec beside_experts(TensorSpec tensor) { return when(When::with_experts, tensor); }
constexpr TensorSpec shared(TensorSpec tensor) { return when(When::with_shared_expert, tensor); }
constexpr TensorSpec per_head(TensorSpec tensor) {
  tensor.experts = Experts::per_head;
  return tensor;
}
constexpr TensorSpec stacked(TensorSpec tensor) {
  tensor.experts = Experts::stacked;
  return beside_experts(tensor);
}
constexpr TensorSpec separate(TensorSpec tensor) {
  tensor.experts = Experts::separate;
  return beside_experts(tensor);
}

constexpr TensorSpec delta_net(TensorSpec tensor) { return when(When::delta_net, tensor); }
/// All of them, in layers that attend.
template <size_t kSize>
constexpr auto attends(std::array<TensorSpec, kSize> tensors) {
  for (TensorSpec& tensor : tensors) tensor.when = When::attends;
  return tensors;
}

/// Sizes, heads and the norm's epsilon.
inline constexpr std::array kSizeKeys = {
    Key::context_length,      Key::embedding_length, Key::block_count, Key::vocab_size,
    Key::head_count,          Key::head_count_kv,    Key::key_length,  Key::value_length,
    Key::feed_forward_length, Key::rms_eps,          Key::causal,      Key::pooling,
};

/// Rotary embedding, and how it is scaled.
inline constexpr std::array kRopeKeys = {
    Key::rope_dimension_count, Key::rope_freq_base,        Key::rope_scaling_type, Key::rope_scale_linear,
    Key::rope_scaling_factor,  Key::rope_original_context, Key::rope_attn_factor,  Key::yarn_ext_factor,
    Key::yarn_attn_factor,     Key::yarn_beta_fast,        Key::yarn_beta_slow,
};

/// Mixtures of experts.
inline constexpr std::array kExpertKeys = {
    Key::expert_count,
    Key::expert_used_count,
    Key::expert_weights_scale,
    Key::expert_feed_forward_length,
};

/// Gated delta nets, and which layers are such.
inline constexpr std::array kDeltaNetKeys = {
    Key::full_attention_interval, Key::recurrent_layers, Key::conv_kernel, Key::state_size, Key::inner_size,
    Key::time_step_rank,          Key::group_count,
};

/// Embeddings and the output, which may be tied.
inline constexpr std::array kEnds = {
    TensorSpec{Slot::token_embd, "token_embd.weight", Role::table, Dim::embd, Dim::vocab},
    vector(Slot::output_norm, "output_norm.weight", Dim::embd),
    TensorSpec{Slot::output, "output.weight", Role::matrix, Dim::embd, Dim::vocab, true, Slot::token_embd},
};

/// A norm's weight and its bias.
constexpr std::array<TensorSpec, 2> norm_with_bias(Slot slot, const char* weight, const char* bias) {
  return {vector(slot, weight, Dim::embd), vector(bias_of(slot), bias, Dim::embd)};
}

/// What encoders begin with: tokens, and BERT's kinds of sentences, of which only the first is used.
inline constexpr auto kTypedTokens = join(
    std::array{
        TensorSpec{Slot::token_embd, "token_embd.weight", Role::table, Dim::embd, Dim::vocab},
        optional(TensorSpec{Slot::token_types, "token_types.weight", Role::table, Dim::embd, Dim::token_types}),
    },
    norm_with_bias(Slot::token_norm, "token_embd_norm.weight", "token_embd_norm.bias"));

/// BERT's norms, which are those of the sums of a block's input and output.
inline constexpr auto kEndNorms =
    join(norm_with_bias(Slot::attn_end_norm, "blk.{}.attn_output_norm.weight", "blk.{}.attn_output_norm.bias"),
         norm_with_bias(Slot::ffn_end_norm, "blk.{}.layer_output_norm.weight", "blk.{}.layer_output_norm.bias"));

/// Llama 3 divides the frequencies of rotary embedding.
inline constexpr std::array kRopeFreqs = {factors(Slot::rope_freqs, "rope_freqs.weight")};

/// LongRoPE has divisors for long contexts and for short ones.
inline constexpr std::array kLongRope = {
    factors(Slot::rope_long, "rope_factors_long.weight"),
    factors(Slot::rope_short, "rope_factors_short.weight"),
};

/// Queries, keys and values are a tensor each or one for all.
inline constexpr std::array kAttentionWithoutNorm = {
    matrix(Slot::attn_q, "blk.{}.attn_q.weight", Dim::embd, Dim::q),
    matrix(Slot::attn_k, "blk.{}.attn_k.weight", Dim::embd, Dim::k),
    matrix(Slot::attn_v, "blk.{}.attn_v.weight", Dim::embd, Dim::v),
    part(matrix(Slot::attn_q, "blk.{}.attn_qkv.weight", Dim::embd, Dim::q), Dim::zero, Dim::q_k_v),
    part(matrix(Slot::attn_k, "blk.{}.attn_qkv.weight", Dim::embd, Dim::k), Dim::q, Dim::q_k_v),
    part(matrix(Slot::attn_v, "blk.{}.attn_qkv.weight", Dim::embd, Dim::v), Dim::q_k, Dim::q_k_v),
    matrix(Slot::attn_output, "blk.{}.attn_output.weight", Dim::attn, Dim::embd),
};

inline constexpr auto kAttention =
    join(std::array{vector(Slot::attn_norm, "blk.{}.attn_norm.weight", Dim::embd)}, kAttentionWithoutNorm);

inline constexpr std::array kAttentionBias = {
    optional(vector(Slot::attn_q_bias, "blk.{}.attn_q.bias", Dim::q)),
    optional(vector(Slot::attn_k_bias, "blk.{}.attn_k.bias", Dim::k)),
    optional(vector(Slot::attn_v_bias, "blk.{}.attn_v.bias", Dim::v)),
    optional(part(vector(Slot::attn_q_bias, "blk.{}.attn_qkv.bias", Dim::q), Dim::zero, Dim::q_k_v)),
    optional(part(vector(Slot::attn_k_bias, "blk.{}.attn_qkv.bias", Dim::k), Dim::q, Dim::q_k_v)),
    optional(part(vector(Slot::attn_v_bias, "blk.{}.attn_qkv.bias", Dim::v), Dim::q_k, Dim::q_k_v)),
    optional(vector(Slot::attn_output_bias, "blk.{}.attn_output.bias", Dim::embd)),
};

/// Norms of the single heads of queries and keys.
inline constexpr std::array kHeadNorms = {
    vector(Slot::attn_q_norm, "blk.{}.attn_q_norm.weight", Dim::k_head),
    vector(Slot::attn_k_norm, "blk.{}.attn_k_norm.weight", Dim::k_head),
};

/// Norms of queries and keys, over all heads.
inline constexpr std::array kRowNorms = {
    vector(Slot::attn_q_norm, "blk.{}.attn_q_norm.weight", Dim::q),
    vector(Slot::attn_k_norm, "blk.{}.attn_k_norm.weight", Dim::k),
};

/// Gated delta nets: everything but their products of the input.
inline constexpr std::array kDeltaNetCore = {
    delta_net(TensorSpec{Slot::delta_taps, "blk.{}.ssm_conv1d.weight", Role::vector, Dim::conv_taps, Dim::delta_q_k_v}),
    delta_net(vector(Slot::delta_decay_bias, "blk.{}.ssm_dt.bias", Dim::delta_heads)),
    delta_net(vector(Slot::delta_decay_rate, "blk.{}.ssm_a", Dim::delta_heads)),
    delta_net(vector(Slot::delta_norm, "blk.{}.ssm_norm.weight", Dim::delta_v_head)),
    delta_net(matrix(Slot::delta_output, "blk.{}.ssm_out.weight", Dim::delta_v, Dim::embd)),
};
inline constexpr std::array kDeltaNetProducts = {
    delta_net(matrix(Slot::delta_q_k_v, "blk.{}.attn_qkv.weight", Dim::embd, Dim::delta_q_k_v)),
    delta_net(matrix(Slot::delta_gate, "blk.{}.attn_gate.weight", Dim::embd, Dim::delta_v)),
};
inline constexpr std::array kDeltaNetRates = {
    delta_net(matrix(Slot::delta_decay, "blk.{}.ssm_alpha.weight", Dim::embd, Dim::delta_heads)),
    delta_net(matrix(Slot::delta_rate, "blk.{}.ssm_beta.weight", Dim::embd, Dim::delta_heads)),
};

/// Norms of what attention and the feed-forward block hand on.
inline constexpr std::array kPostNorms = {
    vector(Slot::attn_post_norm, "blk.{}.post_attention_norm.weight", Dim::embd),
    vector(Slot::ffn_post_norm, "blk.{}.post_ffw_norm.weight", Dim::embd),
};

inline constexpr std::array kFfnNorm = {vector(Slot::ffn_norm, "blk.{}.ffn_norm.weight", Dim::embd)};

/// The feed-forward block of layers without experts.
inline constexpr std::array kFfn = {
    dense(matrix(Slot::ffn_gate, "blk.{}.ffn_gate.weight", Dim::embd, Dim::ff)),
    dense(matrix(Slot::ffn_up, "blk.{}.ffn_up.weight", Dim::embd, Dim::ff)),
    dense(matrix(Slot::ffn_down, "blk.{}.ffn_down.weight", Dim::ff, Dim::embd)),
};

/// The same with gate and up in one tensor, the gate first.
inline constexpr std::array kFusedFfn = {
    dense(part(matrix(Slot::ffn_gate, "blk.{}.ffn_up.weight", Dim::embd, Dim::ff), Dim::zero, Dim::ff_twice)),
    dense(part(matrix(Slot::ffn_up, "blk.{}.ffn_up.weight", Dim::embd, Dim::ff), Dim::ff, Dim::ff_twice)),
    dense(matrix(Slot::ffn_down, "blk.{}.ffn_down.weight", Dim::ff, Dim::embd)),
};

/// The same without a gate.
inline constexpr std::array kPlainFfn = {
    dense(matrix(Slot::ffn_up, "blk.{}.ffn_up.weight", Dim::embd, Dim::ff)),
    dense(matrix(Slot::ffn_down, "blk.{}.ffn_down.weight", Dim::ff, Dim::embd)),
};

inline constexpr std::array kFfnBias = {
    optional(dense(vector(Slot::ffn_gate_bias, "blk.{}.ffn_gate.bias", Dim::ff))),
    optional(dense(vector(Slot::ffn_up_bias, "blk.{}.ffn_up.bias", Dim::ff))),
    optional(dense(vector(Slot::ffn_down_bias, "blk.{}.ffn_down.bias", Dim::embd))),
};

/// Experts and their router; gate and up may be one tensor, the gate first.
inline constexpr std::array kExperts = {
    beside_experts(matrix(Slot::router, "blk.{}.ffn_gate_inp.weight", Dim::embd, Dim::experts)),
    stacked(matrix(Slot::experts_gate, "blk.{}.ffn_gate_exps.weight", Dim::embd, Dim::ff_expert)),
    stacked(matrix(Slot::experts_up, "blk.{}.ffn_up_exps.weight", Dim::embd, Dim::ff_expert)),
    stacked(part(matrix(Slot::experts_gate, "blk.{}.ffn_gate_up_exps.weight", Dim::embd, Dim::ff_expert), Dim::zero,
                 Dim::ff_expert_twice)),
    stacked(part(matrix(Slot::experts_up, "blk.{}.ffn_gate_up_exps.weight", Dim::embd, Dim::ff_expert), Dim::ff_expert,
                 Dim::ff_expert_twice)),
    stacked(matrix(Slot::experts_down, "blk.{}.ffn_down_exps.weight", Dim::ff_expert, Dim::embd)),
};

inline constexpr std::array kExpertBias = {
    optional(beside_experts(vector(Slot::router_bias, "blk.{}.ffn_gate_inp.bias", Dim::experts))),
    optional(stacked(vector(Slot::experts_gate_bias, "blk.{}.ffn_gate_exps.bias", Dim::ff_expert))),
    optional(stacked(vector(Slot::experts_up_bias, "blk.{}.ffn_up_exps.bias", Dim::ff_expert))),
    optional(stacked(vector(Slot::experts_down_bias, "blk.{}.ffn_down_exps.bias", Dim::embd))),
};

/// What is added to the experts' weights for the choice alone.
inline constexpr std::array kChoiceBias = {
    optional(beside_experts(vector(Slot::router_choice_bias, "blk.{}.exp_probs_b.bias", Dim::experts))),
};

/// Experts as files of early 2024 have them: a tensor each.
inline constexpr std::array kSeparateExperts = {
    separate(matrix(Slot::experts_gate, "blk.{}.ffn_gate.{}.weight", Dim::embd, Dim::ff_expert)),
    separate(matrix(Slot::experts_up, "blk.{}.ffn_up.{}.weight", Dim::embd, Dim::ff_expert)),
    separate(matrix(Slot::experts_down, "blk.{}.ffn_down.{}.weight", Dim::ff_expert, Dim::embd)),
};

/// The expert that every token goes through, where there is one.
inline constexpr std::array kSharedExpert = {
    shared(matrix(Slot::shared_gate, "blk.{}.ffn_gate_shexp.weight", Dim::embd, Dim::ff_shared)),
    shared(matrix(Slot::shared_up, "blk.{}.ffn_up_shexp.weight", Dim::embd, Dim::ff_shared)),
    shared(matrix(Slot::shared_down, "blk.{}.ffn_down_shexp.weight", Dim::ff_shared, Dim::embd)),
};

/// How much of it counts, as the score whose sigmoid that is.
inline constexpr std::array kSharedRouter = {
    shared(matrix(Slot::shared_router, "blk.{}.ffn_gate_inp_shexp.weight", Dim::embd, Dim::one)),
};

}  // namespace quern::arch
