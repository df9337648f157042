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

// ---- Keys ----

inline constexpr std::array kHfSizes = {
    integer("vocab_size", "vocab_size"),
    needed(integer("context_length", "max_position_embeddings")),
    needed(integer("embedding_length", "hidden_size")),
    needed(integer("block_count", "num_hidden_layers")),
    needed(integer("feed_forward_length", "intermediate_size")),
    needed(integer("attention.head_count", "num_attention_heads")),
    needed(integer("attention.head_count_kv", "num_key_value_heads|num_attention_heads")),
    integer("attention.key_length", "head_dim"),
    integer("attention.value_length", "head_dim"),
    HfKey{"pooling_type", HfType::integer, "", false, HfMake::pooling},
};
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

// ---- Checks ----

inline constexpr std::array kHfSilu = {HfCheck{"hidden_act", "silu|swish"}};
/// GELU by tanh. Old files say "gelu" and mean it.
inline constexpr std::array kHfGelu = {HfCheck{"hidden_activation", "gelu_pytorch_tanh"}};

}  // namespace quern::arch
