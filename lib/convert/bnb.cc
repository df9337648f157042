// bitsandbytes' checkpoints: LLM.int8() (Dettmers et al. 2022, arXiv 2208.07339), and the 4-bit types of QLoRA
// (Dettmers et al. 2023, arXiv 2305.14314) with and without quantized scales. The codes are those that bitsandbytes
// would choose.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "lib/base/half.h"
#include "lib/convert/matrix_form.h"
#include "lib/quant/bitsandbytes.h"

namespace quern::convert {
namespace {

using io::Json;
using io::SafeType;

constexpr uint64_t kBlock = 64;         ///< elements that share a scale; blocks do not end with the rows
constexpr uint64_t kNestedBlock = 256;  ///< scales that share one of their own

Json json(std::string_view text) { return Json(std::string(text)); }
Json json(const char* text) { return Json(std::string(text)); }
/// Out of line: where g++ 12 sees a variant made and moved at once, it warns of members that it does not have.
[[gnu::noinline]] Json made(Json::Value value) { return Json(std::move(value)); }
Json json(bool flag) { return made(flag); }
Json json(double number) { return made(number); }

struct Settings {
  bool four_bits = false, double_quant = false;
  std::string_view codes = "fp4";
};

/// What transformers writes for BitsAndBytesConfig, and reads back.
Json bnb_config(const Settings& settings, const std::vector<std::string>& left, std::string_view type) {
  Json::Array skipped = {json("lm_head")};
  for (const std::string& module : left) skipped.push_back(json(module));
  Json::Object out;
  const auto add = [&out](const char* name, Json value) { out.push_back({name, std::move(value)}); };
  add("_load_in_4bit", json(settings.four_bits));
  add("_load_in_8bit", json(!settings.four_bits));
  add("bnb_4bit_compute_dtype", json(settings.four_bits ? type : "float32"));
  add("bnb_4bit_quant_storage", json("uint8"));
  add("bnb_4bit_quant_type", json(settings.codes));
  add("bnb_4bit_use_double_quant", json(settings.double_quant));
  add("llm_int8_enable_fp32_cpu_offload", json(false));
  add("llm_int8_has_fp16_weight", json(false));
  add("llm_int8_skip_modules", Json(std::move(skipped)));
  add("llm_int8_threshold", json(6.0));
  add("load_in_4bit", json(settings.four_bits));
  add("load_in_8bit", json(!settings.four_bits));
  add("quant_method", json("bitsandbytes"));
  return Json(std::move(out));
}

template <class T>
std::span<const std::byte> bytes_of(const T& list) {
  return std::as_bytes(std::span(list));
}

/// The largest magnitude of n numbers.
float largest(const float* x, size_t n) {
  float out = 0;
  for (size_t i = 0; i < n; ++i) out = std::max(out, std::abs(x[i]));
  return out;
}

/// What a block is multiplied with, so that it lies in [-1, 1].
float inverse_of(float absmax) { return 1.0f / std::max(absmax, 1e-38f); }

/// The nearest of increasing values; in the middle between two, the lower.
template <size_t kSize>
struct Nearest {
  explicit Nearest(const std::array<float, kSize>& values) {
    for (size_t i = 0; i + 1 < kSize; ++i) middles[i] = (values[i] + values[i + 1]) / 2;
  }
  std::array<float, kSize - 1> middles;
};

class Bnb4 final : public MatrixForm {
 public:
  Bnb4(std::string_view name, bool nf4, bool double_quant)
      : name_(name), nf4_(nf4), double_quant_(double_quant), codebook_(nf4 ? quant::kNf4 : quant::kBnbFp4) {
    // By magnitude where the fourth bit is a sign.
    std::vector<int> order;
    for (int code = 0; code < (nf4 ? 16 : 8); ++code) order.push_back(code);
    std::sort(order.begin(), order.end(), [&](int a, int b) { return value(a) < value(b); });
    std::copy(order.begin(), order.end(), code_of_rank_.begin());
    n_middles_ = order.size() - 1;
    for (size_t i = 0; i < n_middles_; ++i) middles_[i] = (value(order[i]) + value(order[i + 1])) / 2;
  }

  std::string_view name() const override { return name_; }
  const char* fault(const tensor::Shape&) const override { return nullptr; }

  std::vector<io::SafeArray> arrays(const SourceMatrix& matrix) const override {
    const uint64_t n = matrix.view.shape.elements(), n_blocks = (n + kBlock - 1) / kBlock;
    const std::string weight = matrix.module + ".weight";
    std::vector<io::SafeArray> out = {
        {weight, SafeType::u8, {(n + 1) / 2, 1}},
        {weight + ".absmax", double_quant_ ? SafeType::u8 : SafeType::f32, {n_blocks}},
        {weight + ".quant_map", SafeType::f32, {16}},
        {cat(weight, ".quant_state.bitsandbytes__", codes()), SafeType::u8, {state_text(matrix, 0).size()}},
    };
    if (double_quant_) {
      out.push_back({weight + ".nested_absmax", SafeType::f32, {(n_blocks + kNestedBlock - 1) / kNestedBlock}});
      out.push_back({weight + ".nested_quant_map", SafeType::f32, {quant::kDynamicMap.size()}});
    }
    return out;
  }

