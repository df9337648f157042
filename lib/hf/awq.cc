// AWQ checkpoints: 4-bit codes, with scales and zero points for groups of columns.
//
// "gemm", the usual version: eight output features in a word, in the order 0 2 4 6 1 3 5 7 from the lowest bits on.
//   X.qweight  I32 [K, N / 8]   X.qzeros  I32 [G, N / 8]   X.scales  F16 [G, N]
// "gemv": eight input features in a word, in their order; groups are padded to a multiple that the shapes show.
//   X.qweight  I32 [N, K / 8]   X.qzeros  I32 [N, W]   X.scales  F16 [N, 8 W], 8 W >= G
//   value[n][k] = scale * (q - zero)
// AWQ's scaling of the inputs is part of the norms and weights before: nothing is left to do.
// Source: Lin et al., arXiv:2306.00978; the files' documentation in AutoAWQ.
#include <algorithm>
#include <cctype>
#include <cstring>

#include "lib/hf/affine.h"
#include "lib/hf/bits.h"
#include "lib/hf/readers.h"
#include "lib/io/names.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;

namespace {

/// The nibbles of a word in the order of the features, from the order 0 2 4 6 1 3 5 7: those of one half of the word
/// are the even ones.
uint64_t spread_gemm(uint32_t word) {
  uint64_t x = (word & 0xFFFFu) | uint64_t{word >> 16} << 32;  // the even ones, then the odd ones
  x = (x | x << 8) & 0x00FF00FF00FF00FFu;
  x = (x | x << 4) & 0x0F0F0F0F0F0F0F0Fu;  // a byte each: 0 2 4 6 1 3 5 7
  const uint64_t even = x & 0xFFFFFFFFu, odd = x >> 32;
  const auto apart = [](uint64_t four) {  // a byte in every second place
    four = (four | four << 16) & 0x0000FFFF0000FFFFu;
    return (four | four << 8) & 0x00FF00FF00FF00FFu;
  };
  return apart(even) | apart(odd) << 8;
}

class GemmCodes final : public Codes {
 public:
  GemmCodes(const SafeTensor& words, const SafeTensor& zeros, Pages pages)
      : words_(words.bytes), zeros_(zeros.bytes), n_words_(words.shape[1]), cols_(words.shape[0]), pages_(pages) {}

  /// Squares of 8 rows and 8 columns, mirrored.
  void read(uint64_t row, uint64_t n_rows, uint64_t column, uint64_t n_columns, uint8_t* out,
            size_t stride) const override {
    for (uint64_t c = 0; c < n_columns; c += 8) {
      const uint64_t n = std::min<uint64_t>(8, cols_ - column - c);
      for (uint64_t r = 0; r < n_rows; r += 8) {
        uint64_t square[8] = {};
        for (uint64_t i = 0; i < n; ++i) {
          square[i] = spread_gemm(word_at(words_, (column + c + i) * n_words_ + (row + r) / 8));
        }
        transpose_bytes(square);
        for (uint64_t i = 0; i < 8; ++i) std::memcpy(out + (r + i) * stride + c, &square[i], 8);
      }
    }
  }

  uint32_t zero(uint64_t row, uint64_t group) const override {
    constexpr uint32_t kPlace[8] = {0, 4, 1, 5, 2, 6, 3, 7};  // of each feature in a word
    return word_at(zeros_, group * n_words_ + row / 8) >> 4 * kPlace[row % 8] & 15;
  }

  void release(uint64_t, uint64_t end) const override {
    if (end == n_words_ * 8) pages_.release(words_);  // every page has some of many rows
  }

 private:
  static uint32_t word_at(std::span<const std::byte> words, uint64_t i) {
    uint32_t word;
    std::memcpy(&word, words.data() + 4 * i, 4);
    return word;
  }

  std::span<const std::byte> words_, zeros_;
  uint64_t n_words_, cols_;
  Pages pages_;
};

class GemvCodes final : public Codes {
 public:
  GemvCodes(const SafeTensor& words, const SafeTensor& zeros, Pages pages)
      : words_(words.bytes),
        zeros_(zeros.bytes),
        row_bytes_(words.shape[1] * 4),
        zero_bytes_(zeros.shape[1] * 4),
        pages_(pages) {}

  void read(uint64_t row, uint64_t n_rows, uint64_t column, uint64_t n_columns, uint8_t* out,
            size_t stride) const override {
    for (uint64_t r = 0; r < n_rows; ++r, out += stride) {
      unpack<4>(words_.data() + (row + r) * row_bytes_ + column / 2, n_columns, out);
    }
  }
  uint32_t zero(uint64_t row, uint64_t group) const override {
    return code_at(zeros_.data() + row * zero_bytes_, group, 4);
  }
  void release(uint64_t begin, uint64_t end) const override {
    pages_.release(words_.subspan(begin * row_bytes_, (end - begin) * row_bytes_));
  }

