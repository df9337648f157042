// Ministral 3 and its kin (Mistral AI, 2025): Llama's block with YaRN, whose magnitude has a multiplier of its own, and
// queries that grow with the position, by 1 + scale * ln(1 + floor(position / original context)). Source: GGUF key and
// tensor names; the models' configuration.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::attention_scale, Key::attention_temperature, Key::yarn_log_multiplier};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr auto kTensors =
    join(kEnds, kRopeFreqs, kLongRope, kAttention, kAttentionBias, kFfnNorm, kFfn, kFfnBias, kExperts);

}  // namespace

extern const ArchSpec kMistral3;
constinit const ArchSpec kMistral3 = {
    .name = "mistral3",
    .norm = Norm::rms,
    .rope = Rope::interleaved,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

namespace {

constexpr std::array kHfOwnKeys = {
    real("rope.scaling.yarn_log_multiplier", "rope_parameters.mscale_all_dim|rope_scaling.mscale_all_dim"),
    real("attention.temperature_scale", "rope_parameters.llama_4_scaling_beta|rope_scaling.llama_4_scaling_beta"),
};
constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope, kHfOwnKeys);
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfPairedAttention, kHfFfnNorm, kHfFfn, kHfBack);
// No layer has a sliding window.
constexpr auto kHfChecks = join(kHfSilu, std::array{HfCheck{"sliding_window", "null"}});

}  // namespace

extern const HfArch kHfMistral3;
constinit const HfArch kHfMistral3 = {
    .spec = &kMistral3,
    .classes = "Ministral3ForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

// The class of those that see stands for the text models of Mistral Small 3.1 and 3.2 too, which are Llama's
// (llama.cc).
extern const HfArch kHfMistral3Seeing;
constinit const HfArch kHfMistral3Seeing = {
    .spec = &kMistral3,
    .classes = "Mistral3ForConditionalGeneration",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
    .where = {"text_config.model_type", "ministral3"},
};

}  // namespace quern::arch
