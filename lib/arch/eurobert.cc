// EuroBERT (Boizard et al. 2025, arXiv 2503.05500): Llama's blocks as an encoder. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys);
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}};
constexpr std::array kOwnEnds = {
    TensorSpec{Slot::token_embd, "token_embd.weight", Role::table, Dim::embd, Dim::vocab},
    vector(Slot::output_norm, "output_norm.weight", Dim::embd),
};
constexpr auto kTensors = join(kOwnEnds, kAttention, kFfnNorm, kFfn);

}  // namespace

extern const ArchSpec kEuroBert;
constinit const ArchSpec kEuroBert = {
    .name = "eurobert",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

namespace {

constexpr auto kHfKeys = join(std::array{flag("attention.causal", "0")}, kHfSizes, kHfRmsNorm, kHfRope);
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfAttention, kHfFfnNorm, kHfFfn, kHfTiedBack);

}  // namespace

extern const HfArch kHfEuroBert;
constinit const HfArch kHfEuroBert = {
    .spec = &kEuroBert,
    .classes = "EuroBertModel|EuroBertForMaskedLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnoredHeads,
};

}  // namespace quern::arch
