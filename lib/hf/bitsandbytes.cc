// bitsandbytes checkpoints.
//
// LLM.int8(): X.weight I8 [N, K], X.SCB F32 [N]; perhaps X.weight_format U8, which is 0 where the codes lie row by row.
//   value = code * SCB / 127
// Activations beyond a threshold are no case of their own here: they keep enough bits.
//
// NF4 and FP4: codes of 4 bits, two in a byte, the first one in the high nibble; blocks run through all rows.
//   X.weight              bytes, as U8 or as numbers of another type, [ceil(N * K / 2) / size, 1]
//   X.weight.absmax       F32 [blocks]; with quantized scales U8
//   X.weight.quant_map    F32 [16], the values of the codes
//   X.weight.nested_absmax F32 [blocks / nested_blocksize], X.weight.nested_quant_map F32 [256]: of quantized scales
//   X.weight.quant_state.bitsandbytes__nf4 (or __fp4)   U8, a JSON: quant_type, blocksize, shape, nested_offset, ...
//   absmax = nested_quant_map[code] * nested_absmax + nested_offset
//   value = quant_map[code] * absmax
// Source: Dettmers et al., arXiv:2208.07339 and arXiv:2305.14314; the documentation of bitsandbytes.
#include "lib/quant/bitsandbytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "lib/hf/affine.h"
#include "lib/hf/bits.h"
#include "lib/hf/readers.h"
#include "lib/hf/row_bytes.h"
#include "lib/io/names.h"
#include "lib/quant/fp4-inl.h"
#include "lib/quant/nf4-inl.h"
#include "lib/quant/nf4_dq-inl.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;
using tensor::DType;

namespace {

class Int8Codes final : public Codes {
 public:
  Int8Codes(RowBytes rows) : rows_(rows) {}
  void read(uint64_t row, uint64_t n_rows, uint64_t column, uint64_t n_columns, uint8_t* out,
            size_t stride) const override {
    for (uint64_t r = 0; r < n_rows; ++r, out += stride) {
      const std::byte* const codes = rows_.row(row + r) + column;
      for (uint64_t c = 0; c < n_columns; ++c) out[c] = static_cast<uint8_t>(codes[c]) ^ 0x80;
    }
  }
  uint32_t zero(uint64_t, uint64_t) const override { return 128; }
  void release(uint64_t begin, uint64_t end) const override { rows_.release(begin, end); }

 private:
  RowBytes rows_;
};

Result<std::optional<Matrix>> read_int8(const Module& module, const SafeTensor& codes, const SafeTensor& scb) {
  const auto extents = extents_of(codes);
  if (codes.type != SafeType::i8 || !extents || extents->rank != 2) return module.wrong_form(codes, "an I8 matrix");
  const uint64_t shape[] = {extents->rows};
  QUERN_CHECK(module.check_form(scb, scb.type, shape));
  const SafeTensor* const layout = module.find(".weight_format");
  if (layout != nullptr) {
    if (layout->type != SafeType::u8 || layout->elements() != 1) return module.wrong_form(*layout, "one U8");
    const auto found = static_cast<uint8_t>(layout->bytes[0]);
    QUERN_ENSURE(found == 0, Errc::unsupported, module.place(*layout), ": expected 0, codes row by row, found ", found,
                 ": a layout for one kind of GPU, which is not supported");
  }
  Affine out;
  out.extents = *extents;
  out.bits = 8;
  out.codes = std::make_shared<Int8Codes>(RowBytes(module, codes, extents->rows));
  QUERN_TRY(out.scales, module.numbers(scb));
  out.row_step = 1;
  out.group_size = extents->cols;
  out.factor = 1.0f / 127;
  return std::optional<Matrix>(affine_matrix(std::move(out), {&codes, &scb, layout}));
}

/// The numbers of a matrix in 4 bits. Points into the files.
struct FourBit {
  std::span<const std::byte> codes;
  DType type = DType::nf4;
  Extents extents;
  uint64_t block = 64, nested_block = 0;  ///< 0: scales are not quantized
  float offset = 0;
  Numbers absmax, map, nested, nested_map;  ///< absmax: not of quantized ones
  std::span<const std::byte> absmax_codes;  ///< of quantized ones

  uint64_t elements() const { return extents.all_rows() * extents.cols; }
  float absmax_at(uint64_t i) const {
    if (nested_block == 0) return absmax[i];
    return nested_map[static_cast<uint8_t>(absmax_codes[i])] * nested[i / nested_block] + offset;
  }
};

/// Where they are in the checkpoint.
struct FourBitArrays {
  const SafeTensor *codes = nullptr, *state = nullptr;
  std::vector<const SafeTensor*> all;
};

class Source : public tensor::RowSource {
 public:
  Source(FourBit m, Pages pages) : m_(std::move(m)), pages_(pages) {}
  void release(uint64_t begin, uint64_t end) const override {
    const uint64_t cols = m_.extents.cols;
    pages_.release(m_.codes.subspan(begin * cols / 2, (end - begin) * cols / 2));
  }

