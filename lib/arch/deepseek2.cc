// DeepSeek V2, V3 and R1 (DeepSeek-AI 2024, arXiv 2405.04434 and 2412.19437) and what shares their shape (Kimi K2,
// GLM 4.7 Flash): latent attention, some layers with a plain feed-forward block, then mixtures of experts with experts
// that every token goes through. V3 takes sigmoids for weights, a bias for the choice, and chooses within groups of
// experts. YaRN scales the scores; the file holds a tenth of its multiplier. Files from before April 2025 keep what
// makes keys and values in one tensor, and have keys and values of all heads in the cache. Source: GGUF key and tensor
// names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {
    Key::key_length_full,
    Key::value_length_full,
    Key::q_rank,
    Key::kv_rank,
    Key::expert_gating,
    Key::expert_weights_norm,
    Key::expert_shared_count,
    Key::expert_group_count,
    Key::expert_group_used_count,
    Key::yarn_log_multiplier,
    Key::leading_dense_blocks,
    Key::attention_temperature,
    Key::nextn_layers,
};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::expert_weights_norm, 0}};

constexpr std::array kLatentAttention = {
    vector(Slot::attn_norm, "blk.{}.attn_norm.weight", Dim::embd),
    when(When::without_q_rank, matrix(Slot::attn_q, "blk.{}.attn_q.weight", Dim::embd, Dim::q_full)),
    when(When::with_q_rank, matrix(Slot::attn_q_a, "blk.{}.attn_q_a.weight", Dim::embd, Dim::q_rank)),
    when(When::with_q_rank, vector(Slot::attn_q_a_norm, "blk.{}.attn_q_a_norm.weight", Dim::q_rank)),
    when(When::with_q_rank, matrix(Slot::attn_q_b, "blk.{}.attn_q_b.weight", Dim::q_rank, Dim::q_full)),
    matrix(Slot::attn_kv_a, "blk.{}.attn_kv_a_mqa.weight", Dim::embd, Dim::kv_latent),
    vector(Slot::attn_kv_a_norm, "blk.{}.attn_kv_a_norm.weight", Dim::kv_rank),
    when(When::with_short_cache,
         per_head(matrix(Slot::attn_k_b, "blk.{}.attn_k_b.weight", Dim::k_plain, Dim::kv_rank))),
    when(When::with_short_cache, per_head(matrix(Slot::attn_v_b, "blk.{}.attn_v_b.weight", Dim::kv_rank, Dim::v_full))),
    when(When::with_full_cache, matrix(Slot::attn_kv_b, "blk.{}.attn_kv_b.weight", Dim::kv_rank, Dim::kv_full)),
    matrix(Slot::attn_output, "blk.{}.attn_output.weight", Dim::attn_full, Dim::embd),
};
constexpr auto kTensors = join(kEnds, kLatentAttention, kFfnNorm, kFfn, kExperts, kChoiceBias, kSharedExpert);

}  // namespace

extern const ArchSpec kDeepSeek2;
constinit const ArchSpec kDeepSeek2 = {
    .name = "deepseek2",
    .norm = Norm::rms,
    .rope = Rope::interleaved,
    .attention = Attention::latent,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .yarn_scales_scores = true,
};

namespace {

// One key of all heads is in the cache, as long as what makes keys and the rotated elements together.
constexpr std::array kHfOwnKeys = {
    integer("attention.head_count_kv", "1"),
    needed(integer("attention.kv_lora_rank", "kv_lora_rank")),
    integer("attention.q_lora_rank", "q_lora_rank"),
    needed(integer("attention.key_length", "kv_lora_rank+qk_rope_head_dim")),
    needed(integer("attention.value_length", "kv_lora_rank")),
    needed(integer("attention.key_length_mla", "qk_nope_head_dim+qk_rope_head_dim")),
    needed(integer("attention.value_length_mla", "v_head_dim")),
    needed(integer("rope.dimension_count", "qk_rope_head_dim")),
    real("rope.scaling.yarn_log_multiplier", "0.1*rope_scaling.mscale_all_dim|0.1*rope_parameters.mscale_all_dim"),
    integer("leading_dense_block_count", "first_k_dense_replace"),
};
constexpr auto kHfKeys = join(kHfOwnKeys, kHfSizes, kHfRmsNorm, kHfRopeBase, kHfExpertCounts, kHfExpertLength,
                              kHfRoutedExperts, kHfExpertGroups);

constexpr std::array kHfLatent = {
    linear("blk.{}.attn_q", "{}.self_attn.q_proj"),
    linear("blk.{}.attn_q_a", "{}.self_attn.q_a_proj"),
    norm("blk.{}.attn_q_a_norm", "{}.self_attn.q_a_layernorm"),
    linear("blk.{}.attn_q_b", "{}.self_attn.q_b_proj"),
    linear("blk.{}.attn_kv_a_mqa", "{}.self_attn.kv_a_proj_with_mqa"),
    norm("blk.{}.attn_kv_a_norm", "{}.self_attn.kv_a_layernorm"),
    shaped(HfShape::swapped, linear("blk.{}.attn_k_b", "{}.self_attn.kv_b_proj", HfRows::latent_keys)),
    linear("blk.{}.attn_v_b", "{}.self_attn.kv_b_proj", HfRows::latent_values),
};
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfLatent, kHfAttentionOutput, kHfFfnNorm, kHfFfn,
                                 kHfExperts, kHfChoiceBias, kHfSharedExperts, kHfBack);
// The groups of V2's largest model are chosen by another rule.
constexpr auto kHfChecks =
    join(kHfSilu,
         std::array{HfCheck{"topk_method", "greedy|noaux_tc"}, HfCheck{"moe_layer_freq", "1"},
                    HfCheck{"rope_interleave", "true"}, HfCheck{"rope_scaling.mscale", "=rope_scaling.mscale_all_dim"},
                    HfCheck{"rope_parameters.mscale", "=rope_parameters.mscale_all_dim"}});

}  // namespace

extern const HfArch kHfDeepSeek2;
constinit const HfArch kHfDeepSeek2 = {
    .spec = &kDeepSeek2,
    .classes = "DeepseekV2ForCausalLM|DeepseekV3ForCausalLM|Glm4MoeLiteForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
