// SmolLM3 (Hugging Face, 2025): Llama's block; every fourth layer has no rotary embedding. Source: GGUF key and tensor
// names; Yang et al. 2025 (arXiv 2501.18795) for the mix of layers.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::attention_scale};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kOwnKeys);
constexpr auto kTensors = join(kEnds, kAttention, kAttentionBias, kFfnNorm, kFfn, kFfnBias);

}  // namespace

extern const ArchSpec kSmolLm3;
constinit const ArchSpec kSmolLm3 = {
    .name = "smollm3",
    .norm = Norm::rms,
    .rope = Rope::interleaved,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .no_rope_every = 4,
};

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope);
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfPairedAttention, kHfFfnNorm, kHfFfn, kHfBack);
constexpr auto kHfChecks =
    join(kHfSilu, std::array{HfCheck{"no_rope_layer_interval", "4"}, HfCheck{"use_sliding_window", "false"}});

}  // namespace

extern const HfArch kHfSmolLm3;
constinit const HfArch kHfSmolLm3 = {
    .spec = &kSmolLm3,
    .classes = "SmolLM3ForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
