// Qwen3-Next (Qwen team 2025): the layers that Qwen 3.5 has too, gated delta nets (Yang et al. 2024, arXiv 2412.06464)
// and, as every fourth, gated attention; mixtures of experts with one that every token goes through, weighted by a
// score of its own. Neighbouring heads of the values share one of the keys, and the numbers that decay and rate are
// made of come from one tensor: for each head of the keys the rates of its heads of the values, then their decays.
// Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::attention_scale, Key::expert_shared_feed_forward_length};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kDeltaNetKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::full_attention_interval, 4}, {Key::feed_forward_length, 0}};

constexpr std::array kOwnTensors = {
    vector(Slot::attn_norm, "blk.{}.attn_norm.weight", Dim::embd),
    vector(Slot::ffn_norm, "blk.{}.post_attention_norm.weight", Dim::embd),
    delta_net(matrix(Slot::delta_rates, "blk.{}.ssm_ba.weight", Dim::embd, Dim::delta_rates)),
};
constexpr auto kTensors = join(kEnds, kOwnTensors, attends(join(kAttentionWithoutNorm, kHeadNorms)), kDeltaNetProducts,
                               kDeltaNetCore, kExperts, kSharedExpert, kSharedRouter);

}  // namespace

extern const ArchSpec kQwen3Next;
constinit const ArchSpec kQwen3Next = {
    .name = "qwen3next",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .output_gate = true,
    .delta_neighbours_share = true,
};

}  // namespace quern::arch