  Status write(const SourceMatrix& matrix, RowWork& work, const io::ArraySink& sink) const override {
    const uint64_t cols = matrix.view.shape.cols(), n = matrix.view.shape.elements();
    std::vector<float> absmax((n + kBlock - 1) / kBlock);
    std::vector<uint8_t> packed;
    uint64_t step_begin = 0;
    packed.resize((RowWork::step_rows(matrix, kBlock) * cols + 1) / 2);
    // 64 rows are whole blocks, whatever the number of columns.
    const auto body = [&](const float* x, uint64_t first, uint64_t n_rows, size_t) {
      const uint64_t begin = first * cols, count = n_rows * cols;
      for (uint64_t i = 0; i < count; i += kBlock) {
        const uint64_t n_here = std::min(kBlock, count - i);
        absmax[(begin + i) / kBlock] = put_block(x + i, n_here, packed.data() + (begin + i) / 2 - step_begin);
      }
    };
    const auto done = [&](uint64_t begin, uint64_t end) {
      const uint64_t size = (end * cols + 1) / 2 - begin * cols / 2;
      step_begin = end * cols / 2;
      return sink(0, bytes_of(std::span(packed).first(size)));
    };
    QUERN_CHECK(work.run(matrix, kBlock, body, done));
    QUERN_CHECK(sink(2, bytes_of(codebook_.values)));
    if (double_quant_) return write_nested(matrix, absmax, sink);
    QUERN_CHECK(sink(1, bytes_of(absmax)));
    return sink(3, bytes_of(state_text(matrix, 0)));
  }

  Json config(const std::vector<std::string>& left, std::string_view type) const override {
    return bnb_config({true, double_quant_, codes()}, left, type);
  }

 private:
  std::string_view codes() const { return nf4_ ? "nf4" : "fp4"; }
  float value(int code) const { return codebook_.values[static_cast<size_t>(code)]; }

  uint8_t code_of(float v) const {
    const float magnitude = nf4_ ? v : std::abs(v);
    size_t rank = 0;
    for (size_t i = 0; i < n_middles_; ++i) rank += magnitude > middles_[i];
    return static_cast<uint8_t>(code_of_rank_[rank] | (!nf4_ && v < 0 ? 8 : 0));
  }

  /// The codes of a block, the first of two neighbours in the high bits; returns its largest magnitude.
  float put_block(const float* x, uint64_t n, uint8_t* packed) const {
    const float absmax = largest(x, n), inverse = inverse_of(absmax);
    uint8_t codes[kBlock + 1] = {};
    for (uint64_t i = 0; i < n; ++i) codes[i] = code_of(std::clamp(x[i] * inverse, -1.0f, 1.0f));
    if (n % 2 != 0) codes[n] = code_of(0);
    for (uint64_t i = 0; i < n; i += 2) packed[i / 2] = static_cast<uint8_t>(codes[i] << 4 | codes[i + 1]);
    return absmax;
  }

  /// The scales, less their mean, as codes with scales of their own.
  Status write_nested(const SourceMatrix& matrix, const std::vector<float>& absmax, const io::ArraySink& sink) const {
    double sum = 0;
    for (const float a : absmax) sum += a;
    const auto offset = static_cast<float>(sum / static_cast<double>(absmax.size()));
    std::vector<uint8_t> codes(absmax.size());
    std::vector<float> nested;
    const Nearest<256> nearest(quant::kDynamicMap);
    float shifted[kNestedBlock];
    for (size_t i = 0; i < absmax.size(); i += kNestedBlock) {
      const size_t n = std::min<size_t>(kNestedBlock, absmax.size() - i);
      for (size_t k = 0; k < n; ++k) shifted[k] = absmax[i + k] - offset;
      nested.push_back(largest(shifted, n));
      const float inverse = inverse_of(nested.back());
      for (size_t k = 0; k < n; ++k) {
        const float v = std::clamp(shifted[k] * inverse, -1.0f, 1.0f);
        const auto above = std::lower_bound(nearest.middles.begin(), nearest.middles.end(), v);
        codes[i + k] = static_cast<uint8_t>(above - nearest.middles.begin());
      }
    }
    QUERN_CHECK(sink(1, bytes_of(codes)));
    QUERN_CHECK(sink(3, bytes_of(state_text(matrix, offset))));
    QUERN_CHECK(sink(4, bytes_of(nested)));
    return sink(5, bytes_of(quant::kDynamicMap));
  }

