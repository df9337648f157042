// The body of one translation unit per format: the kernels of QUERN_STEM for every target. The build generates
//   #define QUERN_STEM q4_k
//   #define QUERN_PANEL Q4_KPanel
//   #define QUERN_FORMAT_FILE "lib/quant/q4_k-inl.h"
//   #include "lib/cpu/matmul/format_kernels.h"
// for each line of lib/quant/formats.def.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/matmul/format_kernels.h"
#include "hwy/foreach_target.h"

#include QUERN_FORMAT_FILE
#include "lib/cpu/matmul/matmul-inl.h"

#ifndef QUERN_KERNELS_OF
#define QUERN_KERNELS_OF_(stem) kernels_##stem
#define QUERN_KERNELS_OF(stem) QUERN_KERNELS_OF_(stem)
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
const PanelKernels* QUERN_KERNELS_OF(QUERN_STEM)() {
  using Panel = quant::HWY_NAMESPACE::QUERN_PANEL;
  static constexpr PanelKernels kAny = make_kernels<Panel, kTargetHasVnni>(nullptr);
#if HWY_TARGET == HWY_AVX3
  static constexpr PanelKernels kWithVnni = make_kernels<Panel, true>(&kAny);
  if (__builtin_cpu_supports("avx512vnni")) return &kWithVnni;
#endif
  return &kAny;
}
}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {
#define QUERN_EXPORT_(name) HWY_EXPORT(name)
#define QUERN_DISPATCH_(name) HWY_DYNAMIC_DISPATCH(name)
QUERN_EXPORT_(QUERN_KERNELS_OF(QUERN_STEM));
#define QUERN_SELECT_(stem) select_kernels_##stem
#define QUERN_SELECT(stem) QUERN_SELECT_(stem)
const PanelKernels* QUERN_SELECT(QUERN_STEM)() { return QUERN_DISPATCH_(QUERN_KERNELS_OF(QUERN_STEM))(); }
}  // namespace quern::cpu
#endif  // HWY_ONCE
