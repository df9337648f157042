// GPTQ's checkpoints (Frantar et al. 2022, arXiv 2210.17323): 4-bit codes with a scale and a zero point for each group
// of columns. Groups are fitted to the weights as they count; where moments of the inputs are known, codes are then
// chosen by these (refine.h).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "lib/base/half.h"
#include "lib/convert/matrix_form.h"
#include "lib/convert/refine.h"
#include "lib/quant/block.h"
#include "lib/quant/importance.h"

namespace quern::convert {
namespace {

using io::Json;
using io::SafeType;

constexpr int kHighest = 15, kMiddle = 8;
constexpr uint32_t kPiece = 32;  ///< columns of a Block

/// What codes are chosen in: 32 columns of a group, value = d * (q - z). Not stored anywhere.
struct Block {
  uint16_t d;
  uint8_t z, unused;
  uint8_t q[kPiece];
};

void decode(const std::byte* blocks, float* out, size_t n) {
  for (size_t i = 0; i < n; i += kPiece, blocks += sizeof(Block)) {
    const auto block = quant::load<Block>(blocks);
    const float d = base::f16_to_f32(block.d);
    for (uint32_t k = 0; k < kPiece; ++k) out[i + k] = d * static_cast<float>(block.q[k] - block.z);
  }
}

constexpr quant::FormatInfo kFormat = {tensor::DType::int4_32,
                                       "GPTQ",
                                       kPiece,
                                       sizeof(Block),
                                       decode,
                                       nullptr,
                                       {{0, kHighest},
                                        kPiece,
                                        [](const std::byte* bytes, float* scale, float* min) {
                                          const auto block = quant::load<Block>(bytes);
                                          *scale = base::f16_to_f32(block.d);
                                          *min = *scale * block.z;
                                        },
                                        [](const int8_t* levels, std::byte* bytes) {
                                          auto block = quant::load<Block>(bytes);
                                          for (uint32_t k = 0; k < kPiece; ++k)
                                            block.q[k] = static_cast<uint8_t>(levels[k]);
                                          quant::store(block, bytes);
                                        }},
                                       {}};

/// A scale and a zero point.
struct Grid {
  float d = 0;
  int z = kMiddle;
  int code(float x) const {
    const float level = d == 0 ? 0 : std::nearbyint(x / d);
    return static_cast<int>(std::clamp(level + static_cast<float>(z), 0.0f, static_cast<float>(kHighest)));
  }
};

/// The weighted squared error of a grid with the scale that is best for its codes, which it gets.
double refit(const float* x, const float* weights, size_t n, Grid& grid) {
  double xq = 0, qq = 0, xx = 0;
  for (size_t i = 0; i < n; ++i) {
    const double q = grid.code(x[i]) - grid.z, w = weights[i];
    xq += w * x[i] * q;
    qq += w * q * q;
    xx += w * x[i] * x[i];
  }
  if (qq > 0 && xq > 0) grid.d = static_cast<float>(xq / qq);
  return xx - (qq > 0 ? xq * xq / qq : 0);
}

/// The best of some grids: that which spans all of a group, and narrower ones, for which the ends are cut off.
Grid fit(const float* x, const float* weights, size_t n, bool symmetric) {
  float low = 0, high = 0;
  for (size_t i = 0; i < n; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  Grid best{1, kMiddle};  // of nothing but zeros
  if (low == 0 && high == 0) return best;
  constexpr int kSteps = 24;
  double least = -1;
  for (int i = 0; i <= kSteps; ++i) {
    const float part = 1.0f - 0.025f * static_cast<float>(i);
    Grid grid;
    if (symmetric) {
      grid.d = part * std::max(-low, high) / (kMiddle - 0.5f);
    } else {
      grid.d = part * (high - low) / kHighest;
      // Zero points of 0 are left out: version 1 of the format stores them less one, and readers differ about that.
      grid.z = static_cast<int>(std::clamp(std::nearbyint(-low * part / grid.d), 1.0f, static_cast<float>(kHighest)));
    }
    const double error = refit(x, weights, n, grid);
    if (least >= 0 && error >= least) continue;
    least = error;
    best = grid;
  }
  return best;
}

class GptqInt4 final : public MatrixForm {
 public:
  explicit GptqInt4(const FormOptions& options) : options_(options) {}

  std::string_view name() const override { return "GPTQ_INT4"; }
  bool uses_moments() const override { return true; }
  std::string_view config_file() const override { return "quantize_config.json"; }

  const char* fault(const tensor::Shape& shape) const override {
    if (shape.cols() % kPiece != 0) return "its columns are no multiple of 32";
    if (shape.rows() % 32 != 0) return "its rows are no multiple of 32";
    if (shape.cols() % options_.group_size != 0 && shape.cols() > options_.group_size)
      return "its columns are not whole groups";
    return nullptr;
  }

  std::vector<io::SafeArray> arrays(const SourceMatrix& matrix) const override {
    const uint64_t cols = matrix.view.shape.cols(), rows = matrix.view.shape.rows(), n_groups = groups(cols);
    return {{matrix.module + ".qweight", SafeType::i32, {cols / 8, rows}},
            {matrix.module + ".qzeros", SafeType::i32, {n_groups, rows / 8}},
            {matrix.module + ".scales", SafeType::f16, {n_groups, rows}},
            {matrix.module + ".g_idx", SafeType::i32, {cols}}};
  }

  Status write(const SourceMatrix& matrix, RowWork& work, const io::ArraySink& sink) const override {
    Packed packed(matrix, groups(matrix.view.shape.cols()));
    const uint64_t cols = matrix.view.shape.cols();
    struct Worker {
      std::vector<float> weights, importance;
      std::vector<std::byte> blocks;
      std::unique_ptr<Refiner> refiner;
    };
    std::vector<Worker> workers(work.n_threads());
    for (Worker& worker : workers) {
      worker.weights.resize(cols);
      worker.blocks.resize(Refiner::kRows * cols / kPiece * sizeof(Block));
      if (matrix.moments == nullptr) continue;
      worker.importance = matrix.moments->diagonal();
      worker.refiner = Refiner::make(kFormat, *matrix.moments);
    }
    static_assert(Refiner::kRows % 8 == 0, "threads must not share a word of zero points");
    const auto body = [&](float* x, uint64_t first, uint64_t n, size_t thread) {
      Worker& worker = workers[thread];
      const size_t row_bytes = cols / kPiece * sizeof(Block);
      for (uint64_t r = 0; r < n; ++r) {
        const float* const row = x + r * cols;
        quant::weigh(row, worker.importance.empty() ? nullptr : worker.importance.data(), worker.weights);
        put_row(row, worker.weights.data(), cols, worker.blocks.data() + r * row_bytes);
      }
      if (worker.refiner) worker.refiner->refine(x, n, worker.blocks.data(), row_bytes);
      for (uint64_t r = 0; r < n; ++r) packed.take(worker.blocks.data() + r * row_bytes, first + r, group(cols));
    };
    QUERN_CHECK(work.run(matrix, Refiner::kRows, body, [](uint64_t, uint64_t) { return Status(); }));
    std::vector<int32_t> group_of_column(cols);
    for (uint64_t k = 0; k < cols; ++k) group_of_column[k] = static_cast<int32_t>(k / group(cols));
    QUERN_CHECK(sink(0, std::as_bytes(std::span(packed.codes))));
    QUERN_CHECK(sink(1, std::as_bytes(std::span(packed.zeros))));
    QUERN_CHECK(sink(2, std::as_bytes(std::span(packed.scales))));
    return sink(3, std::as_bytes(std::span(group_of_column)));
  }

  Json config(const std::vector<std::string>& left, std::string_view) const override {
    Json::Object out, dynamic;
    const auto text = [](std::string_view t) { return Json(std::string(t)); };
    const auto add = [&out](const char* name, Json value) { out.push_back({name, std::move(value)}); };
    add("bits", Json(int64_t{4}));
    add("group_size", Json(int64_t{options_.group_size}));
    add("desc_act", Json(false));
    add("static_groups", Json(false));
    add("sym", Json(options_.symmetric));
    add("lm_head", Json(false));
    add("true_sequential", Json(false));
    add("damp_percent", Json(0.01));
    add("quant_method", text("gptq"));
    add("checkpoint_format", text("gptq"));
    add("pack_dtype", text("int32"));
    // Modules that stay as they are, as regular expressions after "-:".
    for (const std::string& module : left) {
      std::string pattern = "-:^";
      for (const char c : module) pattern += c == '.' ? std::string("\\.") : std::string(1, c);
      dynamic.push_back({pattern + "$", Json(Json::Object())});
    }
    if (!dynamic.empty()) add("dynamic", Json(std::move(dynamic)));
    add("meta", Json(Json::Object{{"quantizer", Json(Json::Array{text("quern")})}}));
    return Json(std::move(out));
  }

 private:
  /// The arrays of a matrix: codes of eight columns in a word, below one another; zero points of eight rows.
  struct Packed {
    Packed(const SourceMatrix& matrix, uint64_t n_groups)
        : n_rows(matrix.view.shape.rows()),
          codes(matrix.view.shape.cols() / 8 * n_rows),
          zeros(n_groups * n_rows / 8),
          scales(n_groups * n_rows) {}

    void take(const std::byte* blocks, uint64_t row, uint64_t group_size) {
      for (uint64_t k = 0; k < codes.size() / n_rows * 8; k += kPiece, blocks += sizeof(Block)) {
        const auto block = quant::load<Block>(blocks);
        for (uint32_t j = 0; j < kPiece; ++j)
          codes[(k + j) / 8 * n_rows + row] |= static_cast<uint32_t>(block.q[j]) << (4 * (j % 8));
        if (k % group_size != 0) continue;
        const uint64_t group = k / group_size;
        scales[group * n_rows + row] = block.d;
        zeros[(group * n_rows + row) / 8] |= static_cast<uint32_t>(block.z - 1) << (4 * (row % 8));
      }
    }

    uint64_t n_rows;
    std::vector<uint32_t> codes, zeros;
    std::vector<uint16_t> scales;
  };

  uint64_t group(uint64_t cols) const { return std::min<uint64_t>(cols, options_.group_size); }
  uint64_t groups(uint64_t cols) const { return cols / group(cols); }

  void put_row(const float* row, const float* weights, uint64_t cols, std::byte* blocks) const {
    const uint64_t size = group(cols);
    for (uint64_t begin = 0; begin < cols; begin += size) {
      Grid grid = fit(row + begin, weights + begin, size, options_.symmetric);
      const uint16_t d = base::f32_to_f16(grid.d);
      grid.d = base::f16_to_f32(d);
      for (uint64_t k = begin; k < begin + size; k += kPiece, blocks += sizeof(Block)) {
        Block block{d, static_cast<uint8_t>(grid.z), 0, {}};
        for (uint32_t j = 0; j < kPiece; ++j) block.q[j] = static_cast<uint8_t>(grid.code(row[k + j]));
        quant::store(block, blocks);
      }
    }
  }

  FormOptions options_;
};

}  // namespace

Result<std::unique_ptr<MatrixForm>> make_gptq_int4(const FormOptions& options) {
  const uint32_t g = options.group_size;
  QUERN_ENSURE(g > 0 && g % kPiece == 0, Errc::argument, "group_size: expected a multiple of ", kPiece, ", found ", g);
  return std::unique_ptr<MatrixForm>(new GptqInt4(options));
}

}  // namespace quern::convert
