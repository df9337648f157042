// Jina Embeddings 3 (Sturua et al. 2024, arXiv 2409.10173) with one of its adapters merged, or none: BERT with rotary
// embedding in place of embedded places. Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, std::array{Key::layer_norm_eps});
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}};
constexpr auto kTensors = join(kTypedTokens, kAttentionWithoutNorm, kAttentionBias, kPlainFfn, kFfnBias, kEndNorms);

}  // namespace

extern const ArchSpec kJinaBertV3;
constinit const ArchSpec kJinaBertV3 = {
    .name = "jina-bert-v3",
    .norm = Norm::layer,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::gelu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

}  // namespace quern::arch
