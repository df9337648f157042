#include "lib/context/pooling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quern::context {

std::vector<uint32_t> pooled_tokens(Pooling pooling, uint32_t n) {
  if (pooling == Pooling::cls) return {0};
  if (pooling == Pooling::last) return {n - 1};
  std::vector<uint32_t> all(n);
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

void pool(Pooling pooling, std::span<const float> states, size_t n_embd, std::vector<float>& out) {
  if (pooling != Pooling::mean) {
    out.insert(out.end(), states.begin(), states.end());
    return;
  }
  std::vector<double> sums(n_embd, 0.0);
  for (size_t i = 0; i < states.size(); ++i) sums[i % n_embd] += static_cast<double>(states[i]);
  const auto n = static_cast<double>(states.size() / n_embd);
  for (const double sum : sums) out.push_back(static_cast<float>(sum / n));
}

Status check_normalization(int32_t kind) {
  QUERN_ENSURE(kind >= -1, Errc::argument, "normalize: expected -1 (none), 0, 1, 2 or the p of a norm, found ", kind);
  return {};
}

namespace {

double norm_of(std::span<const float> vector, int32_t kind) {
  double sum = 0;
  if (kind == 0) {
    for (const float x : vector) sum = std::max(sum, std::fabs(static_cast<double>(x)));
    return sum / 32760;  // the range of 16 bits, and a little room
  }
  if (kind == 2) {
    for (const float x : vector) sum += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(sum);
  }
  for (const float x : vector) sum += std::pow(std::fabs(static_cast<double>(x)), kind);
  return std::pow(sum, 1.0 / kind);
}

}  // namespace

void normalize(std::span<float> vector, int32_t kind) {
  const double norm = kind < 0 ? 0 : norm_of(vector, kind);
  if (!(norm > 0)) return;
  for (float& x : vector) x = static_cast<float>(static_cast<double>(x) / norm);
}

}  // namespace quern::context
