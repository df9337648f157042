// Granite 3 and its kin (IBM, 2024): Llama's block with four factors from the file: on embeddings, on scores, on what a
// block adds to the residual stream, and (its inverse) on logits. granitemoe: with experts, as Mixtral's, and maybe one
// that every token goes through. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::embedding_scale, Key::residual_scale, Key::logit_scale, Key::attention_scale,
                                 Key::expert_shared_feed_forward_length};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr auto kTensors =
    join(kEnds, kRopeFreqs, kLongRope, kAttention, kAttentionBias, kFfnNorm, kFfn, kFfnBias, kExperts, kSharedExpert);

constexpr ArchSpec granite(const char* name) {
  return {
      .name = name,
      .norm = Norm::rms,
      .rope = Rope::interleaved,
      .attention = Attention::grouped,
      .ffn = Ffn::swiglu,
      .keys = kKeysRead,
      .tensors = kTensors,
  };
}

}  // namespace

extern const ArchSpec kGranite, kGraniteMoe;
constinit const ArchSpec kGranite = granite("granite");
constinit const ArchSpec kGraniteMoe = granite("granitemoe");

namespace {

constexpr std::array kHfOwnKeys = {
    real("embedding_scale", "embedding_multiplier"),
    real("residual_scale", "residual_multiplier"),
    real("attention.scale", "attention_multiplier"),
    real("logit_scale", "logits_scaling"),
};
constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope, kHfOwnKeys);
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfPairedAttention, kHfFfnNorm, kHfFfn, kHfBack);

constexpr std::array kHfSharedLength = {integer("expert_shared_feed_forward_length", "shared_intermediate_size")};
constexpr auto kHfMoeKeys = join(kHfKeys, kHfExpertCounts, kHfSharedLength);
// Gate and up of all experts in one array, the gate first; those of the shared expert too.
constexpr std::array kHfOwnExperts = {
    exact("blk.{}.ffn_gate_inp", "{}.block_sparse_moe.router.layer"),
    linear("blk.{}.ffn_gate_exps", "{}.block_sparse_moe.input_linear", HfRows::first_half),
    linear("blk.{}.ffn_up_exps", "{}.block_sparse_moe.input_linear", HfRows::second_half),
    linear("blk.{}.ffn_down_exps", "{}.block_sparse_moe.output_linear"),
    linear("blk.{}.ffn_gate_shexp", "{}.shared_mlp.input_linear", HfRows::first_half),
    linear("blk.{}.ffn_up_shexp", "{}.shared_mlp.input_linear", HfRows::second_half),
    linear("blk.{}.ffn_down_shexp", "{}.shared_mlp.output_linear"),
};
constexpr auto kHfMoeTensors = join(kHfFront, kHfAttentionNorm, kHfPairedAttention, kHfFfnNorm, kHfOwnExperts, kHfBack);

}  // namespace

extern const HfArch kHfGranite;
constinit const HfArch kHfGranite = {
    .spec = &kGranite,
    .classes = "GraniteForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnored,
};

extern const HfArch kHfGraniteMoe;
constinit const HfArch kHfGraniteMoe = {
    .spec = &kGraniteMoe,
    .classes = "GraniteMoeForCausalLM|GraniteMoeSharedForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfMoeTensors,
    .keys = kHfMoeKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
