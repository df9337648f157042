// MiniMax-M2 (MiniMax 2025): grouped-query attention with one norm over all heads of queries and one over those of
// keys, rotary embedding of half a head, and in every layer a mixture of experts chosen by sigmoids with a bias.
// Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::expert_gating};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::expert_gating, static_cast<double>(Gating::sigmoid)}};

constexpr auto kTensors = join(kEnds, kAttention, kRowNorms, kFfnNorm, kExperts, kChoiceBias);

}  // namespace

extern const ArchSpec kMiniMaxM2;
constinit const ArchSpec kMiniMaxM2 = {
    .name = "minimax-m2",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

}  // namespace quern::arch
