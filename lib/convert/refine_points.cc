// Coordinate descent where blocks hold points of a grid: eight elements move at a time.
//
// With D the change of eight values, H the 8 x 8 part of the moments on their columns and g their gradient, the error
// changes by 2 g D + D H D. Without a grid -H^-1 g would be the best change. The points nearest to where that leads, by
// the diagonal of H alone, are the candidates; of these the one that really leaves the least error is taken, and then
// signs that are better turned.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "lib/convert/refine.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/convert/refine_points.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::convert::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// costs[p] = sum over i of m (square[i] * m + linear[i]), with m = coordinates[i * n + p]. n: a multiple of 64.
void point_costs(const float* coordinates, size_t n, size_t dims, const float* square, const float* linear,
                 float* costs) {
  const hn::ScalableTag<float> d;
  for (size_t p = 0; p < n; p += hn::Lanes(d)) {
    auto sum = hn::Zero(d);
    for (size_t i = 0; i < dims; ++i) {
      const auto m = hn::LoadU(d, coordinates + i * n + p);
      sum = hn::MulAdd(m, hn::MulAdd(hn::Set(d, square[i]), m, hn::Set(d, linear[i])), sum);
    }
    hn::StoreU(sum, d, costs + p);
  }
}

}  // namespace quern::convert::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::convert {
namespace {

HWY_EXPORT(point_costs);

constexpr size_t kGroup = 8;        ///< elements that move together
constexpr size_t kNearest = 12;     ///< points that are tried, where one point is a whole group
constexpr size_t kNearestHalf = 4;  ///< of each half, where two points are
using Eight = std::array<float, kGroup>;

/// The moments of eight columns.
struct Square {
  float at[kGroup][kGroup];

  Eight times(const Eight& x) const {
    Eight out{};
    for (size_t i = 0; i < kGroup; ++i) {
      for (size_t j = 0; j < kGroup; ++j) out[i] += at[i][j] * x[j];
    }
    return out;
  }
  /// The x with (this) x = b, by Cholesky's method; b by the diagonal alone where rounding has left no positive matrix.
  Eight solve(const Eight& b) const {
    double l[kGroup][kGroup], y[kGroup];
    Eight x;
    for (size_t i = 0; i < kGroup; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        double sum = at[i][j];
        for (size_t k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
        if (i != j) {
          l[i][j] = sum / l[j][j];
          continue;
        }
        if (!(sum > 1e-6 * at[i][i])) {
          for (size_t k = 0; k < kGroup; ++k) x[k] = b[k] / at[k][k];
          return x;
        }
        l[i][i] = std::sqrt(sum);
      }
    }
    for (size_t i = 0; i < kGroup; ++i) {
      y[i] = b[i];
      for (size_t k = 0; k < i; ++k) y[i] -= l[i][k] * y[k];
      y[i] /= l[i][i];
    }
    for (size_t i = kGroup; i-- > 0;) {
      for (size_t k = i + 1; k < kGroup; ++k) y[i] -= l[k][i] * y[k];
      y[i] /= l[i][i];
      x[i] = static_cast<float>(y[i]);
    }
    return x;
  }
};

/// Eight elements as blocks hold them.
struct Choice {
  std::array<uint16_t, 2> points{};  ///< the second where a point has four coordinates
  uint8_t signs = 0;
  Eight value{};
};

/// What moving eight values would do.
struct Problem {
  Square h;
  Eight gradient, from, target;
  float scale;

  /// How much the error grows, and the gradient afterwards.
  float loss(const Eight& to, Eight& after) const {
    Eight change;
    for (size_t i = 0; i < kGroup; ++i) change[i] = to[i] - from[i];
    after = h.times(change);
    float sum = 0;
    for (size_t i = 0; i < kGroup; ++i) {
      sum += change[i] * (2 * gradient[i] + after[i]);
      after[i] += gradient[i];
    }
    return sum;
  }
};

class PointRefiner final : public Refiner {
 public:
  PointRefiner(const quant::FormatInfo& format, const Moments& moments)
      : Refiner(format, moments),
        access_(format.point_access),
        per_group_(kGroup / access_.grid.dims),
        coordinates_(size_t{access_.grid.dims} * access_.grid.n),
        costs_(access_.grid.n),
        scale_(moments.n_cols() / access_.sub),
        points_(moments.n_cols() / access_.grid.dims),
        signs_(moments.n_cols() / kGroup),
        values_(moments.n_cols()) {
    for (uint32_t p = 0; p < access_.grid.n; ++p) {
      for (uint32_t i = 0; i < access_.grid.dims; ++i) {
        coordinates_[size_t{i} * access_.grid.n + p] = access_.grid.coordinate(p, i);
      }
    }
  }

