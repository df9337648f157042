// What the tests of the CPU backend share.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "hwy/highway.h"
#include "lib/compute/ops.h"
#include "lib/cpu/backend.h"

namespace quern::test {

/// One backend with memory for matrices.
struct Bench {
  std::unique_ptr<compute::Backend> backend;
  std::unique_ptr<compute::Stream> stream;
  std::vector<std::unique_ptr<compute::Buffer>> buffers;
  std::vector<std::unique_ptr<compute::Weight>> weights;

  explicit Bench(Result<std::unique_ptr<compute::Backend>> made)
      : backend(std::move(made).value()), stream(backend->make_stream().value()) {}

  compute::Mat mat(uint32_t rows, uint32_t cols) {
    buffers.push_back(backend->allocate(uint64_t{rows} * cols).value());
    return {buffers.back().get(), 0, rows, cols, cols};
  }
  compute::Mat mat(uint32_t rows, uint32_t cols, const std::vector<float>& values) {
    compute::Mat m = mat(rows, cols);
    stream->upload(values, m);
    return m;
  }
  const compute::Weight& weight(const tensor::TensorView& view, compute::Usage usage) {
    weights.push_back(backend->prepare(view, usage).value());
    return *weights.back();
  }
  std::vector<float> get(compute::Mat m) {
    std::vector<float> out(uint64_t{m.rows} * m.cols);
    stream->download(m, out);
    REQUIRE(stream->finish());
    return out;
  }
};

inline std::vector<float> random_floats(size_t n, uint32_t seed, float scale = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(n);
  for (float& x : out) x = normal(rng);
  return out;
}

inline tensor::TensorView view_of(const std::vector<float>& floats, uint64_t cols, uint64_t rows) {
  tensor::TensorView view;
  view.data = reinterpret_cast<const std::byte*>(floats.data());
  view.shape.ne = {cols, rows, 1, 1};
  view.shape.rank = 2;
  view.row_bytes = cols * 4;
  return view;
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    largest = difference <= largest ? largest : difference;  // NaN is the largest of all
  }
  return largest;
}

template <class F>
void on_every_target(F&& f) {
  auto pool = base::ThreadPool::create(2).value();
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    CAPTURE(hwy::TargetName(target));
    f(*pool);
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace quern::test
