// MiniMax-M2 (MiniMax 2025): grouped-query attention with one norm over all heads of queries and one over those of
// keys, rotary embedding of half a head, and in every layer a mixture of experts chosen by sigmoids with a bias.
// Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
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

namespace {

constexpr std::array kHfOwnKeys = {
    needed(integer("rope.dimension_count", "rotary_dim|head_dim*rope_parameters.partial_rotary_factor|head_dim")),
    integer("expert_feed_forward_length", "intermediate_size"),
    words("expert_gating_func", "scoring_func", "sigmoid=2"),
};
constexpr auto kHfKeys = join(kHfOwnKeys, kHfSizes, kHfRmsNorm, kHfRopeBase, kHfExpertCounts);
constexpr std::array kHfSparseChoiceBias = {
    array("blk.{}.exp_probs_b.bias", "{}.block_sparse_moe.e_score_correction_bias"),
    array("blk.{}.exp_probs_b.bias", "{}.mlp.e_score_correction_bias"),
};
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfAttention, kHfHeadNorms, kHfFfnNorm, kHfSparseExperts,
                                 kHfExperts, kHfSparseChoiceBias, kHfBack);
constexpr auto kHfChecks =
    join(kHfSilu, std::array{HfCheck{"qk_norm_type", "per_layer"}, HfCheck{"shared_intermediate_size", "0"}});

}  // namespace

extern const HfArch kHfMiniMaxM2;
constinit const HfArch kHfMiniMaxM2 = {
    .spec = &kMiniMaxM2,
    .classes = "MiniMaxM2ForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
