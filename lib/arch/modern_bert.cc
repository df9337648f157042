// ModernBERT (Warner et al. 2024, arXiv 2412.13663), and Granite Embedding R2 of that shape. An encoder with rotary
// embedding, norms before the blocks (the first layer's attention has none: the tokens are normalized), a gated
// feed-forward block, and a window around each token in two layers of three, with a rotary base of their own. Source:
// GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::layer_norm_eps, Key::activation, Key::sliding_window, Key::sliding_window_pattern,
                                 Key::rope_freq_base_local};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}, {Key::rope_freq_base_local, 10000}};
constexpr std::array kNorms = {
    TensorSpec{Slot::token_embd, "token_embd.weight", Role::table, Dim::embd, Dim::vocab},
    vector(Slot::token_norm, "token_embd_norm.weight", Dim::embd),
    vector(Slot::output_norm, "output_norm.weight", Dim::embd),
    optional(vector(Slot::attn_norm, "blk.{}.attn_norm.weight", Dim::embd)),
};
constexpr auto kTensors = join(kNorms, kAttentionWithoutNorm, kFfnNorm, kFusedFfn);

}  // namespace

extern const ArchSpec kModernBert;
constinit const ArchSpec kModernBert = {
    .name = "modern-bert",
    .norm = Norm::layer,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::geglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .full_layer_every = 3,
    .full_layer_first = true,
    .window = Window::around,
};

namespace {

constexpr std::array kHfOwnKeys = {
    flag("attention.causal", "0"),
    needed(real("attention.layer_norm_epsilon", "norm_eps|layer_norm_eps")),
    real("rope.freq_base", "global_rope_theta|rope_parameters.full_attention.rope_theta|160000"),
    real("rope.freq_base_swa", "local_rope_theta|rope_parameters.sliding_attention.rope_theta|10000"),
    needed(integer("attention.sliding_window", "local_attention")),
    HfKey{"hidden_activation", HfType::text, "hidden_activation"},
};
constexpr std::array kHfRhythm = {integer("attention.sliding_window_pattern", "global_attn_every_n_layers")};
constexpr auto kHfKeys = join(kHfOwnKeys, kHfSizes, kHfRope, kHfWindows, kHfRhythm);
constexpr std::array kHfTensors = {
    linear("token_embd", "embeddings.tok_embeddings"),
    norm("token_embd_norm", "embeddings.norm"),
    norm("blk.{}.attn_norm", "{}.attn_norm"),
    linear("blk.{}.attn_qkv", "{}.attn.Wqkv"),
    linear("blk.{}.attn_output", "{}.attn.Wo"),
    norm("blk.{}.ffn_norm", "{}.mlp_norm"),
    linear("blk.{}.ffn_up", "{}.mlp.Wi"),
    linear("blk.{}.ffn_down", "{}.mlp.Wo"),
    norm("output_norm", "final_norm"),
};
constexpr std::array kHfChecks = {HfCheck{"hidden_activation", "gelu|silu"}};

}  // namespace

extern const HfArch kHfModernBert;
constinit const HfArch kHfModernBert = {
    .spec = &kModernBert,
    .classes = "ModernBertModel|ModernBertForMaskedLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnoredHeads,
};

}  // namespace quern::arch
