// Granite 3 and its kin (IBM, 2024): Llama's block with four factors from the file: on embeddings, on scores, on what a
// block adds to the residual stream, and (its inverse) on logits. granitemoe: with experts, as Mixtral's, and maybe one
// that every token goes through. Source: GGUF key and tensor names.
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr std::array kOwnKeys = {Key::embedding_scale, Key::residual_scale, Key::logit_scale, Key::attention_scale,
                                 Key::expert_shared_feed_forward_length};
constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, kExpertKeys, kOwnKeys);
constexpr auto kTensors =
    join(kEnds, kRopeFreqs, kLongRope, kAttention, kAttentionBias, kFfnNorm, kFfn, kFfnBias, kExperts, kSharedExpert);

constexpr ArchSpec granite(const char* name) {
  return {
      .name = name,
      .norm = Norm::rms,
      .rope = Rope::interleaved,
      .attention = Attention::grouped,
      .ffn = Ffn::swiglu,
      .keys = kKeysRead,
      .tensors = kTensors,
  };
}

}  // namespace

extern const ArchSpec kGranite, kGraniteMoe;
constinit const ArchSpec kGranite = granite("granite");
constinit const ArchSpec kGraniteMoe = granite("granitemoe");

}  // namespace quern::arch
