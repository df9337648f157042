// Qwen 3 with experts (Yang et al. 2025, arXiv 2505.09388): Qwen 3's attention; every layer's feed-forward block is a
// mixture whose weights, the softmax over all experts, are made to sum up to one. Source: GGUF key and tensor names.
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

}  // namespace quern::arch
