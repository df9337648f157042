// Gemma 3 (Gemma Team 2025, arXiv 2503.19786): Gemma 2 with a norm on every head of queries and keys in place of the
// cap on scores. Five layers with a sliding window, then one that sees everything; those with a window have a rotary
// base of their own, and theirs is not scaled. The model of 27 billion parameters (62 layers) scales its scores by the
// width per head. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window, Key::sliding_window_pattern, Key::rope_freq_base_local,
                                 Key::logit_softcap};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::rope_freq_base_local, 10000}};
constexpr auto kTensors = join(kEnds, kAttention, kHeadNorms, kPostNorms, kFfnNorm, kFfn);

}  // namespace

extern const ArchSpec kGemma3;
constinit const ArchSpec kGemma3 = {
    .name = "gemma3",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::geglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .embedding_scale = EmbeddingScale::sqrt_width,
    .full_layer_every = 6,
    .scores_by_width_layers = 62,
};

namespace {

// Files leave out what is as in the class's defaults.
constexpr std::array kHfOwnKeys = {
    integer("vocab_size", "vocab_size|262208"),
    integer("context_length", "max_position_embeddings|131072"),
    integer("attention.head_count", "num_attention_heads|8"),
    integer("attention.head_count_kv", "num_key_value_heads|4"),
    integer("attention.key_length", "head_dim|256"),
    integer("attention.value_length", "head_dim|256"),
    real("attention.layer_norm_rms_epsilon", "rms_norm_eps|0.000001"),
    integer("rope.dimension_count", "head_dim|256"),
    real("rope.freq_base", QUERN_HF_ROPE_THETA "|1000000"),
    real("final_logit_softcapping", "final_logit_softcapping"),
    needed(integer("attention.sliding_window", "sliding_window")),
};
constexpr auto kHfKeys = join(kHfOwnKeys, kHfSizes, kHfGemmaWindows);
constexpr auto kHfTensors =
    plus_one(join(kHfFront, kHfAttentionNorm, kHfAttention, kHfHeadNorms, kHfGemmaNorms, kHfFfn, kHfTiedBack));
constexpr auto kHfChecks = join(kHfGemmaChecks, std::array{HfCheck{"attn_logit_softcapping", "null"},
                                                           HfCheck{"use_bidirectional_attention", "false"}});

}  // namespace

extern const HfArch kHfGemma3;
constinit const HfArch kHfGemma3 = {
    .spec = &kGemma3,
    .classes = "Gemma3ForCausalLM|Gemma3ForConditionalGeneration",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
