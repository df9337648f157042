// GLM-4-0414 (Zhipu AI 2025; GLM Team 2024, arXiv 2406.12793): biases on queries, keys and values, rotary embedding of
// half a head, norms after attention and feed-forward block as well, gate and up in one tensor. Source: GGUF key and
// tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys);

constexpr auto kTensors = join(kEnds, kAttention, kAttentionBias, kPostNorms, kFfnNorm, kFusedFfn);

}  // namespace

extern const ArchSpec kGlm4;
constinit const ArchSpec kGlm4 = {
    .name = "glm4",
    .norm = Norm::rms,
    .rope = Rope::interleaved,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfPartialRope);
// Neighbouring elements are rotated together in transformers too.
constexpr std::array kHfPostNorms = {
    norm("blk.{}.post_attention_norm", "{}.post_self_attn_layernorm"),
    norm("blk.{}.post_ffw_norm", "{}.post_mlp_layernorm"),
};
constexpr auto kHfTensors =
    join(kHfFront, kHfAttentionNorm, kHfAttention, kHfPostNorms, kHfFfnNorm, kHfFusedFfn, kHfBack);

}  // namespace

extern const HfArch kHfGlm4;
constinit const HfArch kHfGlm4 = {
    .spec = &kGlm4,
    .classes = "Glm4ForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
