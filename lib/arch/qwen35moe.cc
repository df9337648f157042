// Qwen 3.5 and 3.6 with experts (Qwen team 2026): the layers of Qwen 3.5, whose feed-forward blocks are mixtures as in
// Qwen 3 and have one expert that every token goes through, weighted by a score of its own. Source: GGUF key and tensor
// names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::rope_sections, Key::nextn_layers, Key::attention_scale,
                                 Key::expert_shared_feed_forward_length};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kDeltaNetKeys, kOwnKeys);
// All layers have experts: files need not say how long another feed-forward block would be.
constexpr KeyDefault kDefaults[] = {{Key::full_attention_interval, 4}, {Key::feed_forward_length, 0}};

constexpr std::array kNorms = {
    vector(Slot::attn_norm, "blk.{}.attn_norm.weight", Dim::embd),
    vector(Slot::ffn_norm, "blk.{}.post_attention_norm.weight", Dim::embd),
};
constexpr auto kTensors = join(kEnds, kNorms, attends(join(kAttentionWithoutNorm, kHeadNorms)), kDeltaNetProducts,
                               kDeltaNetRates, kDeltaNetCore, kExperts, kSharedExpert, kSharedRouter);

}  // namespace

extern const ArchSpec kQwen35Moe;
constinit const ArchSpec kQwen35Moe = {
    .name = "qwen35moe",
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

constexpr std::array kHfSharedLength = {
    integer("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
    integer("feed_forward_length", "intermediate_size"),
};
constexpr auto kHfKeys =
    join(kHfSharedLength, kHfWidths, kHfRmsNorm, kHfDeltaKeys, kHfQuarterRope, kHfExpertCounts, kHfExpertLength);
constexpr auto kHfTensors =
    join(kHfFront, kHfDeltaLayers, kHfDeltaByHeads, kHfExperts, kHfSharedExpert, kHfOneMoreBack);
constexpr auto kHfChecks =
    join(kHfSilu, std::array{HfCheck{"attn_output_gate", "true"}, HfCheck{"norm_topk_prob", "true"},
                             HfCheck{"mlp_only_layers", "[]"}});

}  // namespace

extern const HfArch kHfQwen35Moe;
constinit const HfArch kHfQwen35Moe = {
    .spec = &kQwen35Moe,
    .classes = "Qwen3_5MoeForCausalLM|Qwen3_5MoeForConditionalGeneration",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
