// Weights as the CPU backend keeps them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lib/base/thread_pool.h"
#include "lib/compute/ops.h"
#include "lib/cpu/matmul/panel_kernels.h"
#include "lib/cpu/panel_memory.h"
#include "lib/quant/format.h"

namespace quern::cpu {

/// Usage::matmul: rows repacked into panels (lib/quant/panel-inl.h).
class PanelWeight final : public compute::Weight {
 public:
  static Result<std::unique_ptr<compute::Weight>> pack(const tensor::TensorView& source, PanelArena& arena,
                                                       base::ThreadPool& pool);

  uint64_t size_bytes() const override { return memory_.size_bytes(); }
  const PanelKernels& kernels() const { return *kernels_; }
  size_t n_panels() const { return (rows() + kernels_->lanes - 1) / kernels_->lanes; }
  size_t n_groups() const { return cols() / kernels_->group_elems; }
  size_t panel_bytes() const { return n_groups() * kernels_->group_bytes; }
  const uint8_t* panel(size_t p) const { return memory_.data() + p * panel_bytes(); }

 private:
  PanelWeight(const tensor::TensorView& source, const PanelKernels& kernels);
  void pack_panel(const tensor::TensorView& source, size_t p);

  const PanelKernels* kernels_;
  PanelMemory memory_;
};

/// Usage::gather: rows stay in the source and are decoded when asked for.
class TableWeight final : public compute::Weight {
 public:
  TableWeight(const tensor::TensorView& source, const quant::FormatInfo& format);
  uint64_t size_bytes() const override { return 0; }
  void decode_row(uint32_t r, float* out) const { format_->decode(source_.row(r), out, cols()); }

 private:
  tensor::TensorView source_;
  const quant::FormatInfo* format_;
};

/// Usage::vector: one row of floats.
class VectorWeight final : public compute::Weight {
 public:
  VectorWeight(const tensor::TensorView& source, const quant::FormatInfo& format);
  uint64_t size_bytes() const override { return floats_.size() * sizeof(float); }
  const float* data() const { return floats_.data(); }

 private:
  std::vector<float> floats_;
};

}  // namespace quern::cpu
