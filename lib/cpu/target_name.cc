#include "lib/cpu/target_name.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/target_name.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
const char* target_name() {
#if HWY_TARGET == HWY_AVX3
  if (__builtin_cpu_supports("avx512vnni")) return "AVX3+VNNI";
#endif
  return hwy::TargetName(HWY_TARGET);
}
}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {
HWY_EXPORT(target_name);
const char* target_name() { return HWY_DYNAMIC_DISPATCH(target_name)(); }
}  // namespace quern::cpu
#endif  // HWY_ONCE
