// compressed-tensors checkpoints with whole numbers: 4 or 8 bits in words ("pack-quantized"), or int8
// ("int-quantized").
//
//   X.weight_packed      I32 [N, K * bits / 32]   a row's codes as a stream of words, each code plus 2^(bits - 1)
//   X.weight_shape       I64 [2]                  N, K
//   X.weight             I8 [N, K]                instead of the two
//   X.weight_scale       [N, G], or one number
//   X.weight_zero_point  I8 like the scales, or I32 [N * bits / 32, G], packed down the columns; may be absent: 0
//   X.weight_g_idx       I32 [K]                  the group of each input feature; may be absent, or -1: none
//   value = scale * (code - zero_point)
// Its floating-point forms are those of fp8.cc, nvfp4.cc and mxfp4.cc. Scales of activations, which some checkpoints
// hold too, are passed over: activations are never rounded as coarsely as that.
// Source: the documentation of compressed-tensors.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "lib/hf/affine.h"
#include "lib/hf/bits.h"
#include "lib/hf/readers.h"
#include "lib/io/names.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;

namespace {

/// Where zero points are, if there are any: all in the middle otherwise.
struct ZeroPoints {
  std::span<const std::byte> bytes;
  uint64_t row_step = 0, group_step = 0;  ///< of numbers in a byte each
  uint64_t packed_width = 0;              ///< words in a row, of packed ones; 0: they are not

  uint32_t at(uint64_t row, uint64_t group, uint32_t bits) const {
    const uint32_t middle = 1u << (bits - 1);
    if (bytes.empty()) return middle;
    if (packed_width == 0) {
      const auto code = static_cast<int8_t>(bytes[row * row_step + group * group_step]);
      return static_cast<uint32_t>(code + static_cast<int>(middle));
    }
    const uint64_t per_word = 32 / bits, word = row / per_word * packed_width + group;
    return code_at(bytes.data() + 4 * word, row % per_word, bits);
  }
};

class RowCodes final : public Codes {
 public:
  RowCodes(const SafeTensor& array, uint64_t row_bytes, uint32_t bits, ZeroPoints zeros, Pages pages)
      : array_(array.bytes),
        row_bytes_(row_bytes),
        bits_(bits),
        is_signed_(array.type == SafeType::i8),
        zeros_(zeros),
        pages_(pages) {}

  void read(uint64_t row, uint64_t n_rows, uint64_t column, uint64_t n_columns, uint8_t* out,
            size_t stride) const override {
    for (uint64_t r = 0; r < n_rows; ++r, out += stride) {
      const std::byte* const at = array_.data() + (row + r) * row_bytes_ + column * bits_ / 8;
      if (bits_ == 4) {
        unpack<4>(at, n_columns / 8 * 8, out);
        for (uint64_t c = n_columns / 8 * 8; c < n_columns; ++c) {
          out[c] = static_cast<uint8_t>(static_cast<uint8_t>(at[c / 2]) >> (c % 2 * 4) & 15);
        }
      } else {
        const uint8_t flip = is_signed_ ? 0x80 : 0;
        for (uint64_t c = 0; c < n_columns; ++c) out[c] = static_cast<uint8_t>(at[c]) ^ flip;
      }
    }
  }
  uint32_t zero(uint64_t row, uint64_t group) const override { return zeros_.at(row, group, bits_); }
  void release(uint64_t begin, uint64_t end) const override {
    pages_.release(array_.subspan(begin * row_bytes_, (end - begin) * row_bytes_));
  }