 protected:
  /// Elements [e, e + n), both multiples of 32.
  void codes_at(uint64_t e, uint64_t n, uint8_t* out) const {
    const std::byte* const bytes = m_.codes.data() + e / 2;
    for (uint64_t i = 0; i < n; i += 8) {
      uint32_t word;
      std::memcpy(&word, bytes + i / 2, 4);
      word = (word & 0x0F0F0F0Fu) << 4 | (word >> 4 & 0x0F0F0F0Fu);
      const uint64_t eight = spread<4>(word);
      std::memcpy(out + i, &eight, 8);
    }
  }

  const FourBit m_;
  const Pages pages_;
};

template <class Format>
class BlockSource final : public Source {
 public:
  using Source::Source;
  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    constexpr uint64_t kElems = Format::kBlockElems;
    for (uint64_t e = begin * m_.extents.cols; e < end * m_.extents.cols; e += kElems) {
      uint8_t codes[kElems];
      codes_at(e, kElems, codes);
      typename Format::Block block;
      if constexpr (kElems == 64) {
        Format::pack(codes, m_.absmax_at(e / m_.block), block);
      } else {
        uint8_t absmax[4];
        std::memcpy(absmax, m_.absmax_codes.data() + e / 64, 4);
        Format::pack(codes, absmax, m_.nested[e / 64 / m_.nested_block], m_.offset, block);
      }
      std::memcpy(out, &block, sizeof block);
      out += sizeof block;
    }
  }
};

class FloatSource final : public Source {
 public:
  using Source::Source;
  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    for (uint64_t e = begin * m_.extents.cols; e < end * m_.extents.cols; ++e, out += sizeof(float)) {
      const auto two = static_cast<uint8_t>(m_.codes[e / 2]);
      const float value = m_.map[e % 2 ? two & 15 : two >> 4] * m_.absmax_at(e / m_.block);
      std::memcpy(out, &value, sizeof value);
    }
  }
};

/// The numbers of X.weight.SUFFIX, n of them.
Result<Numbers> numbers_of(const Module& module, FourBitArrays& arrays, std::string_view suffix, uint64_t n) {
  QUERN_TRY(const SafeTensor* const array,
            module.need(module.of_weight(suffix), *arrays.codes, cat(".weight", suffix)));
  arrays.all.push_back(array);
  if (array->type != SafeType::f32 || array->elements() != n) return module.wrong_form(*array, cat("F32 [", n, "]"));
  return module.numbers(*array);
}

Result<uint64_t> power_of_two(io::JsonAt at, int64_t low, int64_t high) {
  QUERN_TRY(const auto n, at.integer());
  if (!n || *n < low || *n > high || (*n & (*n - 1)) != 0) {
    return at.mismatch(cat("a power of two from ", low, " to ", high));
  }
  return static_cast<uint64_t>(*n);
}

/// What quant_state says: type, shape and blocks.
Status read_state(const Module& module, const FourBitArrays& arrays, FourBit& m) {
  const std::string place = module.place(*arrays.state);
  if (arrays.state->type != SafeType::u8) return module.wrong_form(*arrays.state, "U8");
  QUERN_TRY(const io::Json json, io::parse_json(arrays.state->bytes, place));
  const io::JsonAt state(&json, place);
  QUERN_TRY(const std::string_view type, state["quant_type"].need_text());
  if (type != (m.type == DType::nf4 ? "nf4" : "fp4"))
    return state["quant_type"].mismatch("the type in the array's name");
  QUERN_TRY(m.block, power_of_two(state["blocksize"], 32, 4096));
  const io::JsonAt shape = state["shape"];
  QUERN_TRY(const auto* dimensions, shape.need_array());
  constexpr int64_t kMost = int64_t{1} << 31;
  std::vector<uint64_t> extents;
  for (size_t i = 0; i < dimensions->size(); ++i) {
    QUERN_TRY(const auto extent, shape[i].integer());
    if (!extent || *extent < 1 || *extent >= kMost) return shape.mismatch("positive numbers below 2^31");
    extents.push_back(static_cast<uint64_t>(*extent));
  }
  if (extents.size() < 2 || extents.size() > 3) return shape.mismatch("two or three numbers");
  m.extents = {extents.size() == 3 ? extents[0] : 1, extents[extents.size() - 2], extents.back(),
               static_cast<uint32_t>(extents.size())};
  const double n =
      static_cast<double>(m.extents.stack) * static_cast<double>(m.extents.rows) * static_cast<double>(m.extents.cols);
  const uint64_t bytes = m.codes.size(), item = io::safe_type_bits(arrays.codes->type) / 8;
  const double wanted = std::ceil(n / 2);
  if (n > 0x1p62 || static_cast<double>(bytes) < wanted ||
      static_cast<double>(bytes) >= wanted + static_cast<double>(item)) {
    return module.wrong_form(*arrays.codes, cat("the bytes of ", shape_text(extents), " codes of 4 bits"));
  }
  const io::JsonAt nested = state["nested_blocksize"];
  if (!nested.present()) return {};
  QUERN_TRY(m.nested_block, power_of_two(nested, 4, 4096));
  const io::JsonAt offset = state["nested_offset"];
  const double* const real = offset.get<double>();
  const int64_t* const whole = offset.get<int64_t>();
  if (real == nullptr && whole == nullptr) return offset.mismatch("a number");
  m.offset = real ? static_cast<float>(*real) : static_cast<float>(*whole);
  if (!std::isfinite(m.offset)) return offset.mismatch("a number in the range of float32");
  return {};
}

