// Every verb of the CPU backend against the reference backend, on every instruction set that is compiled and present.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "lib/quant/format.h"
#include "lib/reference/backend.h"
#include "tests/cpu/fixture.h"

using namespace quern;
using namespace quern::test;
using compute::Mat;
using compute::RopePairs;
using compute::Usage;

TEST_CASE("row operations equal the reference's at odd sizes") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const uint32_t n : {1u, 7u, 16u, 33u, 172u, 1000u}) {
      CAPTURE(n);
      const uint32_t rows = 5;
      const auto x = random_floats(rows * n, n), y = random_floats(rows * n, n + 1, 3), w = random_floats(n, n + 2);
      const auto view = view_of(w, n, 1);
      std::vector<float> got[2][8];
      Bench* benches[2] = {&cpu, &ref};
      for (int i = 0; i < 2; ++i) {
        Bench& b = *benches[i];
        Mat out = b.mat(rows, n), mx = b.mat(rows, n, x), my = b.mat(rows, n, y);
        b.stream->rms_norm(mx, b.weight(view, Usage::vector), 1e-5f, out);
        got[i][0] = b.get(out);
        b.stream->glu(compute::Glu::silu, mx, my, out);
        got[i][1] = b.get(out);
        b.stream->glu(compute::Glu::gelu, mx, my, out);
        got[i][3] = b.get(out);
        b.stream->scale(out, 6);  // beyond the clips
        b.stream->glu(compute::Glu::clipped_silu, out, out, out);
        got[i][7] = b.get(out);
        b.stream->add(mx, my);
        got[i][2] = b.get(mx);
        b.stream->scale(mx, 1.7f);
        got[i][4] = b.get(mx);
        b.stream->scale_rows(mx, b.mat(rows, 1, {1.5f, -2, 0, 3, 0.1f}));
        got[i][5] = b.get(mx);
        b.stream->softcap(mx, 2.5f);
        got[i][6] = b.get(mx);
      }
      CHECK(largest_difference(got[0][3], got[1][3]) < 2e-5);
      CHECK(largest_difference(got[0][7], got[1][7]) < 1e-3);  // of up to 56, and the difference before times 6
      CHECK(largest_difference(got[0][4], got[1][4]) == 0);
      CHECK(largest_difference(got[0][5], got[1][5]) == 0);
      CHECK(largest_difference(got[0][6], got[1][6]) < 2e-6);
      CHECK(largest_difference(got[0][0], got[1][0]) < 2e-6);
      CHECK(largest_difference(got[0][1], got[1][1]) < 2e-5);
      CHECK(largest_difference(got[0][2], got[1][2]) == 0);
    }
  });
}

TEST_CASE("a norm without a weight is one with a weight of ones") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const uint32_t n : {1u, 15u, 16u, 64u, 97u, 256u}) {
      CAPTURE(n);
      const auto x = random_floats(3 * n, n);
      const std::vector<float> ones(n, 1.0f);
      for (Bench* b : {&cpu, &ref}) {
        Mat mx = b->mat(3, n, x), plain = b->mat(3, n), weighted = b->mat(3, n);
        b->stream->rms_norm(mx, 1e-5f, plain);
        b->stream->rms_norm(mx, b->weight(view_of(ones, n, 1), Usage::vector), 1e-5f, weighted);
        CHECK(b->get(plain) == b->get(weighted));
      }
    }
  });
}

TEST_CASE("layer norm and GELU equal their definitions in float64 at odd sizes") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const uint32_t n : {1u, 2u, 7u, 16u, 17u, 33u, 172u, 384u, 1000u}) {
      CAPTURE(n);
      const uint32_t rows = 5;
      const float offset = 3, eps = 1e-5f;
      auto x = random_floats(rows * n, n, 2);
      for (float& value : x) value += offset;
      const auto w = random_floats(n, n + 1), bias = random_floats(n, n + 2);
      std::vector<float> plain(rows * n), shifted(rows * n), gelu(rows * n);
      for (uint32_t r = 0; r < rows; ++r) {
        double mean = 0, squares = 0;
        for (uint32_t c = 0; c < n; ++c) mean += x[r * n + c] / static_cast<double>(n);
        for (uint32_t c = 0; c < n; ++c) squares += (x[r * n + c] - mean) * (x[r * n + c] - mean);
        const double deviation = std::sqrt(squares / n + static_cast<double>(eps));
        for (uint32_t c = 0; c < n; ++c) {
          const double value = x[r * n + c], scaled = (value - mean) / deviation * w[c];
          plain[r * n + c] = static_cast<float>(scaled);
          shifted[r * n + c] = static_cast<float>(scaled + bias[c]);
          const double inner = std::sqrt(2 / 3.14159265358979323846) * (value + 0.044715 * value * value * value);
          gelu[r * n + c] = static_cast<float>(value / 2 * (1 + std::tanh(inner)));
        }
      }
      for (Bench* b : {&cpu, &ref}) {
        const auto& weight = b->weight(view_of(w, n, 1), Usage::vector);
        const auto& shift = b->weight(view_of(bias, n, 1), Usage::vector);
        Mat mx = b->mat(rows, n, x), out = b->mat(rows, n);
        b->stream->layer_norm(mx, weight, nullptr, eps, out);
        CHECK(largest_difference(b->get(out), plain) < 2e-5);
        b->stream->layer_norm(mx, weight, &shift, eps, out);
        const auto all = b->get(out);
        CHECK(largest_difference(all, shifted) < 2e-5);
        for (uint32_t r = 0; r < rows; ++r) {  // a row alone, and in place
          Mat one = b->mat(1, n, {x.begin() + r * n, x.begin() + (r + 1) * n});
          b->stream->layer_norm(one, weight, &shift, eps, one);
          CHECK(b->get(one) == std::vector<float>(all.begin() + r * n, all.begin() + (r + 1) * n));
        }
        b->stream->gelu(mx);
        CHECK(largest_difference(b->get(mx), gelu) < 5e-6);
      }
    }
  });
}

