#include "lib/convert/imatrix_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "lib/convert/tensor_names.h"

namespace quern::convert {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kActive = 1e-5;

/// kNone where they cannot be compared.
double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return kNone;
  double dot = 0, a_square = 0, b_square = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    dot += x * y;
    a_square += x * x;
    b_square += y * y;
  }
  return a_square > 0 && b_square > 0 ? dot / std::sqrt(a_square) / std::sqrt(b_square) : kNone;
}

ImatrixTensorStats stats_of(const std::string& name, const std::vector<float>& values) {
  ImatrixTensorStats out;
  out.name = name;
  out.layer = static_cast<int32_t>(layer_of(name));
  out.n = values.size();
  const auto n = static_cast<double>(values.size());
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  out.min = *least;
  out.max = *most;
  for (const float value : values) out.sum += value;
  out.mean = out.sum / n;
  double variance = 0;
  for (const float value : values) variance += (value - out.mean) * (value - out.mean) / n;
  out.stddev = std::sqrt(variance);
  for (const float value : values) {
    const double share = out.sum > 0 ? value / out.sum : 0;
    if (share > 0) out.entropy -= share * std::log2(share);
    if (value > kActive) out.active += 1 / n;
    if (value > out.mean + out.stddev) out.zd_score += 1 / n;
  }
  return out;
}

}  // namespace

double ImatrixTensorStats::normalized_entropy() const {
  return n > 1 ? entropy / std::log2(static_cast<double>(n)) : kNone;
}

std::vector<ImatrixTensorStats> tensor_stats(const Imatrix& imatrix) {
  std::vector<ImatrixTensorStats> out;
  for (const auto& [name, entry] : imatrix.entries) {
    const auto values = entry.means();
    out.push_back(stats_of(name, values));
    out.back().cosine = kNone;
    if (out.back().layer < 1) continue;
    const auto before = imatrix.entries.find(with_layer(name, out.back().layer - 1));
    if (before != imatrix.entries.end()) out.back().cosine = cosine(values, before->second.means());
  }
  std::sort(out.begin(), out.end(), [](const ImatrixTensorStats& a, const ImatrixTensorStats& b) {
    return std::tie(a.layer, a.name) < std::tie(b.layer, b.name);
  });
  return out;
}

std::vector<ImatrixLayerStats> layer_stats(const std::vector<ImatrixTensorStats>& tensors) {
  struct Sums {
    double n = 0, n_compared = 0;
    ImatrixLayerStats stats;
  };
  std::map<int32_t, Sums> layers;
  for (const ImatrixTensorStats& tensor : tensors) {
    if (tensor.layer < 0) continue;
    Sums& sums = layers[tensor.layer];
    const auto n = static_cast<double>(tensor.n);
    sums.n += n;
    sums.stats.sum += n * tensor.sum;
    sums.stats.zd_score += n * tensor.zd_score;
    if (std::isnan(tensor.cosine)) continue;
    sums.n_compared += n;
    sums.stats.cosine += n * tensor.cosine;
  }
  std::vector<ImatrixLayerStats> out;
  for (const auto& [layer, sums] : layers) {
    out.push_back({layer, sums.stats.sum / sums.n, sums.stats.zd_score / sums.n,
                   sums.n_compared > 0 ? sums.stats.cosine / sums.n_compared : kNone});
  }
  return out;
}

}  // namespace quern::convert
