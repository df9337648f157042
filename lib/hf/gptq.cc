// GPTQ checkpoints: codes of 2, 3, 4 or 8 bits, with scales and zero points for groups of columns.
//
//   X.qweight  I32 [K * bits / 32, N]   the codes of an output feature, as a stream of words down a column
//   X.qzeros   I32 [G, N * bits / 32]   the zero points of a group, as a stream of words along the row
//   X.scales   F16 [G, N]
//   X.g_idx    I32 [K]                  the group of each input feature; may be absent
//   value[n][k] = scales[g][n] * (q[k][n] - z[g][n])
//
// "gptq", the first version of this form, stores zero points less one, modulo 2^bits; "gptq_v2" as they are. Where
// g_idx is not rising ("desc_act"), the columns are put in the order of their groups.
// Sizes of groups and numbers of bits are taken from the arrays' shapes: so the exceptions from the rule that a
// configuration makes for single modules ("dynamic") need no reading.
// Source: Frantar et al., arXiv:2210.17323; the files' documentation in AutoGPTQ and GPTQModel.
#include <algorithm>
#include <array>
#include <cstring>

#include "lib/hf/affine.h"
#include "lib/hf/bits.h"
#include "lib/hf/readers.h"
#include "lib/io/names.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;

namespace {

class GptqCodes final : public Codes {
 public:
  /// `below`: what stored zero points lack.
  GptqCodes(const SafeTensor& words, const SafeTensor& zeros, uint64_t n, uint32_t bits, uint32_t below, Pages pages)
      : words_(words.bytes),
        zeros_(zeros.bytes),
        n_(n),
        n_words_(words.shape[0]),
        bits_(bits),
        below_(below),
        pages_(pages) {}

  void read(uint64_t row, uint64_t n_rows, uint64_t column, uint64_t n_columns, uint8_t* out,
            size_t stride) const override {
    switch (bits_) {
      case 2:
        return read_bits<2>(row, n_rows, column, n_columns, out, stride);
      case 3:
        return read_bits<3>(row, n_rows, column, n_columns, out, stride);
      case 4:
        return read_bits<4>(row, n_rows, column, n_columns, out, stride);
      default:
        return read_bits<8>(row, n_rows, column, n_columns, out, stride);
    }
  }

  uint32_t zero(uint64_t row, uint64_t group) const override {
    const uint64_t row_bytes = n_ * bits_ / 8;
    return (code_at(zeros_.data() + group * row_bytes, row, bits_) + below_) & ((1u << bits_) - 1);
  }

  /// Every page has some of all rows: they go when the last row has been read.
  void release(uint64_t, uint64_t end) const override {
    if (end == n_) pages_.release(words_);
  }

 private:
  /// 32 codes of a row are kBits words, n_ apart.
  template <int kBits>
  void read_bits(uint64_t row, uint64_t n_rows, uint64_t column, uint64_t n_columns, uint8_t* out,
                 size_t stride) const {
    const uint64_t begin = column / 32 * kBits;
    const uint64_t end = std::min(n_words_, begin + (n_columns + 31) / 32 * kBits);
    for (uint64_t word = begin; word < end; word += kBits, out += 32) {
      const uint64_t n = std::min<uint64_t>(kBits, end - word);
      const std::byte* const at = words_.data() + (word * n_ + row) * 4;
      for (uint64_t r = 0; r < n_rows; ++r) {
        std::array<std::byte, kBits * 4> stream{};
        for (uint64_t i = 0; i < n; ++i) std::memcpy(stream.data() + 4 * i, at + (i * n_ + r) * 4, 4);
        unpack<kBits>(stream.data(), 32, out + r * stride);
      }
    }
  }

