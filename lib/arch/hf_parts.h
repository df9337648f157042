// What the Hugging Face tables of many architectures share. Names of modules and fields are those of transformers.
#pragma once

#include <array>
#include <string_view>

#include "lib/arch/hf.h"
#include "lib/arch/parts.h"

namespace quern::arch {

// Tensors in words: linear("blk.{}.attn_q", "{}.self_attn.q_proj"), pairs(..., heads).
constexpr HfTensor linear(const char* name, const char* source, HfRows rows = HfRows::all) {
  return {name, source, HfForm::linear, rows};
}
constexpr HfTensor exact(const char* name, const char* source) { return {name, source, HfForm::exact}; }
constexpr HfTensor norm(const char* name, const char* source) { return {name, source, HfForm::norm}; }
constexpr HfTensor array(const char* name, const char* source, HfRows rows = HfRows::all) {
  return {name, source, HfForm::array, rows};
}
constexpr HfTensor vectors(const char* name, const char* source, HfRows rows = HfRows::all) {
  return {name, source, HfForm::vectors, rows};
}
constexpr HfTensor pairs(const char* name, const char* source, const char* count) {
  return {name, source, HfForm::linear, HfRows::rotary_pairs, count};
}
constexpr HfTensor shaped(HfShape shape, HfTensor tensor) {
  tensor.shape = shape;
  return tensor;
}
/// Norms whose weight is stored without the one that is added to it.
template <size_t kSize>
constexpr auto plus_one(std::array<HfTensor, kSize> tensors) {
  for (HfTensor& tensor : tensors) {
    if (tensor.form == HfForm::norm) tensor.value = HfValue::plus_one;
  }
  return tensors;
}

// Keys in words.
constexpr HfKey integer(const char* name, const char* from) { return {name, HfType::integer, from}; }
constexpr HfKey real(const char* name, const char* from) { return {name, HfType::real, from}; }
constexpr HfKey flag(const char* name, const char* from) { return {name, HfType::flag, from}; }
constexpr HfKey needed(HfKey key) {
  key.needed = true;
  return key;
}
constexpr HfKey words(const char* name, const char* from, const char* all) {
  return {name, HfType::integer, from, false, HfMake::words, all};
}

/// Where the model proper is: alone, below a head, or as a part of one that sees.
inline constexpr std::string_view kHfPrefixes[] = {"model.", "model.language_model.", "language_model.model.", ""};

/// Arrays that say nothing about a text model, or nothing that is not known without them.
inline constexpr std::array<std::string_view, 20> kHfIgnored = {
    "*rotary_emb.inv_freq", "*.rotary_emb.cos_cached", "*.rotary_emb.sin_cached", "*position_ids",
    // what sees and hears, and what joins that to the text model
    "*vision_tower.*", "*vision_model.*", "*vision_encoder.*", "*visual.*", "*audio_tower.*", "*embed_vision.*",
    "*embed_audio.*", "*multi_modal_projector.*", "*patch_merger.*",
    // layers that predict further tokens
    "mtp.*", "model.mtp.*",
    // scales of activations and of caches
    "*.input_scale", "*.input_global_scale", "*.activation_scale", "*.k_scale", "*.v_scale"};

/// Of an encoder besides: heads that predict masked tokens, and BERT's pooler.
inline constexpr auto kHfIgnoredHeads =
    join(kHfIgnored, std::array<std::string_view, 8>{"*pooler.*", "cls.*", "lm_head.*", "head.*", "decoder.*",
                                                     "*.parametrizations.weight.0.lora_*", "vocab_*", "generator_*"});

// ---- Tensors ----

inline constexpr std::array kHfFront = {linear("token_embd", "embed_tokens")};
inline constexpr std::array kHfBack = {
    norm("output_norm", "norm"),
    linear("output", "/lm_head"),
    linear("output", "/language_model.lm_head"),
};

/// Of those whose embeddings always serve as the output, or that have none.
inline constexpr std::array kHfTiedBack = {norm("output_norm", "norm")};

inline constexpr std::array kHfAttentionNorm = {norm("blk.{}.attn_norm", "{}.input_layernorm")};
inline constexpr std::array kHfFfnNorm = {norm("blk.{}.ffn_norm", "{}.post_attention_layernorm")};
/// The same by the name that some architectures have for it.
inline constexpr std::array kHfFfnNormAfter = {norm("blk.{}.post_attention_norm", "{}.post_attention_layernorm")};

inline constexpr std::array kHfAttentionOutput = {linear("blk.{}.attn_output", "{}.self_attn.o_proj")};
inline constexpr auto kHfAttention = join(
    std::array{
        linear("blk.{}.attn_q", "{}.self_attn.q_proj"),
        linear("blk.{}.attn_k", "{}.self_attn.k_proj"),
        linear("blk.{}.attn_v", "{}.self_attn.v_proj"),
    },
    kHfAttentionOutput);
/// For Rope::interleaved.
inline constexpr auto kHfPairedAttention = join(
    std::array{
        pairs("blk.{}.attn_q", "{}.self_attn.q_proj", "attention.head_count"),
        pairs("blk.{}.attn_k", "{}.self_attn.k_proj", "attention.head_count_kv"),
        linear("blk.{}.attn_v", "{}.self_attn.v_proj"),
    },
    kHfAttentionOutput);
inline constexpr std::array kHfHeadNorms = {
    norm("blk.{}.attn_q_norm", "{}.self_attn.q_norm"),
    norm("blk.{}.attn_k_norm", "{}.self_attn.k_norm"),
};

inline constexpr std::array kHfFfn = {
    linear("blk.{}.ffn_gate", "{}.mlp.gate_proj"),
    linear("blk.{}.ffn_up", "{}.mlp.up_proj"),
    linear("blk.{}.ffn_down", "{}.mlp.down_proj"),
};
inline constexpr std::array kHfFusedFfn = {
    linear("blk.{}.ffn_up", "{}.mlp.gate_up_proj"),
    linear("blk.{}.ffn_down", "{}.mlp.down_proj"),
};

/// Gemma's norms around the feed-forward block and behind attention.
inline constexpr std::array kHfGemmaNorms = {
    norm("blk.{}.post_attention_norm", "{}.post_attention_layernorm"),
    norm("blk.{}.ffn_norm", "{}.pre_feedforward_layernorm"),
    norm("blk.{}.post_ffw_norm", "{}.post_feedforward_layernorm"),
};

/// Experts one by one, or gate and up of all of them in one array, the gate first.
inline constexpr std::array kHfExperts = {
    exact("blk.{}.ffn_gate_inp", "{}.mlp.gate"),
    linear("blk.{}.ffn_gate_exps", "{}.mlp.experts.{}.gate_proj"),
    linear("blk.{}.ffn_up_exps", "{}.mlp.experts.{}.up_proj"),
    linear("blk.{}.ffn_down_exps", "{}.mlp.experts.{}.down_proj"),
    linear("blk.{}.ffn_gate_exps", "{}.mlp.experts.gate_up_proj", HfRows::first_half),
    linear("blk.{}.ffn_up_exps", "{}.mlp.experts.gate_up_proj", HfRows::second_half),
    linear("blk.{}.ffn_down_exps", "{}.mlp.experts.down_proj"),
};
/// Mixtral's.
inline constexpr std::array kHfSparseExperts = {
    exact("blk.{}.ffn_gate_inp", "{}.block_sparse_moe.gate"),
    linear("blk.{}.ffn_gate_exps", "{}.block_sparse_moe.experts.{}.w1"),
    linear("blk.{}.ffn_up_exps", "{}.block_sparse_moe.experts.{}.w3"),
    linear("blk.{}.ffn_down_exps", "{}.block_sparse_moe.experts.{}.w2"),
};
/// By the names of transformers 5.
inline constexpr std::array kHfSharedExperts = {
    linear("blk.{}.ffn_gate_shexp", "{}.mlp.shared_experts.gate_proj"),
    linear("blk.{}.ffn_up_shexp", "{}.mlp.shared_experts.up_proj"),
    linear("blk.{}.ffn_down_shexp", "{}.mlp.shared_experts.down_proj"),
};
inline constexpr std::array kHfSharedExpert = {
    exact("blk.{}.ffn_gate_inp_shexp", "{}.mlp.shared_expert_gate"),
    linear("blk.{}.ffn_gate_shexp", "{}.mlp.shared_expert.gate_proj"),
    linear("blk.{}.ffn_up_shexp", "{}.mlp.shared_expert.up_proj"),
    linear("blk.{}.ffn_down_shexp", "{}.mlp.shared_expert.down_proj"),
};

/// What is added to the experts' weights for the choice alone.
inline constexpr std::array kHfChoiceBias = {array("blk.{}.exp_probs_b.bias", "{}.mlp.gate.e_score_correction_bias")};

constexpr HfTensor minus_exp(HfTensor tensor) {
  tensor.value = HfValue::minus_exp;
  return tensor;
}
/// Layers of which some attend and others are gated delta nets: norms and attention. To all but the delta nets' norms
/// one is added.
inline constexpr auto kHfDeltaLayers = join(plus_one(join(kHfAttentionNorm, kHfFfnNormAfter, kHfHeadNorms)),
                                            kHfAttention, std::array{norm("blk.{}.ssm_norm", "{}.linear_attn.norm")});
inline constexpr auto kHfOneMoreBack = plus_one(kHfBack);
/// Delta nets with a matrix for each product of the input.
inline constexpr std::array kHfDeltaByHeads = {
    linear("blk.{}.attn_qkv", "{}.linear_attn.in_proj_qkv", HfRows::delta_q_k_values),
    linear("blk.{}.attn_gate", "{}.linear_attn.in_proj_z", HfRows::delta_values),
    array("blk.{}.ssm_conv1d.weight", "{}.linear_attn.conv1d.weight", HfRows::delta_q_k_values),
    array("blk.{}.ssm_dt.bias", "{}.linear_attn.dt_bias", HfRows::delta_values),
    minus_exp(array("blk.{}.ssm_a", "{}.linear_attn.A_log", HfRows::delta_values)),
    linear("blk.{}.ssm_beta", "{}.linear_attn.in_proj_b", HfRows::delta_values),
    linear("blk.{}.ssm_alpha", "{}.linear_attn.in_proj_a", HfRows::delta_values),
    shaped(HfShape::delta_value_columns, linear("blk.{}.ssm_out", "{}.linear_attn.out_proj")),
};

// ---- Keys ----

inline constexpr std::array kHfWidths = {
    integer("vocab_size", "vocab_size"),
    needed(integer("context_length", "max_position_embeddings")),
    needed(integer("embedding_length", "hidden_size")),
    needed(integer("block_count", "num_hidden_layers")),
    needed(integer("attention.head_count", "num_attention_heads")),
    needed(integer("attention.head_count_kv", "num_key_value_heads|num_attention_heads")),
    integer("attention.key_length", "head_dim"),
    integer("attention.value_length", "head_dim"),
    HfKey{"pooling_type", HfType::integer, "", false, HfMake::pooling},
};
inline constexpr auto kHfSizes =
    join(kHfWidths, std::array{needed(integer("feed_forward_length", "intermediate_size"))});
inline constexpr std::array kHfRmsNorm = {needed(real("attention.layer_norm_rms_epsilon", "rms_norm_eps"))};

/// Where the base of rotary embedding is; the last for layers without a sliding window.
#define QUERN_HF_ROPE_THETA "rope_theta|rope_parameters.rope_theta|rope_parameters.full_attention.rope_theta"
inline constexpr std::array kHfRopeBase = {real("rope.freq_base", QUERN_HF_ROPE_THETA "|10000")};
/// Heads are turned as a whole.
inline constexpr auto kHfRope =
    join(kHfRopeBase, std::array{needed(integer("rope.dimension_count", "head_dim|hidden_size/num_attention_heads"))});
/// Only some of their elements are.
inline constexpr auto kHfPartialRope =
    join(kHfRopeBase,
         std::array{needed(integer("rope.dimension_count",
                                   "head_dim*partial_rotary_factor|head_dim*rope_parameters.partial_rotary_factor|"
                                   "hidden_size/num_attention_heads*partial_rotary_factor|"
                                   "hidden_size/num_attention_heads*rope_parameters.partial_rotary_factor|"
                                   "head_dim|hidden_size/num_attention_heads"))});

inline constexpr std::array kHfExpertCounts = {
    integer("expert_count", "num_local_experts|num_experts|n_routed_experts"),
    integer("expert_used_count", "num_experts_per_tok"),
};
inline constexpr std::array kHfExpertLength = {integer("expert_feed_forward_length", "moe_intermediate_size")};

inline constexpr std::array kHfWindow = {integer("attention.sliding_window", "sliding_window")};
inline constexpr std::array kHfWindows = {HfKey{"attention.sliding_window_pattern", HfType::flag, "layer_types", false,
                                                HfMake::layer_words, "sliding_attention=1|full_attention=0"}};

/// A window in five layers of six, with a base of its own.
inline constexpr auto kHfGemmaWindows =
    join(kHfWindows,
         std::array{
             integer("attention.sliding_window_pattern", "sliding_window_pattern|_sliding_window_pattern"),
             real("rope.freq_base_swa", "rope_local_base_freq|rope_parameters.sliding_attention.rope_theta|10000"),
         });

/// How the chosen experts' weights are made.
inline constexpr std::array kHfRoutedExperts = {
    integer("expert_shared_count", "n_shared_experts"),
    real("expert_weights_scale", "routed_scaling_factor"),
    flag("expert_weights_norm", "norm_topk_prob"),
    words("expert_gating_func", "scoring_func|topk_method", "softmax=1|sigmoid=2|noaux_tc=2|greedy=1"),
};
inline constexpr std::array kHfExpertGroups = {
    integer("expert_group_count", "n_group"),
    integer("expert_group_used_count", "topk_group"),
};

inline constexpr std::array kHfDeltaKeys = {
    integer("full_attention_interval", "full_attention_interval|4"),
    HfKey{"attention.recurrent_layers", HfType::flag, "layer_types", false, HfMake::layer_words,
          "linear_attention=1|full_attention=0"},
    needed(integer("ssm.conv_kernel", "linear_conv_kernel_dim")),
    needed(integer("ssm.state_size", "linear_key_head_dim")),
    needed(integer("ssm.group_count", "linear_num_key_heads")),
    needed(integer("ssm.time_step_rank", "linear_num_value_heads")),
    needed(integer("ssm.inner_size", "linear_value_head_dim*linear_num_value_heads")),
};
/// A quarter of each head is turned where nothing else is said.
inline constexpr auto kHfQuarterRope = join(
    kHfRopeBase,
    std::array{
        needed(integer("rope.dimension_count",
                       "head_dim*rope_parameters.partial_rotary_factor|head_dim*partial_rotary_factor|head_dim*0.25")),
        HfKey{"rope.dimension_sections", HfType::integer, "rope_parameters.mrope_section|rope_scaling.mrope_section",
              false, HfMake::sections},
    });

/// Of BERT and its kin.
inline constexpr std::array kHfLayerNorm = {needed(real("attention.layer_norm_epsilon", "layer_norm_eps"))};
inline constexpr std::array kHfEncoderKeys = {
    flag("attention.causal", "0"),
    integer("tokenizer.ggml.token_type_count", "type_vocab_size|2"),
};

// ---- Checks ----

inline constexpr std::array kHfSilu = {HfCheck{"hidden_act", "silu|swish"}};
/// GELU by tanh. Old files say "gelu" and mean it.
inline constexpr std::array kHfGelu = {HfCheck{"hidden_activation", "gelu_pytorch_tanh"}};
/// Scores are divided by the root of a head's length, or of the width per head.
inline constexpr auto kHfGemmaChecks =
    join(kHfGelu, std::array{HfCheck{"query_pre_attn_scalar", "=head_dim|=hidden_size/num_attention_heads"}});

}  // namespace quern::arch
