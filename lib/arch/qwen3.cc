// Qwen 3 (Yang et al. 2025, arXiv 2505.09388): Qwen 2 without biases, and with a norm on every head of queries and keys
// before they are rotated. Source: GGUF key and tensor names.
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

}  // namespace quern::arch
