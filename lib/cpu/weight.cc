#include "lib/cpu/weight.h"

#include <algorithm>
#include <utility>

namespace quern::cpu {

using compute::Usage;

namespace {
uint32_t u32(uint64_t n) { return static_cast<uint32_t>(n); }
}  // namespace

PanelWeight::PanelWeight(const tensor::TensorView& source, const PanelKernels& kernels, Usage usage)
    : compute::Weight(source.type, u32(source.shape.rows()), u32(source.shape.cols()), usage),
      source_(source),
      kernels_(&kernels) {}

Result<std::unique_ptr<PanelWeight>> PanelWeight::make(const tensor::TensorView& source, Usage usage) {
  const PanelKernels* kernels = panel_kernels(source.type);
  QUERN_ENSURE(kernels != nullptr, Errc::unsupported, "the CPU has no kernels for type ",
               quant::type_name(static_cast<uint32_t>(source.type)));
  return std::unique_ptr<PanelWeight>(new PanelWeight(source, *kernels, usage));
}

Result<std::unique_ptr<compute::Weight>> PanelWeight::keep(const tensor::TensorView& source) {
  QUERN_TRY(auto weight, make(source, Usage::matmul_in_source));
  return std::unique_ptr<compute::Weight>(std::move(weight));
}

Result<uint64_t> PanelWeight::packed_bytes(const tensor::TensorView& source) {
  QUERN_TRY(const auto weight, make(source, Usage::matmul));
  return uint64_t{weight->n_panels()} * weight->panel_bytes();
}

Result<std::unique_ptr<compute::Weight>> PanelWeight::pack(const tensor::TensorView& source, Arena& arena,
                                                           base::ThreadPool& pool) {
  QUERN_TRY(auto weight, make(source, Usage::matmul));
  const size_t n_panels = weight->n_panels(), panel_bytes = weight->panel_bytes();
  QUERN_TRY(weight->memory_, arena.allocate(n_panels * panel_bytes, &pool));
  constexpr size_t kTaskBytes = size_t{256} << 10;
  const size_t per_task = kTaskBytes / std::max<size_t>(panel_bytes, 1) + 1;
  pool.run((n_panels + per_task - 1) / per_task, [&](size_t task) {
    const size_t begin = task * per_task, end = std::min(n_panels, begin + per_task);
    weight->pack_panels(begin, end, weight->memory_.data() + begin * panel_bytes);
    if (source.source == nullptr) return;
    const uint64_t lanes = weight->kernels_->lanes, last = std::min<uint64_t>(end * lanes, source.shape.rows());
    source.source->release(source.first_row + begin * lanes, source.first_row + last);
  });
  return std::unique_ptr<compute::Weight>(std::move(weight));
}

const uint8_t* PanelWeight::panels(size_t begin, size_t end, uint8_t* scratch) const {
  if (packed()) return memory_.data() + begin * panel_bytes();
  pack_panels(begin, end, scratch);
  return scratch;
}

void PanelWeight::pack_panels(size_t begin, size_t end, uint8_t* out) const {
  constexpr size_t kMaxLanes = 64;
  const uint8_t* lanes[kMaxLanes];
  std::vector<std::byte> made;
  const size_t first_row = begin * kernels_->lanes, end_row = std::min<size_t>(end * kernels_->lanes, rows());
  const auto* const data = reinterpret_cast<const uint8_t*>(source_.rows(first_row, end_row, made));
  for (size_t p = begin; p < end; ++p, out += panel_bytes()) {
    for (size_t r = 0; r < kernels_->lanes; ++r) {
      const size_t row = p * kernels_->lanes + r;
      lanes[r] = row < end_row ? data + (row - first_row) * source_.row_bytes : nullptr;
    }
    kernels_->pack_panel(lanes, n_groups(), out);
  }
}

TableWeight::TableWeight(const tensor::TensorView& source, const quant::FormatInfo& format)
    : compute::Weight(source.type, u32(source.shape.rows()), u32(source.shape.cols()), Usage::gather),
      source_(source),
      format_(&format) {}

VectorWeight::VectorWeight(const tensor::TensorView& source, const quant::FormatInfo& format)
    : compute::Weight(source.type, 1, u32(source.shape.elements()), Usage::vector), floats_(source.shape.elements()) {
  quant::RowReader(source, format).read(0, source.shape.rows(), floats_.data());
}

}  // namespace quern::cpu
