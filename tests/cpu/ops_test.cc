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
