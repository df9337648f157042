// Qwen 1.5, 2 and 2.5 (Yang et al. 2024, arXiv 2407.10671 and 2412.15115): Llama's block with biases on queries, keys
// and values, and rotary pairs of halves. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOutputBias = {optional(vector(Slot::output_bias, "output.bias", Dim::vocab))};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys);
constexpr auto kTensors = join(kEnds, kOutputBias, kAttention, kAttentionBias, kFfnNorm, kFfn);

}  // namespace

extern const ArchSpec kQwen2;
constinit const ArchSpec kQwen2 = {
    .name = "qwen2",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope);
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfAttention, kHfFfnNorm, kHfFfn, kHfBack);
constexpr auto kHfChecks = join(kHfSilu, std::array{HfCheck{"use_sliding_window", "false"}});

}  // namespace

extern const HfArch kHfQwen2;
constinit const HfArch kHfQwen2 = {
    .spec = &kQwen2,
    .classes = "Qwen2ForCausalLM|Qwen2Model",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
