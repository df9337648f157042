// NVFP4: 4-bit floats, 16 of a row with an 8-bit float as their scale, and a number for the whole matrix. Two
// neighbours in a byte, the first one in the low nibble.
//
//   of compressed-tensors   X.weight_packed U8 [N, K / 2]   X.weight_scale E4M3 [N, K / 16]   X.weight_global_scale [1]
//   of ModelOpt             X.weight U8 [N, K / 2]          X.weight_scale E4M3 [N, K / 16]   X.weight_scale_2 []
//   value = code * scale / global_scale, or code * scale * scale_2
// Source: the documentation of compressed-tensors and of NVIDIA's ModelOpt.
#include "lib/quant/nvfp4-inl.h"

#include <cmath>
#include <cstring>

#include "lib/hf/bits.h"
#include "lib/hf/readers.h"
#include "lib/hf/row_bytes.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;
using quant::NVFP4;

namespace {

class Source : public tensor::RowSource {
 public:
  Source(RowBytes codes, RowBytes scales, uint64_t cols) : cols_(cols), codes_(codes), scales_(scales) {}

  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    for (uint64_t row = begin; row < end; ++row) {
      for (uint64_t c = 0; c < cols_; c += NVFP4::kBlockElems, out += sizeof(NVFP4::Block)) {
        const NVFP4::Block block = block_at(row, c);
        std::memcpy(out, &block, sizeof block);
      }
    }
  }
  void release(uint64_t begin, uint64_t end) const override {
    codes_.release(begin, end);
    scales_.release(begin, end);
  }

 protected:
  /// The block from column c on, with zeros beyond the last column.
  NVFP4::Block block_at(uint64_t row, uint64_t c) const {
    NVFP4::Block block{};
    const std::byte* const codes = codes_.row(row) + c / 2;
    const std::byte* const scales = scales_.row(row) + c / 16;
    for (uint64_t sub = 0; sub < 4 && c + 16 * sub < cols_; ++sub) {
      const auto scale = static_cast<uint8_t>(scales[sub]);
      block.scales[sub] = scale & 0x7F;
      uint8_t apart[16];
      unpack<4>(codes + 8 * sub, 16, apart);
      const uint8_t sign = scale >> 7 << 3;  // blocks have no negative scales: negative codes do as well
      for (int j = 0; j < 8; ++j) {
        block.qs[8 * sub + j] = static_cast<uint8_t>((apart[j] ^ sign) | (apart[j + 8] ^ sign) << 4);
      }
    }
    return block;
  }

  const uint64_t cols_;

 private:
  RowBytes codes_, scales_;
};

/// Where rows are no whole number of blocks.
class FloatSource final : public Source {
 public:
  using Source::Source;
  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    for (uint64_t row = begin; row < end; ++row) {
      for (uint64_t c = 0; c < cols_; c += NVFP4::kBlockElems) {
        float floats[NVFP4::kBlockElems];
        NVFP4::decode_block(block_at(row, c), floats);
        const uint64_t n = std::min<uint64_t>(NVFP4::kBlockElems, cols_ - c);
        std::memcpy(out, floats, n * sizeof(float));
        out += n * sizeof(float);
      }
    }
  }
};

}  // namespace

Result<std::optional<Matrix>> read_nvfp4(const Module& module) {
  const SafeTensor* const scales = module.of_weight("_scale");
  const SafeTensor* codes = module.of_weight("_packed");
  const SafeTensor* global = module.of_weight("_global_scale");
  const bool divides = codes != nullptr;
  if (!divides) {
    codes = module.of_weight("");
    global = module.of_weight("_scale_2");
  }
  if (codes == nullptr || codes->type != SafeType::u8 || scales == nullptr || scales->type != SafeType::f8_e4m3) {
    return std::optional<Matrix>();
  }
  const auto extents = extents_of(*codes, 2);
  if (!extents || extents->cols % 16 != 0) return module.wrong_form(*codes, "rows of a multiple of 16 codes");
  std::vector<uint64_t> shape = codes->shape;
  shape.back() = extents->cols / 16;
  QUERN_CHECK(module.check_form(*scales, SafeType::f8_e4m3, shape));
  QUERN_TRY(global, module.need(global, *codes, divides ? ".weight_global_scale" : ".weight_scale_2"));
  QUERN_TRY(float factor, module.number(*global));
  if (divides) factor = 1 / factor;
  if (factor == 0 || !std::isfinite(factor))
    return module.mismatch(*global, "a scale", cat(divides ? 1 / factor : factor));
  const bool whole = extents->cols % NVFP4::kBlockElems == 0;
  Matrix out = matrix_of(whole ? tensor::DType::nvfp4 : tensor::DType::f32, *extents, {codes, scales, global});
  out.view.scale = factor;
  const RowBytes code_rows(module, *codes, extents->all_rows()), scale_rows(module, *scales, extents->all_rows());
  if (whole) {
    set_source(out, std::make_shared<Source>(code_rows, scale_rows, extents->cols));
  } else {
    set_source(out, std::make_shared<FloatSource>(code_rows, scale_rows, extents->cols));
    add_note(out, cat("NVFP4 in rows of ", extents->cols, " elements, no multiple of 64: run as F32"));
  }
  pass_over_activation_scales(module, out);
  return std::optional<Matrix>(std::move(out));
}

}  // namespace quern::hf
