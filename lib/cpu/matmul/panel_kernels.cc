#include "lib/cpu/matmul/panel_kernels.h"

#include "lib/quant/all_formats-inl.h"

namespace quern::cpu {

#define QUERN_FORMAT(stem, Trait) const PanelKernels* select_kernels_##stem();
#include "lib/quant/formats.def"
#undef QUERN_FORMAT

const PanelKernels* panel_kernels(tensor::DType type) {
  struct Entry {
    tensor::DType type;
    const PanelKernels* (*select)();
  };
  static constexpr Entry kEntries[] = {
#define QUERN_FORMAT(stem, Trait) {quant::Trait::kType, &select_kernels_##stem},
#include "lib/quant/formats.def"
#undef QUERN_FORMAT
  };
  for (const Entry& entry : kEntries) {
    if (entry.type == type) return entry.select();
  }
  return nullptr;
}

}  // namespace quern::cpu
