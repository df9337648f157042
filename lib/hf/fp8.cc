// 8-bit floats with scales: one for the matrix, one for each row, or one for each tile of some rows and columns.
//
//   X.weight             F8_E4M3 or F8_E5M2 [N, K], or [E, N, K]: stacked experts
//   X.weight_scale_inv   [N / tile rows, K / tile columns], rounded up: DeepSeek-V3, Qwen3, transformers' "fp8"
//   X.weight_scale       one number, [N], [N, 1], or tiles: compressed-tensors, FBGEMM, ModelOpt
//   X.scale              tiles: DeepSeek-V4
//   value = float * scale; also where the name says "inv"
// Tiles are 128 x 128 unless the configuration has another weight_block_size.
// Source: OCP 8-bit Floating Point Specification; DeepSeek-V3 Technical Report (arXiv:2412.19437).
#include "lib/quant/fp8.h"

#include <array>
#include <cstring>

#include "lib/hf/readers.h"
#include "lib/hf/row_bytes.h"
#include "lib/quant/f8_e4m3-inl.h"
#include "lib/quant/f8_e5m2-inl.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;
using tensor::DType;

namespace {

constexpr uint64_t kBlock = 128;

/// Which scale an element has.
struct Scales {
  Numbers numbers;
  uint64_t rows = 1;                     ///< of a matrix of the stack
  uint64_t stack_step = 0;               ///< numbers from one matrix to the next
  uint64_t tile_rows = 1, row_step = 0;  ///< rows that share scales; numbers from those to the next
  uint64_t tile_cols = UINT64_MAX;       ///< columns that share a scale

  float at(uint64_t row, uint64_t column) const {
    return numbers[row / rows * stack_step + row % rows / tile_rows * row_step + column / tile_cols];
  }
};

class Source : public tensor::RowSource {
 public:
  Source(RowBytes floats, Scales scales, uint64_t cols) : floats_(floats), scales_(scales), cols_(cols) {}
  void release(uint64_t begin, uint64_t end) const override { floats_.release(begin, end); }

 protected:
  RowBytes floats_;
  Scales scales_;
  uint64_t cols_;
};

template <class Format>
class BlockSource final : public Source {
 public:
  using Source::Source;
  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    for (uint64_t row = begin; row < end; ++row) {
      for (uint64_t c = 0; c < cols_; c += kBlock, out += sizeof(typename Format::Block)) {
        const float scale = scales_.at(row, c);
        typename Format::Block block;
        Format::pack(reinterpret_cast<const uint8_t*>(floats_.row(row)) + c, scale, block);
        std::memcpy(out, &block, sizeof block);
      }
    }
  }
};

/// Where blocks would cross tiles, or rows are no whole number of them.
template <float (*kToFloat)(uint8_t)>
class FloatSource final : public Source {
 public:
  using Source::Source;
  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    for (uint64_t row = begin; row < end; ++row) {
      for (uint64_t c = 0; c < cols_; ++c, out += sizeof(float)) {
        const float value = kToFloat(static_cast<uint8_t>(floats_.row(row)[c])) * scales_.at(row, c);
        std::memcpy(out, &value, sizeof value);
      }
    }
  }
};

template <class S>
std::shared_ptr<tensor::RowSource> make(RowBytes floats, const Scales& scales, uint64_t cols) {
  return std::make_shared<S>(floats, scales, cols);
}

struct TypeRow {
  SafeType type;
  DType blocks;
  std::shared_ptr<tensor::RowSource> (*block_source)(RowBytes, const Scales&, uint64_t);
  std::shared_ptr<tensor::RowSource> (*float_source)(RowBytes, const Scales&, uint64_t);
};
constexpr TypeRow kTypes[] = {
    {SafeType::f8_e4m3, DType::f8_e4m3, make<BlockSource<quant::F8_E4M3>>, make<FloatSource<quant::e4m3_to_f32>>},
    {SafeType::f8_e5m2, DType::f8_e5m2, make<BlockSource<quant::F8_E5M2>>, make<FloatSource<quant::e5m2_to_f32>>},
};

