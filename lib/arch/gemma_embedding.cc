// EmbeddingGemma (Google DeepMind 2025, arXiv 2509.20354): Gemma 3's layers as an encoder, with windows around each
// token in five layers of six. Files may hold the two projections that sentence-transformers puts behind the pooling.
// Source: GGUF key and tensor names.
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

}  // namespace quern::arch
