// GLM-4.5 to 4.7 (Zhipu AI 2025, arXiv 2508.06471): grouped-query attention with biases and, in the largest model,
// norms on heads; some layers with a plain feed-forward block, then mixtures of experts chosen by sigmoids with a bias,
// and one that every token goes through. The layers that predict further tokens are not used. The norm before the
// feed-forward block is called post_attention_norm. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::expert_gating, Key::expert_weights_norm, Key::expert_shared_count,
                                 Key::leading_dense_blocks, Key::nextn_layers};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::expert_gating, static_cast<double>(Gating::sigmoid)},
                                    {Key::expert_weights_norm, 0}};

constexpr std::array kNorms = {
    vector(Slot::ffn_norm, "blk.{}.post_attention_norm.weight", Dim::embd),
    optional(vector(Slot::attn_q_norm, "blk.{}.attn_q_norm.weight", Dim::k_head)),
    optional(vector(Slot::attn_k_norm, "blk.{}.attn_k_norm.weight", Dim::k_head)),
};
constexpr auto kTensors = join(kEnds, kAttention, kAttentionBias, kNorms, kFfn, kExperts, kChoiceBias, kSharedExpert);

}  // namespace

extern const ArchSpec kGlm4Moe;
constinit const ArchSpec kGlm4Moe = {
    .name = "glm4moe",
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
    needed(integer("block_count", "num_hidden_layers+num_nextn_predict_layers|num_hidden_layers")),
    integer("expert_gating_func", "2"),
    integer("nextn_predict_layers", "num_nextn_predict_layers"),
    integer("leading_dense_block_count", "first_k_dense_replace"),
};
constexpr auto kHfKeys =
    join(kHfOwnKeys, kHfSizes, kHfRmsNorm, kHfPartialRope, kHfExpertCounts, kHfExpertLength, kHfRoutedExperts);
// Layers that predict further tokens stand behind the others.
constexpr std::array kHfNextLayers = {
    linear("blk.{}.nextn.eh_proj", "{}.eh_proj"),
    linear("blk.{}.nextn.embed_tokens", "{}.embed_tokens"),
    norm("blk.{}.nextn.enorm", "{}.enorm"),
    norm("blk.{}.nextn.hnorm", "{}.hnorm"),
    linear("blk.{}.nextn.shared_head_head", "{}.shared_head.head"),
    norm("blk.{}.nextn.shared_head_norm", "{}.shared_head.norm"),
};
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfAttention, kHfHeadNorms, kHfFfnNormAfter, kHfFfn,
                                 kHfExperts, kHfChoiceBias, kHfSharedExperts, kHfNextLayers, kHfBack);
constexpr auto kHfChecks = join(kHfSilu, std::array{HfCheck{"n_group", "1"}, HfCheck{"topk_group", "1"}});

}  // namespace

extern const HfArch kHfGlm4Moe;
constinit const HfArch kHfGlm4Moe = {
    .spec = &kGlm4Moe,
    .classes = "Glm4MoeForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
