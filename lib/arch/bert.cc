// BERT (Devlin et al. 2018, arXiv 1810.04805) and what shares its shape: RoBERTa, BGE, E5, MiniLM, Arctic Embed. An
// encoder: every token sees all of its text. Places are embedded like tokens, norms stand behind the sums. The GELU is
// the one by tanh, as in llama.cpp. Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, std::array{Key::layer_norm_eps});
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}};
constexpr std::array kPlaces = {
    TensorSpec{Slot::position_embd, "position_embd.weight", Role::table, Dim::embd, Dim::positions}};
constexpr auto kTensors =
    join(kTypedTokens, kPlaces, kAttentionWithoutNorm, kAttentionBias, kPlainFfn, kFfnBias, kEndNorms);

}  // namespace

extern const ArchSpec kBert;
constinit const ArchSpec kBert = {
    .name = "bert",
    .norm = Norm::layer,
    .rope = Rope::none,
    .attention = Attention::grouped,
    .ffn = Ffn::gelu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

}  // namespace quern::arch