  std::span<const std::byte> words_, zeros_;
  uint64_t n_, n_words_;
  uint32_t bits_, below_;
  Pages pages_;
};

struct Arrays {
  const SafeTensor *words, *zeros, *scales, *groups;
  uint64_t rows, cols, n_groups;
  uint32_t bits;
};

/// The arrays, whose shapes agree.
Result<Arrays> find_arrays(const Module& module, const SafeTensor& words) {
  Arrays a{&words, nullptr, nullptr, module.find(".g_idx"), 0, 0, 0, 0};
  QUERN_TRY(a.zeros, module.need(module.find(".qzeros"), words, ".qzeros"));
  QUERN_TRY(a.scales, module.need(module.find(".scales"), words, ".scales"));
  const auto is_matrix = [](const SafeTensor& array) { return array.shape.size() == 2 && array.elements() > 0; };
  if (words.type != SafeType::i32 || !is_matrix(words)) return module.wrong_form(words, "an I32 matrix");
  if (!is_matrix(*a.scales)) return module.wrong_form(*a.scales, "a matrix");
  a.n_groups = a.scales->shape[0];
  a.rows = a.scales->shape[1];
  if (words.shape[1] != a.rows) return module.wrong_form(words, cat(a.rows, " columns, as X.scales has"));
  if (a.zeros->type != SafeType::i32 || !is_matrix(*a.zeros) || a.zeros->shape[0] != a.n_groups) {
    return module.wrong_form(*a.zeros, cat("I32 with ", a.n_groups, " rows"));
  }
  for (const uint32_t bits : {2u, 3u, 4u, 8u}) {
    if (a.zeros->shape[1] * 32 == a.rows * bits) a.bits = bits;
  }
  if (a.bits == 0) {
    return module.wrong_form(*a.zeros, cat("rows of ", a.rows, " codes of 2, 3, 4 or 8 bits in words of 32 bits"));
  }
  a.cols = words.shape[0] * 32 / a.bits;
  if (words.shape[0] * 32 % a.bits != 0) {
    return module.wrong_form(words, cat("columns of whole codes of ", a.bits, " bits"));
  }
  return a;
}

/// 1 where stored zero points are too small by one.
Result<uint32_t> zeros_below(const Module& module, const Arrays& a, io::JsonAt config) {
  uint32_t below = 1;
  for (const char* key : {"checkpoint_format", "format"}) {
    QUERN_TRY(const std::string* const name, config[key].text());
    if (name == nullptr) continue;
    QUERN_ENSURE(*name == "gptq" || *name == "gptq_v2", Errc::unsupported, config[key].place(),
                 ": expected 'gptq' or 'gptq_v2', found ", io::quoted(*name), ", which is not supported");
    below = *name == "gptq";
    break;
  }
  // Symmetric quantization has its zero points in the middle: what the file holds then says more than the name does.
  QUERN_TRY(const auto symmetric, config["sym"].boolean());
  if (!symmetric.value_or(false)) return below;
  const GptqCodes stored(*a.words, *a.zeros, a.rows, a.bits, 0, module.pages(*a.words));
  const uint32_t first = stored.zero(0, 0), middle = 1u << (a.bits - 1);
  for (uint64_t group = 0; group < a.n_groups; ++group) {
    for (uint64_t row = 0; row < a.rows; ++row) {
      if (stored.zero(row, group) != first) return below;
    }
  }
  return first == middle ? 0u : first == middle - 1 ? 1u : below;
}

/// Without an index all groups but the last have the size that the configuration says, or else all have one.
Status use_group_size(const Module& module, const Arrays& a, io::JsonAt config, Affine& out) {
  QUERN_TRY(const auto configured, config["group_size"].integer());
  uint64_t size = configured.value_or(0) > 0 ? static_cast<uint64_t>(*configured) : 0;
  const auto fits = [&] { return size != 0 && (a.cols - 1) / size + 1 == a.n_groups; };
  if (!fits() && a.cols % a.n_groups == 0) size = a.cols / a.n_groups;
  if (!fits()) {
    return module.wrong_form(*a.scales, cat("a row for each group of ", a.cols, " columns"));
  }
  out.group_size = size;
  return {};
}

}  // namespace

Result<std::optional<Matrix>> read_gptq(const Module& module) {
  const SafeTensor* const words = module.find(".qweight");
  if (words == nullptr) return std::optional<Matrix>();
  QUERN_TRY(const Arrays a, find_arrays(module, *words));
  const io::JsonAt config = module.checkpoint().quantization_at();
  Affine out;
  out.extents = {1, a.rows, a.cols, 2};
  out.bits = a.bits;
  QUERN_TRY(const uint32_t below, zeros_below(module, a, config));
  out.codes = std::make_shared<GptqCodes>(*a.words, *a.zeros, a.rows, a.bits, below, module.pages(*a.words));
  QUERN_TRY(out.scales, module.numbers(*a.scales));
  out.row_step = 1;
  out.group_step = a.rows;
  out.n_groups = a.n_groups;
  QUERN_CHECK(a.groups != nullptr && a.groups->elements() > 0 ? use_group_index(module, *a.groups, out)
                                                              : use_group_size(module, a, config, out));
  return std::optional<Matrix>(affine_matrix(std::move(out), {a.words, a.zeros, a.scales, a.groups}));
}

}  // namespace quern::hf
