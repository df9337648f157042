// Gemma 3 (Gemma Team 2025, arXiv 2503.19786): Gemma 2 with a norm on every head of queries and keys in place of the
// cap on scores. Five layers with a sliding window, then one that sees everything; those with a window have a rotary
// base of their own, and theirs is not scaled. The model of 27 billion parameters (62 layers) scales its scores by the
// width per head. Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window, Key::sliding_window_pattern, Key::rope_freq_base_local,
                                 Key::logit_softcap};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::rope_freq_base_local, 10000}};
constexpr auto kTensors = join(kEnds, kAttention, kHeadNorms, kPostNorms, kFfnNorm, kFfn);

}  // namespace

extern const ArchSpec kGemma3;
constinit const ArchSpec kGemma3 = {
    .name = "gemma3",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::geglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .embedding_scale = EmbeddingScale::sqrt_width,
    .full_layer_every = 6,
    .scores_by_width_layers = 62,
};

}  // namespace quern::arch