TEST_CASE("layer norm refuses what does not fit") {
  Bench b(reference::make_backend());
  const auto w = random_floats(9, 1);
  const auto& eight = b.weight(view_of(w, 8, 1), Usage::vector);
  const auto& nine = b.weight(view_of(w, 9, 1), Usage::vector);
  const Mat x = b.mat(2, 8, std::vector<float>(16, 1));
  b.stream->layer_norm(x, eight, &nine, 1e-5f, x);
  CHECK_FALSE(b.stream->finish());
  b.stream->layer_norm(x, nine, nullptr, 1e-5f, x);
  CHECK_FALSE(b.stream->finish());
  b.stream->layer_norm(x, eight, nullptr, 1e-5f, b.mat(1, 8));
  CHECK_FALSE(b.stream->finish());
  b.stream->gelu(Mat{});
  CHECK_FALSE(b.stream->finish());
  b.stream->layer_norm(x, eight, &eight, 1e-5f, x);
  CHECK(b.stream->finish());
}

TEST_CASE("gated units and caps of large and special numbers") {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  on_every_target([&](base::ThreadPool& pool) {
    Bench b(cpu::make_backend(pool));
    const std::vector<float> x = {-1e30f, -100, -20, 20, 100, 1e30f, kInf, -0.0f};
    for (const auto kind : {compute::Glu::silu, compute::Glu::gelu}) {
      const Mat out = b.mat(1, 8);
      b.stream->glu(kind, b.mat(1, 8, x), b.mat(1, 8, std::vector<float>(8, 1)), out);
      const auto got = b.get(out);
      for (const size_t i : {0, 1, 2, 7}) CHECK(std::fabs(got[i]) < 1e-6);
      for (const size_t i : {3, 4, 5}) CHECK(got[i] == doctest::Approx(x[i]));
      CHECK(got[6] == kInf);
    }
    const Mat gelu = b.mat(1, 8, x);
    b.stream->gelu(gelu);
    const auto activated = b.get(gelu);
    for (const size_t i : {0, 1, 2, 7}) CHECK(std::fabs(activated[i]) < 1e-6);
    for (const size_t i : {3, 4, 5}) CHECK(activated[i] == doctest::Approx(x[i]));
    CHECK(activated[6] == kInf);
    const Mat capped = b.mat(1, 8, x);
    b.stream->softcap(capped, 30);
    const auto got = b.get(capped);
    CHECK(got[0] == doctest::Approx(-30));
    CHECK(got[6] == doctest::Approx(30));
    CHECK(got[7] == 0);
  });
}

TEST_CASE("rope equals the reference's for both pair layouts and partial rotation") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const auto pairs : {RopePairs::interleaved, RopePairs::halves}) {
      for (const uint32_t n_rot : {2u, 8u, 30u, 64u}) {
        const uint32_t rows = 3, heads = 5, head_dim = 64;
        const auto x = random_floats(rows * heads * head_dim, n_rot),
                   angles = random_floats(rows * n_rot / 2, n_rot + 1, 9);
        std::vector<float> table(rows * n_rot);
        for (uint32_t r = 0; r < rows; ++r) {
          for (uint32_t i = 0; i < n_rot / 2; ++i) {
            table[r * n_rot + i] = std::cos(angles[r * n_rot / 2 + i]);
            table[r * n_rot + n_rot / 2 + i] = std::sin(angles[r * n_rot / 2 + i]);
          }
        }
        std::vector<float> got[2];
        Bench* benches[2] = {&cpu, &ref};
        for (int i = 0; i < 2; ++i) {
          Bench& b = *benches[i];
          Mat mx = b.mat(rows, heads * head_dim, x);
          b.stream->rope(mx, head_dim, n_rot, pairs, b.mat(rows, n_rot, table));
          got[i] = b.get(mx);
        }
        CHECK(largest_difference(got[0], got[1]) < 1e-6);
      }
    }
  });
}