 private:
  std::span<const std::byte> words_, zeros_;
  uint64_t row_bytes_, zero_bytes_;
  Pages pages_;
};

/// The version, in lower case: older files have it in capitals.
Result<std::string> version_of(io::JsonAt config) {
  // AutoRound names the packing after a colon.
  if (config.is("awq") || config["packing_format"].is("auto_round:auto_awq")) return std::string("gemm");
  QUERN_TRY(const std::string* const version, config["version"].text());
  std::string out = version ? *version : "gemm";
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  QUERN_ENSURE(out == "gemm" || out == "gemv", Errc::unsupported, config["version"].place(),
               ": expected 'gemm' or 'gemv', found ", io::quoted(out), ", a packing of AWQ that is not supported");
  return out;
}

/// The size of groups: as configured, -1 for whole rows; 0 where nothing is said.
Result<uint64_t> configured_group(io::JsonAt config, uint64_t cols) {
  for (const char* key : {"group_size", "q_group_size"}) {
    QUERN_TRY(const auto size, config[key].integer());
    if (!size) continue;
    if (*size != -1 && *size < 1) return config[key].mismatch("-1 or the columns of a group");
    return *size == -1 ? cols : static_cast<uint64_t>(*size);
  }
  return uint64_t{0};
}

struct Arrays {
  const SafeTensor *words, *zeros, *scales;
};

Result<Affine> gemm(const Module& module, const Arrays& a, io::JsonAt config) {
  const uint64_t cols = a.words->shape[0], n_words = a.words->shape[1], n_groups = a.scales->shape[0];
  const uint64_t zeros[] = {n_groups, n_words}, scales[] = {n_groups, 8 * n_words};
  QUERN_CHECK(module.check_form(*a.zeros, SafeType::i32, zeros));
  QUERN_CHECK(module.check_form(*a.scales, a.scales->type, scales));
  QUERN_TRY(uint64_t group, configured_group(config, cols));
  if (group == 0 && cols % n_groups == 0) group = cols / n_groups;
  if (group == 0 || (cols - 1) / group + 1 != n_groups) {
    return module.wrong_form(*a.scales, cat("a row for each group of ", group, " of ", cols, " columns"));
  }
  Affine out;
  out.extents = {1, 8 * n_words, cols, 2};
  out.codes = std::make_shared<GemmCodes>(*a.words, *a.zeros, module.pages(*a.words));
  out.row_step = 1;
  out.group_step = 8 * n_words;
  out.n_groups = n_groups;
  out.group_size = group;
  return out;
}

Result<Affine> gemv(const Module& module, const Arrays& a, io::JsonAt config) {
  const uint64_t rows = a.words->shape[0], cols = a.words->shape[1] * 8, width = a.zeros->shape[1];
  const uint64_t zeros[] = {rows, width}, scales[] = {rows, 8 * width};
  QUERN_CHECK(module.check_form(*a.zeros, SafeType::i32, zeros));
  QUERN_CHECK(module.check_form(*a.scales, a.scales->type, scales));
  QUERN_TRY(const uint64_t group, configured_group(config, cols));
  QUERN_ENSURE(group != 0, Errc::format, config.place(), ": expected 'group_size', found nothing");
  const uint64_t n_groups = (cols - 1) / group + 1;
  if (n_groups > 8 * width) {
    return module.wrong_form(*a.scales, cat("at least ", n_groups, " columns, one for each ", group, " of ", cols));
  }
  Affine out;
  out.extents = {1, rows, cols, 2};
  out.codes = std::make_shared<GemvCodes>(*a.words, *a.zeros, module.pages(*a.words));
  out.row_step = 8 * width;
  out.group_step = 1;
  out.n_groups = n_groups;
  out.group_size = group;
  return out;
}

/// AWQ and GPTQ name their arrays alike. Where the folder does not say which it is, the shapes do: words go across the
/// output features here, and down the input features there.
bool is_awq(const Module& module, const SafeTensor& words, const SafeTensor* scales) {
  const io::JsonAt config = module.checkpoint().quantization_at();
  if (config["quant_method"].is("awq") || config["packing_format"].is("auto_round:auto_awq")) return true;
  if (config["quant_method"].present()) return false;
  if (config["w_bit"].present()) return true;
  return scales != nullptr && words.shape.size() == 2 && scales->shape.size() == 2 &&
         words.shape[1] * 8 == scales->shape[1];
}

}  // namespace

Result<std::optional<Matrix>> read_awq(const Module& module) {
  Arrays a{module.find(".qweight"), module.find(".qzeros"), module.find(".scales")};
  if (a.words == nullptr || !is_awq(module, *a.words, a.scales)) return std::optional<Matrix>();
  const io::JsonAt config = module.checkpoint().quantization_at();
  for (const char* key : {"bits", "w_bit"}) {
    QUERN_TRY(const auto bits, config[key].integer());
    if (bits && *bits != 4) return config[key].mismatch("4, the bits of AWQ's codes");
  }
  QUERN_TRY(a.zeros, module.need(a.zeros, *a.words, ".qzeros"));
  QUERN_TRY(a.scales, module.need(a.scales, *a.words, ".scales"));
  for (const SafeTensor* array : {a.words, a.zeros, a.scales}) {
    if (array->shape.size() != 2 || array->elements() == 0) return module.wrong_form(*array, "a matrix");
  }
  if (a.words->type != SafeType::i32) return module.wrong_form(*a.words, "I32");
  QUERN_TRY(const std::string version, version_of(config));
  QUERN_TRY(Affine out, version == "gemv" ? gemv(module, a, config) : gemm(module, a, config));
  out.bits = 4;
  QUERN_TRY(out.scales, module.numbers(*a.scales));
  return std::optional<Matrix>(affine_matrix(std::move(out), {a.words, a.zeros, a.scales}));
}

}  // namespace quern::hf
