// Llama 3 trained on to be an encoder, as Llama-Embed-Nemotron is (Babakhin et al. 2025, arXiv 2511.07025): the blocks
// and their rotary pairs are Llama's, but every token sees all of its text. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, std::array{Key::attention_scale});
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}};
constexpr std::array kOwnEnds = {
    TensorSpec{Slot::token_embd, "token_embd.weight", Role::table, Dim::embd, Dim::vocab},
    vector(Slot::output_norm, "output_norm.weight", Dim::embd),
};
constexpr auto kTensors = join(kOwnEnds, kRopeFreqs, kAttention, kAttentionBias, kFfnNorm, kFfn, kFfnBias);

}  // namespace

extern const ArchSpec kLlamaEmbed;
constinit const ArchSpec kLlamaEmbed = {
    .name = "llama-embed",
    .norm = Norm::rms,
    .rope = Rope::interleaved,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

namespace {

constexpr std::array kHfOwnKeys = {
    flag("attention.causal", "0"),
    words("pooling_type", "pooling", "avg=1|mean=1|cls=2|last=3"),
};
constexpr auto kHfKeys = join(kHfOwnKeys, kHfSizes, kHfRmsNorm, kHfRope);
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfPairedAttention, kHfFfnNorm, kHfFfn, kHfTiedBack);

}  // namespace

extern const HfArch kHfLlamaEmbed;
constinit const HfArch kHfLlamaEmbed = {
    .spec = &kLlamaEmbed,
    .classes = "LlamaBidirectionalModel",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnoredHeads,
};

}  // namespace quern::arch
