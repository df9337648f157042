// What the encoders of blocks of 256 elements with sub-blocks share: search-inl.h's groups are sub-blocks here.

#if defined(QUERN_QUANT_SEARCH_256_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_SEARCH_256_INL_H_
#undef QUERN_QUANT_SEARCH_256_INL_H_
#else
#define QUERN_QUANT_SEARCH_256_INL_H_
#endif

#include <algorithm>

#include "lib/quant/search-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

/// Blocks of kSubs sub-blocks that lie in one sheet.
template <size_t kSubs>
constexpr size_t kBlocks = kGroups / kSubs;

/// The sums of `of` over each block.
template <size_t kSubs>
float block_sum(const PerGroup& of, size_t block) {
  float sum = 0;
  for (size_t g = block * kSubs; g < (block + 1) * kSubs; ++g) sum += of.of[g];
  return sum;
}

/// value = (d * scale) * level, scale a whole number.
template <size_t kSubs>
struct ScaledState {
  float d[kBlocks<kSubs>];
  PerGroup scale, error;

  PerGroup product() const {
    PerGroup out;
    for (size_t g = 0; g < kGroups; ++g) out.of[g] = d[g / kSubs] * scale.of[g];
    return out;
  }
};

/// Takes over the blocks in which `state` has a smaller error.
template <size_t kSubs>
void keep_better(const ScaledState<kSubs>& state, ScaledState<kSubs>& best) {
  for (size_t b = 0; b < kBlocks<kSubs>; ++b) {
    if (!(block_sum<kSubs>(state.error, b) < block_sum<kSubs>(best.error, b))) continue;
    best.d[b] = state.d[b];
    std::copy_n(state.scale.of + b * kSubs, kSubs, best.scale.of + b * kSubs);
    std::copy_n(state.error.of + b * kSubs, kSubs, best.error.of + b * kSubs);
  }
}

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
