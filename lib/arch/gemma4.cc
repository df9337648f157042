// Gemma 4 (Google DeepMind 2026): Gemma 3 whose layers without a sliding window have longer heads, fewer of keys and
// values, and rotary embedding with divisors, which leave most elements as they are; scores are not scaled, values are
// normalized, and each layer scales what it hands on. In the small models (E2B, E4B) every layer has inputs of its own
// for a token, and the last layers use keys and values of earlier ones. In 26B-A4B a mixture of experts stands beside
// the feed-forward block, with norms of its own. In the large models keys are the values too in layers without a
// window. Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {
    Key::key_length_local, Key::value_length_local, Key::sliding_window,       Key::sliding_window_pattern,
    Key::shared_kv_layers, Key::layer_input_length, Key::rope_freq_base_local, Key::rope_dimension_count_local,
    Key::logit_softcap,    Key::attention_scale,
};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::attention_scale, 1}, {Key::rope_freq_base_local, 10000}};

constexpr TensorSpec own(TensorSpec tensor) { return when(When::with_own_kv, tensor); }
constexpr std::array kOwnAttention = {
    vector(Slot::attn_norm, "blk.{}.attn_norm.weight", Dim::embd),
    matrix(Slot::attn_q, "blk.{}.attn_q.weight", Dim::embd, Dim::q),
    vector(Slot::attn_q_norm, "blk.{}.attn_q_norm.weight", Dim::k_head),
    own(matrix(Slot::attn_k, "blk.{}.attn_k.weight", Dim::embd, Dim::k)),
    own(vector(Slot::attn_k_norm, "blk.{}.attn_k_norm.weight", Dim::k_head)),
    own(optional(matrix(Slot::attn_v, "blk.{}.attn_v.weight", Dim::embd, Dim::v))),
    matrix(Slot::attn_output, "blk.{}.attn_output.weight", Dim::attn, Dim::embd),
    number(Slot::layer_scale, "blk.{}.layer_output_scale.weight"),
};

constexpr std::array kDense = {
    matrix(Slot::ffn_gate, "blk.{}.ffn_gate.weight", Dim::embd, Dim::ff),
    matrix(Slot::ffn_up, "blk.{}.ffn_up.weight", Dim::embd, Dim::ff),
    matrix(Slot::ffn_down, "blk.{}.ffn_down.weight", Dim::ff, Dim::embd),
};
constexpr std::array kExpertNorms = {
    beside_experts(vector(Slot::router_norm, "blk.{}.ffn_gate_inp.scale", Dim::embd)),
    beside_experts(vector(Slot::experts_norm, "blk.{}.pre_ffw_norm_2.weight", Dim::embd)),
    beside_experts(vector(Slot::dense_post_norm, "blk.{}.post_ffw_norm_1.weight", Dim::embd)),
    beside_experts(vector(Slot::experts_post_norm, "blk.{}.post_ffw_norm_2.weight", Dim::embd)),
};

constexpr TensorSpec input(TensorSpec tensor) { return when(When::with_layer_inputs, tensor); }
constexpr std::array kLayerInputs = {
    input({Slot::layer_inputs_embd, "per_layer_token_embd.weight", Role::table, Dim::layer_inputs, Dim::vocab}),
    input(matrix(Slot::layer_inputs_proj, "per_layer_model_proj.weight", Dim::embd, Dim::layer_inputs)),
    input(vector(Slot::layer_inputs_norm, "per_layer_proj_norm.weight", Dim::layer_input)),
    input(matrix(Slot::layer_input_gate, "blk.{}.inp_gate.weight", Dim::embd, Dim::layer_input)),
    input(matrix(Slot::layer_input_out, "blk.{}.proj.weight", Dim::layer_input, Dim::embd)),
    input(vector(Slot::layer_input_post_norm, "blk.{}.post_norm.weight", Dim::embd)),
};
constexpr auto kTensors =
    join(kEnds, kRopeFreqs, kOwnAttention, kPostNorms, kFfnNorm, kDense, kExperts, kExpertNorms, kLayerInputs);

}  // namespace

extern const ArchSpec kGemma4;
constinit const ArchSpec kGemma4 = {
    .name = "gemma4",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::geglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .embedding_scale = EmbeddingScale::sqrt_width,
    .full_layer_every = 6,
    .normalized_values = true,
    .router_by_width = true,
};

}  // namespace quern::arch
