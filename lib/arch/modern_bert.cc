// ModernBERT (Warner et al. 2024, arXiv 2412.13663), and Granite Embedding R2 of that shape. An encoder with rotary
// embedding, norms before the blocks (the first layer's attention has none: the tokens are normalized), a gated
// feed-forward block, and a window around each token in two layers of three, with a rotary base of their own. Source:
// GGUF key and tensor names.
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

}  // namespace quern::arch
