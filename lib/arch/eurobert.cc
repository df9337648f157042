// EuroBERT (Boizard et al. 2025, arXiv 2503.05500): Llama's blocks as an encoder. Source: GGUF key and tensor names.
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

}  // namespace quern::arch
