// MXFP4: 4-bit floats, 32 of a row with a power of two as their scale. Two neighbours in a byte, the first one in the
// low nibble.
//
//   of gpt-oss               X_blocks U8 [E, N, K / 32, 16]     X_scales U8 [E, N, K / 32], E stacked experts
//   of compressed-tensors    X.weight_packed U8 [N, K / 2]      X.weight_scale U8 or E8M0 [N, K / 32]
//   of DeepSeek-V4           X.weight I8 or U8 [N, K / 2]       X.scale E8M0 [N, K / 32]
// Source: OCP Microscaling Formats (MX) Specification v1.0.
#include "lib/quant/mxfp4-inl.h"

#include <cstring>

#include "lib/hf/bits.h"
#include "lib/hf/readers.h"
#include "lib/hf/row_bytes.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;
using quant::MXFP4;

namespace {

class Source final : public tensor::RowSource {
 public:
  Source(RowBytes codes, RowBytes scales, uint64_t n_blocks) : codes_(codes), scales_(scales), n_blocks_(n_blocks) {}

  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    for (uint64_t row = begin; row < end; ++row) {
      const std::byte *codes = codes_.row(row), *scales = scales_.row(row);
      for (uint64_t b = 0; b < n_blocks_; ++b, codes += 16, out += sizeof(MXFP4::Block)) {
        MXFP4::Block block;
        block.e = static_cast<uint8_t>(scales[b]);
        uint8_t apart[32];
        unpack<4>(codes, 32, apart);
        for (int j = 0; j < 16; ++j) block.qs[j] = static_cast<uint8_t>(apart[j] | apart[j + 16] << 4);
        std::memcpy(out, &block, sizeof block);
      }
    }
  }
  void release(uint64_t begin, uint64_t end) const override {
    codes_.release(begin, end);
    scales_.release(begin, end);
  }

 private:
  RowBytes codes_, scales_;
  uint64_t n_blocks_;
};

Result<std::optional<Matrix>> make(const Module& module, const SafeTensor& codes, const SafeTensor& scales,
                                   const Extents& extents) {
  std::vector<uint64_t> shape = {extents.rows, extents.cols / MXFP4::kBlockElems};
  if (extents.rank == 3) shape.insert(shape.begin(), extents.stack);
  if (extents.cols % MXFP4::kBlockElems != 0) return module.wrong_form(codes, "rows of a multiple of 32 elements");
  QUERN_CHECK(module.check_form(scales, scales.type, shape));
  if (scales.type != SafeType::u8 && scales.type != SafeType::f8_e8m0)
    return module.wrong_form(scales, "U8 or F8_E8M0");
  Matrix out = matrix_of(tensor::DType::mxfp4, extents, {&codes, &scales});
  const uint64_t n_rows = extents.all_rows();
  set_source(out, std::make_shared<Source>(RowBytes(module, codes, n_rows), RowBytes(module, scales, n_rows),
                                           extents.cols / MXFP4::kBlockElems));
  pass_over_activation_scales(module, out);
  return std::optional<Matrix>(std::move(out));
}

}  // namespace

Result<std::optional<Matrix>> read_mxfp4(const Module& module) {
  if (const SafeTensor* const blocks = module.of_weight("_blocks")) {
    const auto& shape = blocks->shape;
    const bool fits = blocks->type == SafeType::u8 && (shape.size() == 3 || shape.size() == 4) && shape.back() == 16 &&
                      blocks->elements() > 0;
    if (!fits) return module.wrong_form(*blocks, "U8 [rows, blocks, 16], or a stack of that");
    QUERN_TRY(const SafeTensor* const scales, module.need(module.of_weight("_scales"), *blocks, "_scales"));
    Extents extents{1, shape[shape.size() - 3], shape[shape.size() - 2] * 32, static_cast<uint32_t>(shape.size() - 1)};
    if (shape.size() == 4) extents.stack = shape[0];
    return make(module, *blocks, *scales, extents);
  }
  const SafeTensor *codes = module.of_weight("_packed"), *scales = module.of_weight("_scale");
  const bool is_scale = scales != nullptr && (scales->type == SafeType::u8 || scales->type == SafeType::f8_e8m0);
  if (codes == nullptr || codes->type != SafeType::u8 || !is_scale) {
    codes = module.of_weight("");
    scales = module.find(".scale");
    const bool bytes = codes != nullptr && (codes->type == SafeType::i8 || codes->type == SafeType::u8);
    if (!bytes || scales == nullptr || scales->type != SafeType::f8_e8m0) return std::optional<Matrix>();
  }
  const auto extents = extents_of(*codes, 2);
  if (!extents) return module.wrong_form(*codes, "a matrix, or a stack of them");
  return make(module, *codes, *scales, *extents);
}

}  // namespace quern::hf