/// Rows and columns of a tile.
Result<std::array<uint64_t, 2>> tile_of(io::JsonAt config) {
  const io::JsonAt size = config["weight_block_size"];
  if (!size.present()) return std::array<uint64_t, 2>{kBlock, kBlock};
  std::array<uint64_t, 2> out;
  for (size_t i = 0; i < 2; ++i) {
    QUERN_TRY(const auto extent, size[i].integer());
    if (!extent || *extent < 1 || size.size() != 2) return size.mismatch("two positive numbers");
    out[i] = static_cast<uint64_t>(*extent);
  }
  return out;
}

/// What the shape of the scales says about their tiles.
Result<Scales> scales_of(const Module& module, const SafeTensor& array, const Extents& e, io::JsonAt config) {
  Scales out;
  QUERN_TRY(out.numbers, module.numbers(array));
  out.rows = e.rows;
  if (array.elements() == 1) return out;
  std::vector<uint64_t> shape = array.shape;
  if (e.rank == 3 && !shape.empty() && shape[0] == e.stack) {  // of each matrix its own
    shape.erase(shape.begin());
    out.stack_step = array.elements() / e.stack;
  }
  if (shape.size() == 1) shape.push_back(1);
  QUERN_TRY(const auto tile, tile_of(config));
  const uint64_t rows = shape.empty() ? 1 : shape[0], cols = shape.empty() ? 1 : shape[1];
  const bool fits_tiles = rows == (e.rows - 1) / tile[0] + 1 && cols == (e.cols - 1) / tile[1] + 1;
  const bool fits_rows = (rows == 1 || rows == e.rows) && cols > 0 && e.cols % cols == 0;
  if (shape.size() > 2 || (!fits_tiles && !fits_rows)) {
    return module.wrong_form(array, cat("one number, one for each of ", e.rows, " rows, or one for each ", tile[0],
                                        " x ", tile[1], " of ", shape_text(std::array{e.rows, e.cols})));
  }
  out.row_step = rows == 1 ? 0 : cols;
  out.tile_rows = fits_tiles ? tile[0] : 1;
  out.tile_cols = fits_tiles ? tile[1] : e.cols / cols;
  return out;
}

}  // namespace

Result<std::optional<Matrix>> read_fp8(const Module& module) {
  const SafeTensor* const floats = module.of_weight("");
  if (floats == nullptr) return std::optional<Matrix>();
  const TypeRow* type = nullptr;
  for (const TypeRow& row : kTypes) {
    if (row.type == floats->type) type = &row;
  }
  const SafeTensor* array = module.of_weight("_scale_inv");
  if (array == nullptr) array = module.of_weight("_scale");
  if (array == nullptr) array = module.find(".scale");
  if (type == nullptr || array == nullptr) return std::optional<Matrix>();
  const auto extents = extents_of(*floats);
  if (!extents) return module.wrong_form(*floats, "a matrix, or a stack of them");
  QUERN_TRY(const Scales scales, scales_of(module, *array, *extents, module.checkpoint().quantization_at()));
  const bool whole =
      extents->cols % kBlock == 0 && (scales.tile_cols >= extents->cols || scales.tile_cols % kBlock == 0);
  Matrix out = matrix_of(whole ? type->blocks : DType::f32, *extents, {floats, array});
  const RowBytes rows(module, *floats, extents->all_rows());
  set_source(out, (whole ? type->block_source : type->float_source)(rows, scales, extents->cols));
  if (!whole) {
    add_note(out, cat(io::safe_type_name(floats->type), " in rows of ", extents->cols,
                      " elements fits no blocks of 128: run as F32"));
  }
  pass_over_activation_scales(module, out);
  return std::optional<Matrix>(std::move(out));
}

}  // namespace quern::hf
