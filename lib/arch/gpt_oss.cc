// gpt-oss (OpenAI 2025, arXiv 2508.10925): grouped-query attention with biases and a sink per head, a sliding window in
// every other layer, the first one included, and YaRN; every feed-forward block is a mixture of experts with biases and
// a clipped SwiGLU. A token's weights are the softmax over its chosen experts. The norm before the experts is called
// post_attention_norm. Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window, Key::sliding_window_pattern, Key::expert_gating};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr KeyDefault kDefaults[] = {{Key::expert_gating, static_cast<double>(Gating::softmax_of_chosen)}};

constexpr std::array kOwnTensors = {
    vector(Slot::attn_sinks, "blk.{}.attn_sinks.weight", Dim::heads),
    vector(Slot::ffn_norm, "blk.{}.post_attention_norm.weight", Dim::embd),
};
constexpr auto kTensors = join(kEnds, kAttention, kAttentionBias, kOwnTensors, kExperts, kExpertBias);

}  // namespace

extern const ArchSpec kGptOss;
constinit const ArchSpec kGptOss = {
    .name = "gpt-oss",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::clipped_swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
    .full_layer_every = 2,
};

}  // namespace quern::arch
