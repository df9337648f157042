// The matrix product of every format: against float64 on the decoded weights, and bit for bit against itself whatever
// the batch and the number of threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "hwy/highway.h"
#include "lib/base/half.h"
#include "lib/cpu/backend.h"
#include "lib/cpu/matmul/activations.h"
#include "lib/cpu/matmul/panel_kernels.h"
#include "lib/quant/format.h"
#include "tests/quant/panel_weights.h"

using namespace quern;
using compute::Mat;
using compute::Usage;

namespace {

/// Random blocks whose half-precision scales are ordinary numbers: random bytes, with every 16-bit word kept below the
/// exponent of infinity and of a moderate size.
std::vector<std::byte> random_weights(const quant::FormatInfo& format, size_t n_blocks, uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<std::byte> out(n_blocks * format.block_bytes);
  if (format.type == tensor::DType::f32) {
    for (size_t i = 0; i < n_blocks; ++i) {
      const float x = std::normal_distribution<float>(0, 1)(rng);
      std::memcpy(out.data() + 4 * i, &x, 4);
    }
    return out;
  }
  std::vector<float> decoded(format.block_elems);
  for (size_t b = 0; b < n_blocks; ++b) {
    std::byte* block = out.data() + b * format.block_bytes;
    const auto tame = [&] {  // redrawn until all values are moderate
      for (size_t i = 0; i < format.block_bytes; ++i) block[i] = static_cast<std::byte>(rng());
      format.decode(block, decoded.data(), format.block_elems);
      for (const float x : decoded) {
        if (!(std::fabs(x) < 1e4f)) return false;
      }
      return true;
    };
    while (!tame()) {
    }
  }
  return out;
}

struct Problem {
  const quant::FormatInfo& format;
  uint32_t k, rows, n;
  std::vector<std::byte> weights;
  std::vector<float> x;

  Problem(const quant::FormatInfo& f, uint32_t k_, uint32_t rows_, uint32_t n_)
      : format(f),
        k(k_),
        rows(rows_),
        n(n_),
        weights(random_weights(f, uint64_t{k_} / f.block_elems * rows_, k_ + rows_)),
        x(uint64_t{n_} * k_) {
    std::mt19937 rng(n_);
    std::normal_distribution<float> normal(0, 1);
    for (float& v : x) v = normal(rng) * (rng() % 50 == 0 ? 10 : 1);  // large ones among small ones
  }

  tensor::TensorView view() const {
    tensor::TensorView v;
    v.data = weights.data();
    v.type = format.type;
    v.shape.ne = {k, rows, 1, 1};
    v.shape.rank = 2;
    v.row_bytes = uint64_t{k} / format.block_elems * format.block_bytes;
    return v;
  }

  /// The product for the rows of x given `at_once`.
  std::vector<float> run(base::ThreadPool& pool, uint32_t at_once, Usage usage = Usage::matmul) const {
    auto backend = cpu::make_backend(pool).value();
    auto stream = backend->make_stream().value();
    auto weight = backend->prepare(view(), usage).value();
    CHECK((weight->size_bytes() > 0) == (usage == Usage::matmul));
    auto in = backend->allocate(x.size()).value(), out = backend->allocate(uint64_t{n} * rows).value();
    const Mat mx{in.get(), 0, n, k, k}, mo{out.get(), 0, n, rows, rows};
    stream->upload(x, mx);
    for (uint32_t from = 0; from < n; from += at_once) {
      const uint32_t count = std::min(at_once, n - from);
      stream->matmul(mx.slice(from, count), *weight, mo.slice(from, count));
    }
    std::vector<float> result(uint64_t{n} * rows);
    stream->download(mo, result);
    REQUIRE(stream->finish());
    return result;
  }

  /// Largest error relative to the size of the terms, against float64 on the weights that panels hold (which are the
  /// decoded ones or, of codebooks, near these) and activations rounded as the kernels round them.
  double relative_error(const std::vector<float>& got) const {
    std::vector<float> row(k);
    double worst = 0;
    for (uint32_t r = 0; r < rows; ++r) {
      quant::decode_panel(format, weights.data() + r * view().row_bytes, row.data(), k);
      for (uint32_t c = 0; c < n; ++c) {
        double exact = 0, size = 0;
        for (uint32_t i = 0; i < k; ++i) {
          const double term = static_cast<double>(row[i]) * activation(c, i);
          exact += term;
          size += std::fabs(term);
        }
        const double error = std::fabs(got[uint64_t{c} * rows + r] - exact) / (size + 1e-30);
        worst = error <= worst ? worst : error;
      }
    }
    return worst;
  }

