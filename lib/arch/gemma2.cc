// Gemma 2 (Gemma Team 2024, arXiv 2408.00118): Gemma with norms after attention and feed-forward block as well, caps on
// the scores and on the logits, and a sliding window in every other layer, the first one included. The model of 27
// billion parameters (46 layers) scales its scores by the width per head. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window, Key::sliding_window_pattern, Key::attention_softcap,
                                 Key::logit_softcap};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {
    {Key::sliding_window, 4096}, {Key::attention_softcap, 50}, {Key::logit_softcap, 30}};
constexpr auto kTensors = join(kEnds, kAttention, kPostNorms, kFfnNorm, kFfn);

}  // namespace

extern const ArchSpec kGemma2;
constinit const ArchSpec kGemma2 = {
    .name = "gemma2",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::geglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .embedding_scale = EmbeddingScale::sqrt_width,
    .full_layer_every = 2,
    .scores_by_width_layers = 46,
};

namespace {

constexpr std::array kHfOwnKeys = {
    real("attn_logit_softcapping", "attn_logit_softcapping|0"),
    real("final_logit_softcapping", "final_logit_softcapping|0"),
};
constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope, kHfWindow, kHfOwnKeys);
constexpr auto kHfTensors =
    plus_one(join(kHfFront, kHfAttentionNorm, kHfAttention, kHfGemmaNorms, kHfFfn, kHfTiedBack));

}  // namespace

extern const HfArch kHfGemma2;
constinit const HfArch kHfGemma2 = {
    .spec = &kGemma2,
    .classes = "Gemma2ForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfGemmaChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
