// EmbeddingGemma (Google DeepMind 2025, arXiv 2509.20354): Gemma 3's layers as an encoder, with windows around each
// token in five layers of six. Files may hold the two projections that sentence-transformers puts behind the pooling.
// Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window, Key::sliding_window_pattern, Key::rope_freq_base_local,
                                 Key::dense_2_out, Key::dense_3_in};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}, {Key::rope_freq_base_local, 10000}};
constexpr std::array kOwnEnds = {
    TensorSpec{Slot::token_embd, "token_embd.weight", Role::table, Dim::embd, Dim::vocab},
    vector(Slot::output_norm, "output_norm.weight", Dim::embd),
    optional(matrix(Slot::dense_2, "dense_2.weight", Dim::embd, Dim::dense_2_out)),
    optional(matrix(Slot::dense_3, "dense_3.weight", Dim::dense_3_in, Dim::embd)),
};
constexpr auto kTensors = join(kOwnEnds, kAttention, kHeadNorms, kPostNorms, kFfnNorm, kFfn);

}  // namespace

extern const ArchSpec kGemmaEmbedding;
constinit const ArchSpec kGemmaEmbedding = {
    .name = "gemma-embedding",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::geglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .embedding_scale = EmbeddingScale::sqrt_width,
    .full_layer_every = 6,
    .window = Window::around,
};

namespace {

constexpr std::array kHfOwnKeys = {
    flag("attention.causal", "0"),
    needed(integer("attention.sliding_window", "sliding_window")),
    integer("dense_2_feat_in", "sentence.2_Dense.in_features"),
    integer("dense_2_feat_out", "sentence.2_Dense.out_features"),
    integer("dense_3_feat_in", "sentence.3_Dense.in_features"),
    integer("dense_3_feat_out", "sentence.3_Dense.out_features"),
};
constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope, kHfGemmaWindows, kHfOwnKeys);
constexpr std::array kHfDense = {linear("dense_2", "/2_Dense.linear"), linear("dense_3", "/3_Dense.linear")};
constexpr auto kHfTensors =
    join(plus_one(join(kHfFront, kHfAttentionNorm, kHfAttention, kHfHeadNorms, kHfGemmaNorms, kHfFfn, kHfTiedBack)),
         kHfDense);
constexpr auto kHfChecks = join(
    kHfGemmaChecks, std::array{HfCheck{"attn_logit_softcapping", "null"},
                               HfCheck{"sentence.2_Dense.activation_function", "torch.nn.modules.linear.Identity"},
                               HfCheck{"sentence.3_Dense.activation_function", "torch.nn.modules.linear.Identity"}});

}  // namespace

extern const HfArch kHfGemmaEmbedding;
constinit const HfArch kHfGemmaEmbedding = {
    .spec = &kGemmaEmbedding,
    .classes = "Gemma3TextModel",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnoredHeads,
};

}  // namespace quern::arch
