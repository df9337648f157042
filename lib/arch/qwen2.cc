// Qwen 1.5, 2 and 2.5 (Yang et al. 2024, arXiv 2407.10671 and 2412.15115): Llama's block with biases on queries, keys
// and values, and rotary pairs of halves. Source: GGUF key and tensor names.
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

}  // namespace quern::arch