Status read_scales(const Module& module, FourBitArrays& arrays, FourBit& m) {
  const uint64_t n_blocks = (m.elements() - 1) / m.block + 1;
  QUERN_TRY(m.map, numbers_of(module, arrays, ".quant_map", 16));
  if (m.nested_block == 0) {
    QUERN_TRY(m.absmax, numbers_of(module, arrays, ".absmax", n_blocks));
    return {};
  }
  QUERN_TRY(const SafeTensor* const codes, module.need(module.of_weight(".absmax"), *arrays.codes, ".weight.absmax"));
  if (codes->type != SafeType::u8 || codes->elements() != n_blocks) {
    return module.wrong_form(*codes, cat("U8 [", n_blocks, "], since the scales are quantized"));
  }
  arrays.all.push_back(codes);
  m.absmax_codes = codes->bytes;
  QUERN_TRY(m.nested, numbers_of(module, arrays, ".nested_absmax", (n_blocks - 1) / m.nested_block + 1));
  QUERN_TRY(m.nested_map, numbers_of(module, arrays, ".nested_quant_map", 256));
  return {};
}

/// Whether the file's table is the standard one, but for rounding: libraries compute it in different ways.
bool is_table(const Numbers& found, std::span<const float> standard) {
  for (uint64_t i = 0; i < found.size(); ++i) {
    if (!(std::fabs(found[i] - standard[i]) <= 1e-6f * std::fabs(standard[i]))) return false;
  }
  return true;
}

/// Why the matrix fits no blocks; nullptr where it does.
const char* misfit(const FourBit& m) {
  if (!is_table(m.map, m.type == DType::nf4 ? quant::kNf4.values : quant::kBnbFp4.values))
    return "a quant_map of its own";
  if (m.extents.cols % 64 != 0) return "rows that are no multiple of 64";
  if (m.block % 64 != 0) return "blocks of 32";
  return nullptr;
}

Matrix four_bit_matrix(FourBit m, const FourBitArrays& found, Pages pages) {
  const Extents extents = m.extents;
  if (const char* const why = misfit(m)) {
    Matrix out = matrix_of(DType::f32, extents, found.all);
    add_note(out, cat("bitsandbytes 4-bit codes with ", why, ": run as F32"));
    set_source(out, std::make_shared<FloatSource>(std::move(m), pages));
    return out;
  }
  const bool quantized_scales = m.type == DType::nf4 && m.nested_block != 0 && m.block == 64 &&
                                extents.cols % 256 == 0 && is_table(m.nested_map, quant::kDynamicMap);
  Matrix out = matrix_of(quantized_scales ? DType::nf4_dq : m.type, extents, found.all);
  if (quantized_scales) {
    set_source(out, std::make_shared<BlockSource<quant::NF4_DQ>>(std::move(m), pages));
  } else if (m.type == DType::nf4) {
    set_source(out, std::make_shared<BlockSource<quant::NF4>>(std::move(m), pages));
  } else {
    set_source(out, std::make_shared<BlockSource<quant::FP4>>(std::move(m), pages));
  }
  return out;
}

}  // namespace

Result<std::optional<Matrix>> read_bitsandbytes(const Module& module) {
  const SafeTensor* const codes = module.of_weight("");
  if (codes == nullptr) return std::optional<Matrix>();
  if (const SafeTensor* const scb = module.find(".SCB")) return read_int8(module, *codes, *scb);
  const SafeTensor* const nf4 = module.of_weight(".quant_state.bitsandbytes__nf4");
  const SafeTensor* const fp4 = module.of_weight(".quant_state.bitsandbytes__fp4");
  if (nf4 == nullptr && fp4 == nullptr) return std::optional<Matrix>();
  QUERN_ENSURE(nf4 == nullptr || fp4 == nullptr, Errc::format, module.place(*codes),
               ": expected one quant_state, found one of nf4 and one of fp4");
  FourBitArrays arrays{codes, nf4 ? nf4 : fp4, {}};
  arrays.all = {arrays.codes, arrays.state};
  FourBit m;
  m.codes = codes->bytes;
  m.type = nf4 ? DType::nf4 : DType::fp4;
  QUERN_CHECK(read_state(module, arrays, m));
  QUERN_CHECK(read_scales(module, arrays, m));
  return std::optional<Matrix>(four_bit_matrix(std::move(m), arrays, module.pages(*codes)));
}

}  // namespace quern::hf
