#include "lib/cpu/weight.h"

#include <algorithm>
#include <utility>

namespace quern::cpu {

using compute::Usage;

namespace {
uint32_t u32(uint64_t n) { return static_cast<uint32_t>(n); }
}  // namespace

PanelWeight::PanelWeight(const tensor::TensorView& source, const PanelKernels& kernels)
    : compute::Weight(source.type, u32(source.shape.rows()), u32(source.shape.cols()), Usage::matmul),
      kernels_(&kernels) {}

Result<std::unique_ptr<compute::Weight>> PanelWeight::pack(const tensor::TensorView& source, PanelArena& arena,
                                                           base::ThreadPool& pool) {
  const PanelKernels* kernels = panel_kernels(source.type);
  QUERN_ENSURE(kernels != nullptr, Errc::unsupported, "the CPU has no kernels for type ",
               quant::type_name(static_cast<uint32_t>(source.type)));
  std::unique_ptr<PanelWeight> weight(new PanelWeight(source, *kernels));
  QUERN_TRY(weight->memory_, arena.allocate(weight->n_panels() * weight->panel_bytes(), pool));
  constexpr size_t kPanelsPerTask = 4;
  pool.run((weight->n_panels() + kPanelsPerTask - 1) / kPanelsPerTask, [&](size_t task) {
    const size_t end = std::min(weight->n_panels(), (task + 1) * kPanelsPerTask);
    for (size_t p = task * kPanelsPerTask; p < end; ++p) weight->pack_panel(source, p);
  });
  return std::unique_ptr<compute::Weight>(std::move(weight));
}

void PanelWeight::pack_panel(const tensor::TensorView& source, size_t p) {
  constexpr size_t kMaxLanes = 64;
  const uint8_t* lanes[kMaxLanes];
  for (size_t r = 0; r < kernels_->lanes; ++r) {
    const size_t row = p * kernels_->lanes + r;
    lanes[r] = row < rows() ? reinterpret_cast<const uint8_t*>(source.row(row)) : nullptr;
  }
  kernels_->pack_panel(lanes, n_groups(), memory_.data() + p * panel_bytes());
}

TableWeight::TableWeight(const tensor::TensorView& source, const quant::FormatInfo& format)
    : compute::Weight(source.type, u32(source.shape.rows()), u32(source.shape.cols()), Usage::gather),
      source_(source),
      format_(&format) {}

VectorWeight::VectorWeight(const tensor::TensorView& source, const quant::FormatInfo& format)
    : compute::Weight(source.type, 1, u32(source.shape.elements()), Usage::vector), floats_(source.shape.elements()) {
  format.decode(source.data, floats_.data(), floats_.size());
}

}  // namespace quern::cpu
