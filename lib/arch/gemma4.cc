// Gemma 4 (Google DeepMind 2026): Gemma 3 whose layers without a sliding window have longer heads, fewer of keys and
// values, and rotary embedding with divisors, which leave most elements as they are; scores are not scaled, values are
// normalized, and each layer scales what it hands on. In the small models (E2B, E4B) every layer has inputs of its own
// for a token, and the last layers use keys and values of earlier ones. In 26B-A4B a mixture of experts stands beside
// the feed-forward block, with norms of its own. In the large models keys are the values too in layers without a
// window. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
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

namespace {

// Of layers with a sliding window: head_dim and num_key_value_heads, of others those with "global".
constexpr std::array kHfOwnKeys = {
    integer("attention.key_length", "global_head_dim|512"),
    integer("attention.value_length", "global_head_dim|512"),
    integer("attention.key_length_swa", "head_dim"),
    integer("attention.value_length_swa", "head_dim"),
    HfKey{"attention.head_count_kv", HfType::integer, "num_key_value_heads", true, HfMake::by_window,
          "num_global_key_value_heads"},
    HfKey{"feed_forward_length", HfType::integer, "intermediate_size", true, HfMake::twice_shared,
          "num_kv_shared_layers"},
    integer("attention.shared_kv_layers", "num_kv_shared_layers|0"),
    integer("embedding_length_per_layer_input", "hidden_size_per_layer_input|0"),
    needed(integer("attention.sliding_window", "sliding_window")),
    real("final_logit_softcapping", "final_logit_softcapping"),
    integer("rope.dimension_count", "global_head_dim|512"),
    integer("rope.dimension_count_swa", "head_dim*rope_parameters.sliding_attention.partial_rotary_factor|head_dim"),
    integer("expert_count", "num_experts"),
    integer("expert_used_count", "top_k_experts"),
    integer("expert_feed_forward_length", "moe_intermediate_size"),
};
constexpr auto kHfKeys = join(kHfOwnKeys, kHfSizes, kHfRmsNorm, kHfRopeBase, kHfGemmaWindows);

constexpr std::array kHfOwnTensors = {
    norm("blk.{}.post_ffw_norm_1", "{}.post_feedforward_layernorm_1"),
    norm("blk.{}.post_ffw_norm_2", "{}.post_feedforward_layernorm_2"),
    norm("blk.{}.pre_ffw_norm_2", "{}.pre_feedforward_layernorm_2"),
    array("blk.{}.layer_output_scale.weight", "{}.layer_scalar"),
    exact("blk.{}.ffn_gate_inp", "{}.router.proj"),
    array("blk.{}.ffn_gate_inp.scale", "{}.router.scale"),
    array("blk.{}.ffn_down_exps.scale", "{}.router.per_expert_scale"),
    linear("blk.{}.ffn_gate_up_exps", "{}.experts.gate_up_proj"),
    linear("blk.{}.ffn_down_exps", "{}.experts.down_proj"),
    linear("blk.{}.inp_gate", "{}.per_layer_input_gate"),
    linear("blk.{}.proj", "{}.per_layer_projection"),
    norm("blk.{}.post_norm", "{}.post_per_layer_input_norm"),
};
constexpr std::array kHfLayerInputs = {
    linear("per_layer_token_embd", "embed_tokens_per_layer"),
    linear("per_layer_model_proj", "per_layer_model_projection"),
    norm("per_layer_proj_norm", "per_layer_projection_norm"),
};
constexpr auto kHfTensors = join(kHfFront, kHfLayerInputs, kHfAttentionNorm, kHfAttention, kHfHeadNorms, kHfGemmaNorms,
                                 kHfFfn, kHfOwnTensors, kHfTiedBack);
constexpr auto kHfChecks = join(kHfGelu, std::array{HfCheck{"use_bidirectional_attention", "vision"}});

}  // namespace

extern const HfArch kHfGemma4;
constinit const HfArch kHfGemma4 = {
    .spec = &kGemma4,
    .classes = "Gemma4ForCausalLM|Gemma4ForConditionalGeneration|Gemma4UnifiedForConditionalGeneration",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