  /// What bitsandbytes keeps as JSON. It has the same length for every offset: arrays' sizes are told before their
  /// contents are known.
  std::string state_text(const SourceMatrix& matrix, float offset) const {
    const tensor::Shape& shape = matrix.view.shape;
    std::string out = cat("{\"quant_type\": \"", codes(), "\", \"blocksize\": ", kBlock, ", \"dtype\": \"",
                          torch_type(matrix.view.type), "\", \"shape\": [", shape.rows(), ", ", shape.cols(), "]");
    if (double_quant_) {
      char digits[32];
      const auto end = std::to_chars(digits, digits + sizeof digits, offset, std::chars_format::scientific, 9).ptr;
      out += cat(", \"nested_blocksize\": ", kNestedBlock, ", \"nested_dtype\": \"float32\", \"nested_offset\": ",
                 std::string_view(digits, static_cast<size_t>(end - digits)));
    }
    return out + "}";
  }

  std::string_view name_;
  bool nf4_, double_quant_;
  const quant::Codebook4bit& codebook_;
  std::array<int, 16> code_of_rank_{};
  std::array<float, 15> middles_{};
  size_t n_middles_ = 0;
};

class BnbInt8 final : public MatrixForm {
 public:
  std::string_view name() const override { return "BNB_INT8"; }
  const char* fault(const tensor::Shape&) const override { return nullptr; }

  std::vector<io::SafeArray> arrays(const SourceMatrix& matrix) const override {
    const tensor::Shape& shape = matrix.view.shape;
    return {{matrix.module + ".weight", SafeType::i8, {shape.rows(), shape.cols()}},
            {matrix.module + ".SCB", SafeType::f32, {shape.rows()}},
            {matrix.module + ".weight_format", SafeType::u8, {}}};
  }

  Status write(const SourceMatrix& matrix, RowWork& work, const io::ArraySink& sink) const override {
    const uint64_t cols = matrix.view.shape.cols();
    constexpr uint64_t kRows = 16;
    std::vector<float> absmax(matrix.view.shape.rows());
    std::vector<int8_t> codes(RowWork::step_rows(matrix, kRows) * cols);
    uint64_t step_begin = 0;
    const auto body = [&](float* x, uint64_t first, uint64_t n_rows, size_t) {
      for (uint64_t r = 0; r < n_rows; ++r, x += cols) {
        // bitsandbytes turns weights into halves first.
        for (uint64_t i = 0; i < cols; ++i) x[i] = base::f16_to_f32(base::f32_to_f16(x[i]));
        const float scale = largest(x, cols), factor = scale > 0 ? 127.0f / scale : 0;
        absmax[first + r] = scale;
        if (std::isinf(scale)) continue;  // an error, below
        int8_t* const out = codes.data() + (first + r - step_begin) * cols;
        for (uint64_t i = 0; i < cols; ++i) out[i] = static_cast<int8_t>(std::nearbyint(x[i] * factor));
      }
    };
    const auto done = [&](uint64_t begin, uint64_t end) -> Status {
      const auto infinite =
          std::find_if(absmax.begin() + static_cast<ptrdiff_t>(begin), absmax.begin() + static_cast<ptrdiff_t>(end),
                       [](float a) { return std::isinf(a); });
      QUERN_ENSURE(infinite == absmax.begin() + static_cast<ptrdiff_t>(end), Errc::format, matrix.place, ", row ",
                   infinite - absmax.begin(), ": a number is too large for F16, which LLM.int8() starts from");
      step_begin = end;
      return sink(0, bytes_of(std::span(codes).first((end - begin) * cols)));
    };
    QUERN_CHECK(work.run(matrix, kRows, body, done));
    QUERN_CHECK(sink(1, bytes_of(absmax)));
    constexpr std::array<uint8_t, 1> kRowMajor = {0};
    return sink(2, bytes_of(kRowMajor));
  }

  Json config(const std::vector<std::string>& left, std::string_view type) const override {
    return bnb_config({}, left, type);
  }
};

}  // namespace

Result<std::unique_ptr<MatrixForm>> make_bnb_nf4(const FormOptions&) {
  return std::unique_ptr<MatrixForm>(new Bnb4("BNB_NF4", true, false));
}
Result<std::unique_ptr<MatrixForm>> make_bnb_nf4_dq(const FormOptions&) {
  return std::unique_ptr<MatrixForm>(new Bnb4("BNB_NF4_DQ", true, true));
}
Result<std::unique_ptr<MatrixForm>> make_bnb_fp4(const FormOptions&) {
  return std::unique_ptr<MatrixForm>(new Bnb4("BNB_FP4", false, false));
}
Result<std::unique_ptr<MatrixForm>> make_bnb_fp4_dq(const FormOptions&) {
  return std::unique_ptr<MatrixForm>(new Bnb4("BNB_FP4_DQ", false, true));
}
Result<std::unique_ptr<MatrixForm>> make_bnb_int8(const FormOptions&) {
  return std::unique_ptr<MatrixForm>(new BnbInt8());
}

}  // namespace quern::convert
