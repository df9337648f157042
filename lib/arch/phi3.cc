// Phi-3, Phi-3.5, Phi-4 and Phi-4-mini (Abdin et al. 2024, arXiv 2404.14219): Llama's block with halves as rotary
// pairs; queries, keys and values are one tensor, and so are gate and up, the gate first. Long contexts have LongRoPE
// (Ding et al. 2024, arXiv 2402.13753): one set of divisors for contexts up to the original length, one for longer
// ones. Source: GGUF key and tensor names.
//
// Where a file carries "phi3.attention.sliding_window", every layer keeps to it, as the model's authors do; llama.cpp
// attends to the whole context for this architecture.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kOwnKeys);

constexpr auto kTensors = join(kEnds, kLongRope, kAttention, kAttentionBias, kFfnNorm, kFusedFfn);

}  // namespace

extern const ArchSpec kPhi3;
constinit const ArchSpec kPhi3 = {
    .name = "phi3",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

namespace {

constexpr std::array kHfFusedAttention = {linear("blk.{}.attn_qkv", "{}.self_attn.qkv_proj")};
constexpr auto kHfTensors =
    join(kHfFront, kHfAttentionNorm, kHfFusedAttention, kHfAttentionOutput, kHfFfnNorm, kHfFusedFfn, kHfBack);
constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfPartialRope, kHfWindow);

}  // namespace

extern const HfArch kHfPhi3;
constinit const HfArch kHfPhi3 = {
    .spec = &kPhi3,
    .classes = "Phi3ForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
