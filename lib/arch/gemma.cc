// Gemma 1 (Gemma Team 2024, arXiv 2403.08295): pre-norm blocks with halves as rotary pairs and GeGLU; embeddings are
// scaled by the root of their width and serve as the output too. The norms' weights are stored with one added.
// Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys);
constexpr auto kTensors = join(kEnds, kAttention, kFfnNorm, kFfn);

}  // namespace

extern const ArchSpec kGemma;
constinit const ArchSpec kGemma = {
    .name = "gemma",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::geglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .embedding_scale = EmbeddingScale::sqrt_width,
};

}  // namespace quern::arch