 private:
  void sweep(const float* decoded, float* gradient, std::byte* blocks) override {
    load(decoded, blocks);
    for (int i = 0; i < kSweeps; ++i) {
      bool moved = false;
      for (size_t g = 0; g < signs_.size(); ++g) moved |= move(g, gradient);
      if (!moved) break;
    }
    const size_t n = format_.block_elems;
    for (size_t b = 0; b < values_.size() / n; ++b) {
      access_.put_points(points_.data() + b * n / access_.grid.dims, signs_.data() + b * n / kGroup,
                         blocks + b * format_.block_bytes);
    }
  }

  void load(const float* decoded, const std::byte* blocks) {
    const size_t per_block = format_.block_elems / access_.sub;
    for (size_t b = 0; b < scale_.size() / per_block; ++b) {
      access_.scales(blocks + b * format_.block_bytes, scale_.data() + b * per_block);
    }
    std::copy_n(decoded, values_.size(), values_.begin());
    const Eight even{1, 1, 1, 1, 1, 1, 1, 1};
    for (size_t g = 0; g < signs_.size(); ++g) {
      const float scale = scale_[g * kGroup / access_.sub];
      signs_[g] = 0;
      for (size_t i = 0; i < kGroup; ++i) signs_[g] |= static_cast<uint8_t>((decoded[g * kGroup + i] < 0) << i);
      for (size_t p = 0; p < per_group_; ++p) {
        uint16_t& point = points_[g * per_group_ + p];
        point = 0;
        if (scale != 0) nearest(decoded + g * kGroup, even.data(), scale, p, {&point, 1});
      }
    }
  }

  /// The points nearest to part p of eight values, nearest first.
  void nearest(const float* values, const float* weights, float scale, size_t p, std::span<uint16_t> out) {
    const size_t dims = access_.grid.dims;
    Eight linear;
    for (size_t i = 0; i < dims; ++i) linear[i] = -2 * weights[p * dims + i] * std::fabs(values[p * dims + i] / scale);
    HWY_DYNAMIC_DISPATCH(point_costs)
    (coordinates_.data(), costs_.size(), dims, weights + p * dims, linear.data(), costs_.data());
    std::array<float, kNearest> best;
    best.fill(std::numeric_limits<float>::infinity());
    for (size_t c = 0; c < costs_.size(); ++c) {
      if (!(costs_[c] < best[out.size() - 1])) continue;
      size_t at = out.size() - 1;
      for (; at > 0 && costs_[c] < best[at - 1]; --at) {
        best[at] = best[at - 1];
        out[at] = out[at - 1];
      }
      best[at] = costs_[c];
      out[at] = static_cast<uint16_t>(c);
    }
  }

  /// Gives those points the signs of the target; where their number must be even and is not, the least matters.
  void complete(const Problem& problem, Choice& choice) const {
    const size_t dims = access_.grid.dims;
    choice.signs = 0;
    float least = std::numeric_limits<float>::infinity();
    size_t turn = 0;
    for (size_t i = 0; i < kGroup; ++i) {
      const float size =
          problem.scale * access_.grid.coordinate(choice.points[i / dims], static_cast<uint32_t>(i % dims));
      const bool minus = (problem.target[i] < 0) != (problem.scale < 0);
      choice.signs |= static_cast<uint8_t>(minus << i);
      choice.value[i] = minus ? -size : size;
      const float matters = problem.h.at[i][i] * problem.target[i] * choice.value[i];
      if (matters < least) {
        least = matters;
        turn = i;
      }
    }
    if (access_.grid.even_signs && std::popcount(choice.signs) % 2 != 0) turn_sign(choice, turn);
  }
  static void turn_sign(Choice& choice, size_t i) {
    choice.signs ^= static_cast<uint8_t>(1u << i);
    choice.value[i] = -choice.value[i];
  }

