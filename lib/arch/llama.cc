// Llama 1 to 3 and what shares their shape (Mistral 7B, TinyLlama, SmolLM, ...): pre-norm blocks of grouped-query
// attention with interleaved rotary pairs, and SwiGLU. Source: Touvron et al. 2023 (arXiv 2302.13971, 2307.09288); GGUF
// key and tensor names.
//
// Where a file carries "llama.attention.sliding_window" (Mistral 7B v0.1 was trained with one of 4096), every layer
// keeps to it, as the model's authors do; llama.cpp attends to the whole context for this architecture.
#include "lib/arch/spec.h"

namespace quern::arch {
namespace {

constexpr Key kKeysRead[] = {
    Key::context_length,       Key::embedding_length,
    Key::block_count,          Key::vocab_size,
    Key::head_count,           Key::head_count_kv,
    Key::key_length,           Key::value_length,
    Key::feed_forward_length,  Key::rms_eps,
    Key::sliding_window,       Key::expert_count,
    Key::rope_dimension_count, Key::rope_freq_base,
    Key::rope_scaling_type,    Key::rope_scale_linear,
    Key::rope_scaling_factor,  Key::rope_original_context,
    Key::rope_attn_factor,     Key::yarn_ext_factor,
    Key::yarn_attn_factor,     Key::yarn_beta_fast,
    Key::yarn_beta_slow,
};

constexpr bool kOptional = true;
constexpr TensorSpec kTensors[] = {
    {Slot::token_embd, "token_embd.weight", Role::table, Dim::embd, Dim::vocab},
    {Slot::output_norm, "output_norm.weight", Role::vector, Dim::embd, Dim::one},
    {Slot::output, "output.weight", Role::matrix, Dim::embd, Dim::vocab, kOptional, Slot::token_embd},
    {Slot::rope_freqs, "rope_freqs.weight", Role::factors, Dim::half_rot, Dim::one, kOptional},

    {Slot::attn_norm, "blk.{}.attn_norm.weight", Role::vector, Dim::embd, Dim::one},
    {Slot::attn_q, "blk.{}.attn_q.weight", Role::matrix, Dim::embd, Dim::q},
    {Slot::attn_k, "blk.{}.attn_k.weight", Role::matrix, Dim::embd, Dim::k},
    {Slot::attn_v, "blk.{}.attn_v.weight", Role::matrix, Dim::embd, Dim::v},
    {Slot::attn_output, "blk.{}.attn_output.weight", Role::matrix, Dim::attn, Dim::embd},
    {Slot::attn_q_bias, "blk.{}.attn_q.bias", Role::vector, Dim::q, Dim::one, kOptional},
    {Slot::attn_k_bias, "blk.{}.attn_k.bias", Role::vector, Dim::k, Dim::one, kOptional},
    {Slot::attn_v_bias, "blk.{}.attn_v.bias", Role::vector, Dim::v, Dim::one, kOptional},
    {Slot::attn_output_bias, "blk.{}.attn_output.bias", Role::vector, Dim::embd, Dim::one, kOptional},

    {Slot::ffn_norm, "blk.{}.ffn_norm.weight", Role::vector, Dim::embd, Dim::one},
    {Slot::ffn_gate, "blk.{}.ffn_gate.weight", Role::matrix, Dim::embd, Dim::ff},
    {Slot::ffn_up, "blk.{}.ffn_up.weight", Role::matrix, Dim::embd, Dim::ff},
    {Slot::ffn_down, "blk.{}.ffn_down.weight", Role::matrix, Dim::ff, Dim::embd},
    {Slot::ffn_gate_bias, "blk.{}.ffn_gate.bias", Role::vector, Dim::ff, Dim::one, kOptional},
    {Slot::ffn_up_bias, "blk.{}.ffn_up.bias", Role::vector, Dim::ff, Dim::one, kOptional},
    {Slot::ffn_down_bias, "blk.{}.ffn_down.bias", Role::vector, Dim::embd, Dim::one, kOptional},
};

}  // namespace

extern const ArchSpec kLlama;
constinit const ArchSpec kLlama = {
    .name = "llama",
    .norm = Norm::rms,
    .rope = Rope::interleaved,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

}  // namespace quern::arch
