// gpt-oss (OpenAI 2025, arXiv 2508.10925): grouped-query attention with biases and a sink per head, a sliding window in
// every other layer, the first one included, and YaRN; every feed-forward block is a mixture of experts with biases and
// a clipped SwiGLU. A token's weights are the softmax over its chosen experts. The norm before the experts is called
// post_attention_norm. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window, Key::sliding_window_pattern, Key::expert_gating};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::expert_gating, static_cast<double>(Gating::softmax_of_chosen)}};

constexpr std::array kOwnTensors = {
    vector(Slot::attn_sinks, "blk.{}.attn_sinks.weight", Dim::heads),
    vector(Slot::ffn_norm, "blk.{}.post_attention_norm.weight", Dim::embd),
};
constexpr auto kTensors = join(kEnds, kAttention, kAttentionBias, kOwnTensors, kExperts, kExpertBias);

}  // namespace

extern const ArchSpec kGptOss;
constinit const ArchSpec kGptOss = {
    .name = "gpt-oss",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::clipped_swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .full_layer_every = 2,
};

namespace {

constexpr std::array kHfOwnKeys = {
    integer("expert_used_count", "num_experts_per_tok|experts_per_token"),
    integer("expert_feed_forward_length", "intermediate_size"),
};
constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope, kHfExpertCounts, kHfWindow, kHfWindows, kHfOwnKeys);

// Rows of gate and up by turns.
constexpr std::array kHfOwnTensors = {
    array("blk.{}.attn_sinks.weight", "{}.self_attn.sinks"),
    exact("blk.{}.ffn_gate_inp", "{}.mlp.router"),
    shaped(HfShape::inputs_first, linear("blk.{}.ffn_gate_exps", "{}.mlp.experts.gate_up_proj", HfRows::even)),
    shaped(HfShape::inputs_first, linear("blk.{}.ffn_up_exps", "{}.mlp.experts.gate_up_proj", HfRows::odd)),
    shaped(HfShape::inputs_first, linear("blk.{}.ffn_down_exps", "{}.mlp.experts.down_proj")),
    vectors("blk.{}.ffn_gate_exps.bias", "{}.mlp.experts.gate_up_proj_bias", HfRows::even),
    vectors("blk.{}.ffn_up_exps.bias", "{}.mlp.experts.gate_up_proj_bias", HfRows::odd),
    vectors("blk.{}.ffn_down_exps.bias", "{}.mlp.experts.down_proj_bias"),
};
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfAttention, kHfFfnNormAfter, kHfOwnTensors, kHfBack);
constexpr auto kHfChecks = join(kHfSilu, std::array{HfCheck{"swiglu_limit", "7"}});

}  // namespace

extern const HfArch kHfGptOss;
constinit const HfArch kHfGptOss = {
    .spec = &kGptOss,
    .classes = "GptOssForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
