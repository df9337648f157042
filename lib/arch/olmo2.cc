// OLMo 2 and 3 (OLMo Team 2024, arXiv 2501.00656): norms after attention and feed-forward block in place of those
// before, and one over all heads of queries and of keys. OLMo 3 has three layers with a sliding window, whose rotary
// embedding is not scaled, then one that sees everything. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window, Key::sliding_window_pattern, Key::rope_freq_base_local};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kOwnKeys);

constexpr auto kTensors = join(kEnds, kAttentionWithoutNorm, kRowNorms, kPostNorms, kFfn);

}  // namespace

extern const ArchSpec kOlmo2;
constinit const ArchSpec kOlmo2 = {
    .name = "olmo2",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .full_layer_every = 4,
};

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope, kHfWindow, kHfWindows);
constexpr std::array kHfPostNorms = {
    norm("blk.{}.post_attention_norm", "{}.post_attention_layernorm"),
    norm("blk.{}.post_ffw_norm", "{}.post_feedforward_layernorm"),
};
constexpr auto kHfTensors = join(kHfFront, kHfAttention, kHfHeadNorms, kHfPostNorms, kHfFfn, kHfBack);

}  // namespace

extern const HfArch kHfOlmo2;
constinit const HfArch kHfOlmo2 = {
    .spec = &kOlmo2,
    .classes = "Olmo2ForCausalLM|Olmo3ForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
