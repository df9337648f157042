// Nomic Embed 1 and 1.5 (Nussbaum et al. 2024, arXiv 2402.01613): BERT with rotary embedding in place of embedded
// places and with a gated feed-forward block. Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, std::array{Key::layer_norm_eps});
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}};
constexpr auto kTensors = join(kTypedTokens, kAttentionWithoutNorm, kAttentionBias, kFfn, kEndNorms);

}  // namespace

extern const ArchSpec kNomicBert;
constinit const ArchSpec kNomicBert = {
    .name = "nomic-bert",
    .norm = Norm::layer,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

}  // namespace quern::arch
