// Ministral 3 and its kin (Mistral AI, 2025): Llama's block with YaRN, whose magnitude has a multiplier of its own, and
// queries that grow with the position, by 1 + scale * ln(1 + floor(position / original context)). Source: GGUF key and
// tensor names; the models' configuration.
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

}  // namespace quern::arch