 private:
  std::span<const std::byte> array_;
  uint64_t row_bytes_;
  uint32_t bits_;
  bool is_signed_;
  ZeroPoints zeros_;
  Pages pages_;
};

/// What the codes are, of the two forms.
struct Plan {
  const SafeTensor* codes = nullptr;
  const SafeTensor* shape = nullptr;
  Extents extents;
  uint32_t bits = 8;
};

Result<Plan> packed_plan(const Module& module, const SafeTensor& packed) {
  Plan out;
  out.codes = &packed;
  QUERN_TRY(out.shape, module.need(module.of_weight("_shape"), packed, ".weight_shape"));
  const uint64_t two[] = {2};
  QUERN_CHECK(module.check_form(*out.shape, SafeType::i64, two));
  int64_t shape[2];
  std::memcpy(shape, out.shape->bytes.data(), sizeof shape);
  if (packed.shape.size() != 2 || packed.elements() == 0) return module.wrong_form(packed, "a matrix");
  const uint64_t words = packed.shape[1];
  for (const uint32_t bits : {4u, 8u}) {
    if (shape[1] > 0 && (static_cast<uint64_t>(shape[1]) - 1) / (32 / bits) + 1 == words)
      out.bits = bits, out.extents.cols = static_cast<uint64_t>(shape[1]);
  }
  if (shape[0] <= 0 || static_cast<uint64_t>(shape[0]) != packed.shape[0] || out.extents.cols == 0) {
    return module.wrong_form(packed, cat("rows of 4 or 8 bits for a weight_shape of [", shape[0], ", ", shape[1], "]"));
  }
  out.extents.rows = packed.shape[0];
  return out;
}

/// The one size of groups in the configuration; 0 where it has none, or several.
Result<uint64_t> shared_group_size(io::JsonAt config) {
  uint64_t out = 0;
  QUERN_TRY(const auto* groups, config["config_groups"].object());
  for (size_t i = 0; groups != nullptr && i < groups->size(); ++i) {
    QUERN_TRY(const auto size, config["config_groups"][(*groups)[i].name]["weights"]["group_size"].integer());
    if (!size || *size <= 0) continue;
    if (out != 0 && out != static_cast<uint64_t>(*size)) return uint64_t{0};
    out = static_cast<uint64_t>(*size);
  }
  return out;
}

/// Scales for whole rows, for groups of columns, or one for all.
Status use_scales(const Module& module, const SafeTensor& scales, io::JsonAt config, Affine& out) {
  const Extents& e = out.extents;
  QUERN_TRY(out.scales, module.numbers(scales));
  out.n_groups = 1;
  out.group_size = e.cols;
  if (scales.elements() == 1) return {};
  const bool fits = scales.shape.size() <= 2 && !scales.shape.empty() && scales.shape[0] == e.rows;
  if (!fits) return module.wrong_form(scales, cat("one number, or ", e.rows, " rows"));
  out.n_groups = scales.shape.size() == 2 ? scales.shape[1] : 1;
  out.row_step = out.n_groups;
  out.group_step = 1;
  if (out.n_groups == 0) return module.wrong_form(scales, "a column or more");
  // The last group may have fewer columns, so the number of groups does not always say how large they are.
  QUERN_TRY(uint64_t size, shared_group_size(config));
  const auto fits_groups = [&] { return size != 0 && (e.cols - 1) / size + 1 == out.n_groups; };
  if (!fits_groups() && e.cols % out.n_groups == 0) size = e.cols / out.n_groups;
  if (!fits_groups()) {
    return module.wrong_form(scales, cat("a column for each group of ", e.cols, " columns"));
  }
  out.group_size = size;
  return {};
}

Result<ZeroPoints> zero_points(const Module& module, const SafeTensor* array, const Affine& out) {
  if (array == nullptr) return ZeroPoints();
  ZeroPoints zeros{array->bytes, out.row_step, out.group_step, 0};
  const uint64_t n = out.row_step == 0 ? 1 : out.extents.rows * out.n_groups;
  if (array->type == SafeType::i8 && array->elements() == n) {
    const int low = -(1 << (out.bits - 1));
    for (uint64_t i = 0; i < n; ++i) {
      const int z = static_cast<int8_t>(array->bytes[i]);
      if (z < low || z >= -low) {
        return module.mismatch(*array, cat("zero points from ", low, " to ", -low - 1), cat(z, " at element ", i));
      }
    }
    return zeros;
  }
  const uint64_t per_word = 32 / out.bits;
  const uint64_t packed[] = {(out.extents.rows - 1) / per_word + 1, out.n_groups};
  if (array->type != SafeType::i32 || out.row_step == 0) {
    return module.wrong_form(*array, cat("I8 with ", n, " elements, or I32 ", shape_text(packed)));
  }
  QUERN_CHECK(module.check_form(*array, SafeType::i32, packed));
  zeros.packed_width = packed[1];
  return zeros;
}

/// The order of the columns, unless the array says that there is none.
Status use_order(const Module& module, const SafeTensor* array, Affine& out) {
  if (array == nullptr || array->elements() == 0) return {};
  const uint64_t shape[] = {out.extents.cols};
  QUERN_CHECK(module.check_form(*array, SafeType::i32, shape));
  int32_t first;
  std::memcpy(&first, array->bytes.data(), sizeof first);
  return first == -1 ? Status() : use_group_index(module, *array, out);
}

/// What changes the meaning of the numbers, and is not supported.
Status check_config(io::JsonAt config) {
  const auto refuse = [](io::JsonAt at, std::string_view what) {
    return fail(Errc::unsupported, at.place(), ": ", what, " of compressed-tensors are not supported");
  };
  if (config["transform_config"].size() > 0) return refuse(config["transform_config"], "transforms");
  const io::JsonAt sparse = config["sparsity_config"]["format"];
  if (sparse.present() && !sparse.is("dense")) return refuse(sparse, "sparse weights");
  return {};
}

}  // namespace

Result<std::optional<Matrix>> read_compressed_tensors(const Module& module) {
  const SafeTensor *packed = module.of_weight("_packed"), *plain = module.of_weight("");
  const SafeTensor* const scales = module.of_weight("_scale");
  const bool is_packed = packed != nullptr && packed->type == SafeType::i32;
  const bool is_int =
      plain != nullptr && plain->type == SafeType::i8 && scales != nullptr && scales->type != SafeType::f8_e8m0;
  if (!is_packed && !is_int) return std::optional<Matrix>();
  const io::JsonAt config = module.checkpoint().quantization_at();
  QUERN_CHECK(check_config(config));
  Plan plan;
  if (is_packed) {
    QUERN_TRY(plan, packed_plan(module, *packed));
    QUERN_CHECK(module.need(scales, *packed, ".weight_scale"));
  } else {
    plan.codes = plain;
    const auto extents = extents_of(*plain);
    if (!extents || extents->rank != 2) return module.wrong_form(*plain, "a matrix");
    plan.extents = *extents;
  }
  Affine out;
  out.extents = plan.extents;
  out.bits = plan.bits;
  QUERN_CHECK(use_scales(module, *scales, config, out));
  const SafeTensor *zero_array = module.of_weight("_zero_point"), *order = module.of_weight("_g_idx");
  QUERN_TRY(const ZeroPoints zeros, zero_points(module, zero_array, out));
  QUERN_CHECK(use_order(module, order, out));
  const uint64_t row_bytes = plan.codes->bytes.size() / plan.extents.rows;
  out.codes = std::make_shared<RowCodes>(*plan.codes, row_bytes, plan.bits, zeros, module.pages(*plan.codes));
  Matrix matrix = affine_matrix(std::move(out), {plan.codes, plan.shape, scales, zero_array, order});
  pass_over_activation_scales(module, matrix);
  return std::optional<Matrix>(std::move(matrix));
}

}  // namespace quern::hf
