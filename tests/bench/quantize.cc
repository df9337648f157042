// Quantizers: error beside the reference library's, and speed.
//
//   quern_quantize_bench [FORMAT...]
//
// Errors are those of tests/quant/encode_test.cc: root of the mean of weighted squares over the rows of
// tests/data/quant/input.f32, divided by that of the reference library's blocks of the same numbers; without importance
// and with that of imatrix.f32. Speed: one thread, normally distributed weights.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "lib/quant/format.h"
#include "tests/quant/test_data.h"

using namespace quern;

namespace {

constexpr size_t kCols = 512;

std::vector<float> floats(const std::string& name) {
  const std::vector<std::byte> bytes = read_quant_data(name);
  std::vector<float> out(bytes.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

double error(const std::vector<float>& x, const std::vector<float>& y, const float* weights) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double miss = static_cast<double>(x[i]) - y[i];
    sum += (weights != nullptr ? weights[i % kCols] : 1.0f) * miss * miss;
  }
  return std::sqrt(sum);
}

/// Ours divided by theirs, or 0 where there is nothing to compare with.
double ratio(const quant::FormatInfo& format, const std::vector<float>& x, const float* weights) {
  const std::vector<float> theirs =
      floats(std::string(format.name) + (weights != nullptr ? ".imat" : ".noimat") + ".deq.f32");
  if (theirs.size() != x.size()) return 0;
  std::vector<std::byte> blocks(kCols / format.block_elems * format.block_bytes);
  std::vector<float> ours(x.size());
  for (size_t i = 0; i < x.size(); i += kCols) {
    format.encode(x.data() + i, weights, kCols, blocks.data());
    format.decode(blocks.data(), ours.data() + i, kCols);
  }
  return error(x, ours, weights) / error(x, theirs, weights);
}

/// Weights a second.
double speed(const quant::FormatInfo& format) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> x(size_t{1} << 18);
  for (float& v : x) v = normal(rng);
  std::vector<std::byte> blocks(x.size() / format.block_elems * format.block_bytes);
  double best = 1e30;
  for (int round = 0; round < 3; ++round) {
    const auto start = std::chrono::steady_clock::now();
    format.encode(x.data(), nullptr, x.size(), blocks.data());
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return static_cast<double>(x.size()) / best;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<float> x = floats("input.f32"), weights = floats("imatrix.f32");
  if (x.empty() || weights.size() != kCols) {
    std::fprintf(stderr, "tests/data/quant is not there\n");
    return 1;
  }
  std::printf("| format | bits | error, plain | error, weighted | million weights/s |\n|---|---|---|---|---|\n");
  for (const quant::FormatInfo& format : quant::formats()) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted |= std::string(argv[i]) == format.name;
    if (!wanted || format.encode == nullptr || format.block_elems == 1) continue;
    const double plain = ratio(format, x, nullptr), weighted = ratio(format, x, weights.data());
    const auto text = [](double value) {
      char out[16];
      std::snprintf(out, sizeof out, "%.3f", value);
      return value > 0 ? std::string(out) : std::string("-");
    };
    std::printf("| %s | %.4g | %s | %s | %.1f |\n", format.name, 8.0 * format.block_bytes / format.block_elems,
                text(plain).c_str(), text(weighted).c_str(), speed(format) / 1e6);
  }
  return 0;
}