  /// Turns signs (pairs of them, where their number must stay even) as long as one pass over them gains by it.
  float turn_signs(const Problem& problem, Choice& choice, float loss, Eight& after) const {
    const auto gain = [&](size_t i) { return 4 * choice.value[i] * (after[i] - problem.h.at[i][i] * choice.value[i]); };
    for (size_t i = 0; i < kGroup; ++i) {
      for (size_t j = i; j < kGroup; ++j) {
        if ((i == j) == access_.grid.even_signs) continue;
        const float both =
            i == j ? gain(i) : gain(i) + gain(j) - 8 * problem.h.at[i][j] * choice.value[i] * choice.value[j];
        if (!(both > 0)) continue;
        turn_sign(choice, i);
        if (i != j) turn_sign(choice, j);
        loss = problem.loss(choice.value, after);
      }
    }
    return loss;
  }

  Problem problem_of(size_t g, const float* gradient) const {
    Problem problem;
    const size_t k = g * kGroup;
    problem.scale = scale_[k / access_.sub];
    for (size_t i = 0; i < kGroup; ++i) {
      problem.gradient[i] = gradient[k + i];
      problem.from[i] = values_[k + i];
      std::copy_n(moments_.row(k + i) + k, kGroup, problem.h.at[i]);
    }
    problem.target = problem.h.solve(problem.gradient);
    for (size_t i = 0; i < kGroup; ++i) problem.target[i] = problem.from[i] - problem.target[i];
    return problem;
  }

  /// Whether the eight elements of group g move.
  bool move(size_t g, float* gradient) {
    if (scale_[g * kGroup / access_.sub] == 0) return false;
    const Problem problem = problem_of(g, gradient);
    Eight diagonal;
    for (size_t i = 0; i < kGroup; ++i) diagonal[i] = problem.h.at[i][i];
    std::array<uint16_t, kNearest> first, second{};
    const size_t n_first = per_group_ == 1 ? kNearest : kNearestHalf, n_second = per_group_ == 1 ? 1 : kNearestHalf;
    nearest(problem.target.data(), diagonal.data(), problem.scale, 0, std::span(first).first(n_first));
    if (per_group_ > 1)
      nearest(problem.target.data(), diagonal.data(), problem.scale, 1, std::span(second).first(n_second));
    Choice best;
    Eight after, best_after{};
    float least = std::numeric_limits<float>::infinity();
    for (size_t c = 0; c < n_first * n_second; ++c) {
      Choice choice;
      choice.points = {first[c / n_second], second[c % n_second]};
      complete(problem, choice);
      const float loss = problem.loss(choice.value, after);
      if (!(loss < least)) continue;
      least = loss;
      best = choice;
      best_after = after;
    }
    least = turn_signs(problem, best, least, best_after);
    return least < 0 && take(g, problem, best, gradient);
  }

  bool take(size_t g, const Problem& problem, const Choice& choice, float* gradient) {
    const size_t k = g * kGroup;
    if (choice.value == problem.from) return false;
    for (size_t i = 0; i < kGroup; ++i) {
      if (choice.value[i] != problem.from[i]) follow(k + i, choice.value[i] - problem.from[i], gradient);
      values_[k + i] = choice.value[i];
    }
    signs_[g] = choice.signs;
    std::copy_n(choice.points.begin(), per_group_, points_.begin() + static_cast<ptrdiff_t>(g * per_group_));
    return true;
  }

  const quant::PointAccess& access_;
  size_t per_group_;                  ///< points of eight elements
  std::vector<float> coordinates_;    ///< [dims, n points]
  std::vector<float> costs_, scale_;  ///< per point; per sub-block of a row
  std::vector<uint16_t> points_;      ///< of a row, as are:
  std::vector<uint8_t> signs_;
  std::vector<float> values_;
};

}  // namespace

std::unique_ptr<Refiner> make_point_refiner(const quant::FormatInfo& format, const Moments& moments) {
  return std::make_unique<PointRefiner>(format, moments);
}

}  // namespace quern::convert
#endif  // HWY_ONCE
