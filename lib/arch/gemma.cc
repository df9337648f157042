// Gemma 1 (Gemma Team 2024, arXiv 2403.08295): pre-norm blocks with halves as rotary pairs and GeGLU; embeddings are
// scaled by the root of their width and serve as the output too. The norms' weights are stored with one added.
// Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
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

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope);
constexpr auto kHfTensors = plus_one(join(kHfFront, kHfAttentionNorm, kHfAttention, kHfFfnNorm, kHfFfn, kHfTiedBack));

}  // namespace

extern const HfArch kHfGemma;
constinit const HfArch kHfGemma = {
    .spec = &kGemma,
    .classes = "GemmaForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfGelu,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
