// Llama 1 to 3 and what shares their shape (Mistral 7B, TinyLlama, SmolLM, ...): pre-norm blocks of grouped-query
// attention with interleaved rotary pairs, and SwiGLU. Source: Touvron et al. 2023 (arXiv 2302.13971, 2307.09288); GGUF
// key and tensor names.
//
// With experts: Mixtral (Jiang et al. 2024, arXiv 2401.04088). A token's weights for its experts are the softmax over
// all of them, made to sum up to one.
//
// Where a file carries "llama.attention.sliding_window" (Mistral 7B v0.1 was trained with one of 4096), every layer
// keeps to it, as the model's authors do; llama.cpp attends to the whole context for this architecture.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::sliding_window, Key::attention_scale};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr auto kTensors = join(kEnds, kRopeFreqs, kLongRope, kAttention, kAttentionBias, kFfnNorm, kFfn, kFfnBias,
                               kExperts, kSeparateExperts);

}  // namespace

extern const ArchSpec kLlama;
constinit const ArchSpec kLlama = {
    .name = "llama",
    .norm = Norm::rms,
    .rope = Rope::interleaved,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

namespace {

constexpr auto kHfTensors =
    join(kHfFront, kHfAttentionNorm, kHfPairedAttention, kHfFfnNorm, kHfFfn, kHfSparseExperts, kHfBack);
constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope, kHfExpertCounts, kHfWindow);

}  // namespace

extern const HfArch kHfLlama;
constinit const HfArch kHfLlama = {
    .spec = &kLlama,
    .classes = "LlamaForCausalLM|MistralForCausalLM|MixtralForCausalLM|Mistral3ForConditionalGeneration",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