 private:
  static float highest(const float* x, uint32_t n) {
    float out = 0;
    for (uint32_t i = 0; i < n; ++i) out = std::max(out, std::fabs(x[i]));
    return out;
  }

  /// Element i of column c as lib/cpu/matmul/activations.h says.
  double activation(uint32_t c, uint32_t i) const {
    const float* row = x.data() + uint64_t{c} * k;
    const cpu::ActivationKind kind = cpu::panel_kernels(format.type)->activation;
    if (kind == cpu::ActivationKind::f32) return row[i];
    if (kind == cpu::ActivationKind::per16) {
      const float max = highest(row + i / 16 * 16, 16);
      return max == 0 ? 0 : static_cast<double>(max / 127.0f) * std::nearbyint(row[i] * (127.0f / max));
    }
    const float max = highest(row + i / 256 * 256, 256), near = highest(row + i / 32 * 32, 32);
    if (max == 0) return 0;
    float step = 1;
    while (step < 8 && near * 8 > max * step) step *= 2;
    return static_cast<double>(max / 1016.0f) * step * std::nearbyint(row[i] * (1016.0f / max / step));
  }
};

}  // namespace

TEST_CASE("products equal float64 and do not depend on batch, threads or repacking, for every format and target") {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    CAPTURE(hwy::TargetName(target));
    auto one = base::ThreadPool::create(1).value();
    auto three = base::ThreadPool::create(3).value();
    for (const quant::FormatInfo& format : quant::formats()) {
      CAPTURE(format.name);
      for (const uint32_t rows : {1u, 21u, 64u}) {
        const uint32_t k = format.block_elems == 1 ? 43 : format.block_elems == 256 ? 512 : 3 * format.block_elems;
        const Problem problem(format, k, rows, 19);
        const auto all = problem.run(*one, 19);
        CHECK(problem.relative_error(all) < 1e-6);
        CHECK(all == problem.run(*one, 1));
        CHECK(all == problem.run(*three, 7));
        CHECK(all == problem.run(*three, 19));
        CHECK(all == problem.run(*one, 1, Usage::matmul_in_source));
        CHECK(all == problem.run(*three, 19, Usage::matmul_in_source));
      }
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST_CASE("kernels that use an extension equal those that do not, bit for bit") {
  std::mt19937 rng(1);
  for (const quant::FormatInfo& format : quant::formats()) {
    const cpu::PanelKernels* fast = cpu::panel_kernels(format.type);
    REQUIRE(fast != nullptr);
    if (fast->portable == nullptr) continue;
    CAPTURE(format.name);
    const size_t n_groups = 512 / fast->group_elems;
    const auto weights = random_weights(format, n_groups * fast->lanes, 3);
    std::vector<uint8_t> panel(n_groups * fast->group_bytes);
    const uint8_t* rows[64];
    for (size_t r = 0; r < fast->lanes; ++r) {
      rows[r] = reinterpret_cast<const uint8_t*>(weights.data()) + r * n_groups * format.block_bytes;
    }
    fast->pack_panel(rows, n_groups, panel.data());
    std::vector<uint8_t> tile(8 * cpu::column_bytes(fast->activation, 512));
    for (size_t i = 0; i < tile.size(); i += 4) {
      const float x = std::normal_distribution<float>(0, 1)(rng);
      std::memcpy(tile.data() + i, &x, 4);
    }
    for (const size_t width : cpu::kTileWidths) {
      std::vector<float> a(8 * fast->lanes), b(8 * fast->lanes);
      fast->by_width[width](panel.data(), tile.data(), n_groups, a.data(), fast->lanes, fast->lanes);
      fast->portable->by_width[width](panel.data(), tile.data(), n_groups, b.data(), fast->lanes, fast->lanes);
      CHECK(std::memcmp(a.data(), b.data(), a.size() * 4) == 0);
    }
  }
}

TEST_CASE("tiles cover every column once, in the widths that exist") {
  std::vector<cpu::Tile> tiles;
  for (size_t n = 0; n < 70; ++n) {
    for (const size_t max_width : {1, 2, 4, 8}) {
      tiles.clear();
      cpu::append_tiles(0, n, max_width, 10, tiles);
      size_t column = 0;
      for (const cpu::Tile& tile : tiles) {
        CHECK(tile.first_column == column);
        CHECK(tile.offset == column * 10);
        CHECK(tile.width <= max_width);
        CHECK(std::count(std::begin(cpu::kTileWidths), std::end(cpu::kTileWidths), tile.width) == 1);
        column += tile.width;
      }
      CHECK(column == n);
    }
  }
}
