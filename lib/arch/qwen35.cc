// Qwen 3.5 and 3.6 (Qwen team 2026): of every four layers three are gated delta nets (Yang et al. 2024, arXiv
// 2412.06464) and the last attends, with norms on heads, an output gate and rotary embedding of part of each head. The
// norm before the feed-forward block is called post_attention_norm. Positions have several axes, along which those of
// text are all the same: with text alone this is ordinary rotary embedding. Layers that predict further tokens are not
// used. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::rope_sections, Key::nextn_layers, Key::attention_scale};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kDeltaNetKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::full_attention_interval, 4}};

constexpr std::array kNorms = {
    vector(Slot::attn_norm, "blk.{}.attn_norm.weight", Dim::embd),
    vector(Slot::ffn_norm, "blk.{}.post_attention_norm.weight", Dim::embd),
};
constexpr auto kTensors = join(kEnds, kNorms, attends(join(kAttentionWithoutNorm, kHeadNorms)), kDeltaNetProducts,
                               kDeltaNetRates, kDeltaNetCore, kFfn);

}  // namespace

extern const ArchSpec kQwen35;
constinit const ArchSpec kQwen35 = {
    .name = "qwen35",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .output_gate = true,
};

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfDeltaKeys, kHfQuarterRope);
constexpr auto kHfTensors = join(kHfFront, kHfDeltaLayers, kHfDeltaByHeads, kHfFfn, kHfOneMoreBack);
constexpr auto kHfChecks = join(kHfSilu, std::array{HfCheck{"attn_output_gate", "true"}});

}  // namespace

extern const HfArch kHfQwen35;
constinit const HfArch kHfQwen35 = {
    .spec = &kQwen35,
    .classes = "Qwen3_5ForCausalLM|Qwen3_5ForConditionalGeneration",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
