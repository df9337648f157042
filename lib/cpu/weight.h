// Weights as the CPU backend keeps them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lib/base/thread_pool.h"
#include "lib/compute/ops.h"
#include "lib/cpu/arena.h"
#include "lib/cpu/matmul/panel_kernels.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

namespace quern::cpu {

/// The left side of products, in panels (lib/quant/panel-inl.h): repacked once, or out of the source when asked for.
class PanelWeight final : public compute::Weight {
 public:
  static Result<std::unique_ptr<compute::Weight>> pack(const tensor::TensorView& source, Arena& arena,
                                                       base::ThreadPool& pool);
  static Result<std::unique_ptr<compute::Weight>> keep(const tensor::TensorView& source);

  /// What pack() takes.
  static Result<uint64_t> packed_bytes(const tensor::TensorView& source);

  bool packed() const { return usage() == compute::Usage::matmul; }
  uint64_t size_bytes() const override { return memory_.size_bytes(); }
  const PanelKernels& kernels() const { return *kernels_; }
  size_t n_panels() const { return (rows() + kernels_->lanes - 1) / kernels_->lanes; }
  size_t n_groups() const { return cols() / kernels_->group_elems; }
  size_t panel_bytes() const { return n_groups() * kernels_->group_bytes; }
  float scale() const { return source_.scale; }  ///< not in the panels: products are to be multiplied by it
  /// Panels keep the order of the source: they multiply inputs whose columns have been put into this one. nullptr: as
  /// they are.
  const uint32_t* column_order() const { return source_.column_order; }
  /// Panels [begin, end), one behind the other. A weight that is not packed packs them into `scratch`, which has room.
  const uint8_t* panels(size_t begin, size_t end, uint8_t* scratch) const;

 private:
  static Result<std::unique_ptr<PanelWeight>> make(const tensor::TensorView& source, compute::Usage usage);
  PanelWeight(const tensor::TensorView& source, const PanelKernels& kernels, compute::Usage usage);
  void pack_panels(size_t begin, size_t end, uint8_t* out) const;

  tensor::TensorView source_;  ///< its data is not read again once packed
  const PanelKernels* kernels_;
  ArenaMemory memory_;
};

/// Usage::gather: rows stay in the source and are decoded when asked for.
class TableWeight final : public compute::Weight {
 public:
  TableWeight(const tensor::TensorView& source, const quant::FormatInfo& format);
  uint64_t size_bytes() const override { return 0; }
  void decode_row(uint32_t r, float* out) const { quant::RowReader(source_, *format_).read(r, r + 1, out); }

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
