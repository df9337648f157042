// Qwen 3 with experts (Yang et al. 2025, arXiv 2505.09388): Qwen 3's attention; every layer's feed-forward block is a
// mixture whose weights, the softmax over all experts, are made to sum up to one. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys);
constexpr auto kTensors = join(kEnds, kAttention, kHeadNorms, kFfnNorm, kExperts);

}  // namespace

extern const ArchSpec kQwen3Moe;
constinit const ArchSpec kQwen3Moe = {
    .name = "qwen3moe",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope, kHfExpertCounts, kHfExpertLength);
constexpr auto kHfTensors =
    join(kHfFront, kHfAttentionNorm, kHfAttention, kHfHeadNorms, kHfFfnNorm, kHfExperts, kHfBack);
// Every layer has experts, and weights sum up to one.
constexpr auto kHfChecks =
    join(kHfSilu, std::array{HfCheck{"use_sliding_window", "false"}, HfCheck{"norm_topk_prob", "true"},
                             HfCheck{"decoder_sparse_step", "1"}, HfCheck{"mlp_only_layers", "[]"}});

}  // namespace

extern const HfArch kHfQwen3Moe;
constinit const HfArch kHfQwen3Moe = {
    .spec = &kQwen3Moe,
    .classes = "Qwen3MoeForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
