// Qwen 3 (Yang et al. 2025, arXiv 2505.09388): Qwen 2 without biases, and with a norm on every head of queries and keys
// before they are rotated. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys);
constexpr auto kTensors = join(kEnds, kAttention, kHeadNorms, kFfnNorm, kFfn);

}  // namespace

extern const ArchSpec kQwen3;
constinit const ArchSpec kQwen3 = {
    .name = "qwen3",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope);
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfAttention, kHfHeadNorms, kHfFfnNorm, kHfFfn, kHfBack);
constexpr auto kHfChecks = join(kHfSilu, std::array{HfCheck{"use_sliding_window", "false"}});

}  // namespace

extern const HfArch kHfQwen3;
constinit const HfArch kHfQwen3 = {
    .spec = &kQwen3,
    .classes = "Qwen3ForCausalLM|Qwen3Model",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
