// Qwen3-Next (Qwen team 2025): the layers that Qwen 3.5 has too, gated delta nets (Yang et al. 2024, arXiv 2412.06464)
// and, as every fourth, gated attention; mixtures of experts with one that every token goes through, weighted by a
// score of its own. Neighbouring heads of the values share one of the keys, and the numbers that decay and rate are
// made of come from one tensor: for each head of the keys the rates of its heads of the values, then their decays.
// Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
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

namespace {

constexpr std::array kHfSharedLength = {
    integer("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
    integer("feed_forward_length", "intermediate_size"),
};
constexpr auto kHfKeys =
    join(kHfSharedLength, kHfWidths, kHfRmsNorm, kHfDeltaKeys, kHfQuarterRope, kHfExpertCounts, kHfExpertLength);
// One matrix makes queries, keys, values and gates of one head of the keys after the other.
constexpr std::array kHfOwnDelta = {
    linear("blk.{}.attn_qkv", "{}.linear_attn.in_proj_qkvz", HfRows::delta_grouped_q_k_v),
    linear("blk.{}.attn_gate", "{}.linear_attn.in_proj_qkvz", HfRows::delta_grouped_gates),
    linear("blk.{}.ssm_ba", "{}.linear_attn.in_proj_ba"),
    array("blk.{}.ssm_conv1d.weight", "{}.linear_attn.conv1d.weight"),
    array("blk.{}.ssm_dt.bias", "{}.linear_attn.dt_bias"),
    minus_exp(array("blk.{}.ssm_a", "{}.linear_attn.A_log")),
    linear("blk.{}.ssm_out", "{}.linear_attn.out_proj"),
};
constexpr auto kHfTensors = join(kHfFront, kHfDeltaLayers, kHfOwnDelta, kHfExperts, kHfSharedExpert, kHfOneMoreBack);
constexpr auto kHfChecks =
    join(kHfSilu, std::array{HfCheck{"norm_topk_prob", "true"}, HfCheck{"decoder_sparse_step", "1"},
                             HfCheck{"mlp_only_layers", "[]"}});

}  // namespace

extern const HfArch kHfQwen3Next;
constinit const HfArch kHfQwen3Next = {
    .spec = &kQwen3Next,
    .classes = "Qwen3NextForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
