// Seed-OSS (ByteDance 2025): Qwen 2's block with heads of their own length. The norm before the feed-forward block is
// called post_attention_norm. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys);

constexpr std::array kNorm = {vector(Slot::ffn_norm, "blk.{}.post_attention_norm.weight", Dim::embd)};
constexpr auto kTensors = join(kEnds, kAttention, kAttentionBias, kNorm, kFfn);

}  // namespace

extern const ArchSpec kSeedOss;
constinit const ArchSpec kSeedOss = {
    .name = "seed_oss",
    .norm = Norm::rms,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
};

namespace {

constexpr auto kHfKeys = join(kHfSizes, kHfRmsNorm, kHfRope);
constexpr auto kHfTensors = join(kHfFront, kHfAttentionNorm, kHfAttention, kHfFfnNormAfter, kHfFfn, kHfBack);

}  // namespace

extern const HfArch kHfSeedOss;
constinit const HfArch kHfSeedOss = {
    .spec = &kSeedOss,
    .classes = "SeedOssForCausalLM",
    .prefixes = kHfPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfSilu,
    .ignored = kHfIgnored,
};

}  // namespace quern::arch
