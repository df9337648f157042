// Recurrent layers: the verbs against a float64 evaluation of their definitions, on every instruction set, and the same
// to the bit however tokens are cut into calls, whichever sequences share one, and however many threads work.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "lib/reference/backend.h"
#include "tests/cpu/fixture.h"

using namespace quern;
using namespace quern::test;
using compute::DeltaInputs;
using compute::DeltaShape;
using compute::kZeroState;
using compute::Mat;
using compute::StateRun;
using compute::StateShape;
using compute::StateStore;
using compute::Usage;

namespace {

std::vector<uint32_t> counted(uint32_t first, uint32_t n, uint32_t step = 1) {
  std::vector<uint32_t> out;
  for (uint32_t i = 0; i < n; ++i) out.push_back(first + i * step);
  return out;
}

std::unique_ptr<StateStore> store_of(Bench& bench, const StateShape& shape, uint32_t n_slots) {
  auto out = bench.backend->make_state_store(shape).value();
  REQUIRE(out->grow(n_slots));
  return out;
}

std::vector<std::byte> bytes_of(const StateStore& store, uint32_t slot) {
  std::vector<std::byte> out(store.slot_bytes());
  store.read_slot(slot, out);
  return out;
}

struct ConvCase {
  uint32_t n_taps, channels, n_rows;
  std::vector<float> x, taps;
  ConvCase(uint32_t n_taps_, uint32_t channels_, uint32_t n_rows_)
      : n_taps(n_taps_),
        channels(channels_),
        n_rows(n_rows_),
        x(random_floats(channels_ * n_rows_, channels_)),
        taps(random_floats(channels_ * n_taps_, channels_ + 1)) {}
  StateShape shape() const { return {{{}, {n_taps - 1, channels, 0, 0, 0}}}; }

  std::vector<float> expected() const {
    std::vector<float> out;
    for (uint32_t r = 0; r < n_rows; ++r) {
      for (uint32_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (uint32_t j = 0; j < n_taps; ++j) {
          if (r + j + 1 >= n_taps)
            sum += static_cast<double>(taps[c * n_taps + j]) * x[(r + j + 1 - n_taps) * channels + c];
        }
        out.push_back(static_cast<float>(sum / (1 + std::exp(-sum))));
      }
    }
    return out;
  }

  /// In calls of so many tokens, from slot to slot.
  std::vector<float> run(Bench& bench, uint32_t cut) const {
    const auto store = store_of(bench, shape(), 2);
    const auto& w = bench.weight(view_of(taps, n_taps, channels), Usage::vector);
    const Mat in = bench.mat(n_rows, channels, x), out = bench.mat(n_rows, channels);
    for (uint32_t begin = 0, call = 0; begin < n_rows; begin += cut, ++call) {
      const uint32_t n = std::min(cut, n_rows - begin);
      const auto rows = counted(0, n);
      // Now into the other slot, now into the same.
      const StateRun one{call == 0 ? kZeroState : (call - 1) / 2 % 2, call / 2 % 2, rows};
      bench.stream->causal_conv(*store, 1, in.slice(begin, n), w, {&one, 1}, out.slice(begin, n));
    }
    return bench.get(out);
  }
};

struct DeltaCase {
  DeltaShape shape;
  uint32_t n_rows;
  std::vector<float> q, k, v, decay, rate;

  DeltaCase(DeltaShape shape_, uint32_t n_rows_) : shape(shape_), n_rows(n_rows_) {
    const auto make = [&](uint32_t cols, uint32_t seed, float scale) {
      return random_floats(n_rows * cols, seed, scale);
    };
    const float length = 1 / std::sqrt(static_cast<float>(shape.k_dim));
    q = make(shape.n_k_heads * shape.k_dim, 1, length);
    k = make(shape.n_k_heads * shape.k_dim, 2, length);
    v = make(shape.n_heads * shape.v_dim, 3, 1);
    decay = make(shape.n_heads, 4, 1);
    rate = make(shape.n_heads, 5, 1);
    for (float& x : decay) x = 1 / (1 + std::exp(x));
    for (float& x : rate) x = 1 / (1 + std::exp(x));
  }
  StateShape states() const { return {{{}, {0, 0, shape.n_heads, shape.k_dim, shape.v_dim}}}; }

  std::vector<float> expected() const {
    std::vector<float> out(v.size());
    for (uint32_t h = 0; h < shape.n_heads; ++h) {
      const uint32_t share = shape.n_heads / shape.n_k_heads;
      const uint32_t k_head = shape.neighbours_share ? h / share : h % shape.n_k_heads;
      for (uint32_t c = 0; c < shape.v_dim; ++c) {
        std::vector<double> s(shape.k_dim, 0.0);
        for (uint32_t r = 0; r < n_rows; ++r) {
          const float* key = k.data() + (r * shape.n_k_heads + k_head) * shape.k_dim;
          const float* query = q.data() + (r * shape.n_k_heads + k_head) * shape.k_dim;
          const size_t at = (r * shape.n_heads + h) * shape.v_dim + c;
          double known = 0, sum = 0;
          for (double& x : s) x *= decay[r * shape.n_heads + h];
          for (uint32_t i = 0; i < shape.k_dim; ++i) known += s[i] * key[i];
          for (uint32_t i = 0; i < shape.k_dim; ++i) {
            s[i] += key[i] * (v[at] - known) * rate[r * shape.n_heads + h];
            sum += s[i] * query[i];
          }
          out[at] = static_cast<float>(sum * shape.scale);
        }
      }
    }
    return out;
  }

  DeltaInputs upload(Bench& b) const {
    return {b.mat(n_rows, shape.n_k_heads * shape.k_dim, q), b.mat(n_rows, shape.n_k_heads * shape.k_dim, k),
            b.mat(n_rows, shape.n_heads * shape.v_dim, v), b.mat(n_rows, shape.n_heads, decay),
            b.mat(n_rows, shape.n_heads, rate)};
  }
  std::vector<float> run(Bench& bench, uint32_t cut) const {
    const auto store = store_of(bench, states(), 2);
    const DeltaInputs in = upload(bench);
    for (uint32_t begin = 0, call = 0; begin < n_rows; begin += cut, ++call) {
      const uint32_t n = std::min(cut, n_rows - begin);
      const auto rows = counted(0, n);
      const StateRun one{call == 0 ? kZeroState : (call - 1) / 2 % 2, call / 2 % 2, rows};
      const auto part = [&](const Mat& m) { return m.slice(begin, n); };
      const Mat v_part = part(in.v);
      bench.stream->delta_rule(*store, 1, shape, {part(in.q), part(in.k), v_part, part(in.decay), part(in.rate)},
                               {&one, 1}, v_part);
    }
    return bench.get(in.v);
  }
};

const DeltaShape kShapes[] = {
    {1, 1, 1, 1, false, 1},   {2, 4, 16, 16, false, 0.25f},       {2, 6, 7, 33, true, 0.5f},
    {3, 3, 50, 20, false, 1}, {2, 4, 128, 128, true, 0.0883883f},
};

}  // namespace

TEST_CASE("a causal convolution is what its definition says, however its tokens are cut") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const uint32_t n_taps : {1u, 2u, 3u, 4u, 6u}) {
      for (const uint32_t channels : {1u, 15u, 64u, 2085u}) {
        CAPTURE(n_taps);
        CAPTURE(channels);
        const ConvCase one(n_taps, channels, 23);
        const auto expected = one.expected();
        CHECK(largest_difference(one.run(ref, 23), expected) == 0);
        const auto got = one.run(cpu, 23);
        CHECK(largest_difference(got, expected) < 4e-6);
        for (const uint32_t cut : {1u, 2u, 5u}) CHECK(one.run(cpu, cut) == got);
        CHECK(one.run(ref, 2) == one.run(ref, 23));
      }
    }
  });
}

TEST_CASE("the gated delta rule is what its definition says, however its tokens are cut") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const DeltaShape& shape : kShapes) {
      CAPTURE(shape.k_dim);
      CAPTURE(shape.v_dim);
      const DeltaCase one(shape, 29);
      const auto expected = one.expected();
      CHECK(largest_difference(one.run(ref, 29), expected) < 1e-6);
      const auto got = one.run(cpu, 29);
      CHECK(largest_difference(got, expected) < 4e-6);
      for (const uint32_t cut : {1u, 2u, 7u}) CHECK(one.run(cpu, cut) == got);
      CHECK(one.run(ref, 3) == one.run(ref, 29));
    }
  });
}

TEST_CASE("sequences side by side, with any number of threads, are what they are alone, in results and in state") {
  const DeltaShape shape{2, 4, 24, 20, false, 1};
  const DeltaCase whole(shape, 30);
  const ConvCase conv(4, 40, 30);
  std::vector<float> first_delta, first_conv;
  std::vector<std::byte> first_state;
  for (const uint32_t n_threads : {1u, 2u, 5u}) {
    auto pool = base::ThreadPool::create(n_threads).value();
    Bench b(cpu::make_backend(*pool));
    StateShape both = whole.states();
    both.layers[0] = {3, 40, 0, 0, 0};
    const auto store = store_of(b, both, 3);
    const DeltaInputs in = whole.upload(b);
    const Mat out = b.mat(30, 80), x = b.mat(30, 40, conv.x), y = b.mat(30, 40);
    const auto& taps = b.weight(view_of(conv.taps, 4, 40), Usage::vector);
    // Three sequences: tokens 0, 3, 6, ...; 1, 4, 7, ...; 2, 5, 8, ....
    const std::vector<uint32_t> rows[3] = {counted(0, 10, 3), counted(1, 10, 3), counted(2, 10, 3)};
    const StateRun runs[] = {{kZeroState, 2, rows[0]}, {kZeroState, 0, rows[1]}, {kZeroState, 1, rows[2]}};
    b.stream->delta_rule(*store, 1, shape, in, runs, out);
    b.stream->causal_conv(*store, 0, x, taps, runs, y);
    const auto delta = b.get(out), convolved = b.get(y);
    if (first_state.empty()) {
      first_delta = delta;
      first_conv = convolved;
      first_state = bytes_of(*store, 1);
    }
    CHECK(delta == first_delta);
    CHECK(convolved == first_conv);
    CHECK(bytes_of(*store, 1) == first_state);

    // The third alone, its rows gathered, in two calls, between which its state travels.
    const auto alone = store_of(b, both, 2);
    const auto gather = [&](const Mat& m) {
      const Mat to = b.mat(10, m.cols);
      b.stream->gather_rows(m, rows[2], to);
      return to;
    };
    const DeltaInputs own{gather(in.q), gather(in.k), gather(in.v), gather(in.decay), gather(in.rate)};
    const Mat own_x = gather(x), own_out = b.mat(10, 80), own_y = b.mat(10, 40);
    for (const auto& [begin, n, from, to] : {std::array<uint32_t, 4>{0, 4, kZeroState, 0}, {4, 6, 1, 1}}) {
      const auto local = counted(0, n);
      const StateRun run{from, to, local};
      const auto part = [first = begin, count = n](const Mat& m) { return m.slice(first, count); };
      b.stream->delta_rule(*alone, 1, shape, {part(own.q), part(own.k), part(own.v), part(own.decay), part(own.rate)},
                           {&run, 1}, part(own_out));
      b.stream->causal_conv(*alone, 0, part(own_x), taps, {&run, 1}, part(own_y));
      REQUIRE(b.stream->finish());
      if (begin == 0) alone->write_slot(1, bytes_of(*alone, 0));
    }
    CHECK(bytes_of(*alone, 1) == first_state);
    CHECK(b.get(own_out) == b.get(gather(out)));
    CHECK(b.get(own_y) == b.get(gather(y)));
  }
}

TEST_CASE("a state that a run starts from stays as it is, and slots outlive growth") {
  auto pool = base::ThreadPool::create(2).value();
  Bench b(cpu::make_backend(*pool));
  const DeltaCase one({2, 4, 24, 20, false, 1}, 8);
  const auto store = store_of(b, one.states(), 1);
  const auto rows = counted(0, 8);
  const StateRun begin{kZeroState, 0, rows}, on{0, 1, rows};
  const DeltaInputs in = one.upload(b);
  const Mat out = b.mat(8, 80);
  b.stream->delta_rule(*store, 1, one.shape, in, {&begin, 1}, out);
  REQUIRE(b.stream->finish());
  const auto before = bytes_of(*store, 0);
  REQUIRE(store->grow(40));
  b.stream->delta_rule(*store, 1, one.shape, in, {&on, 1}, out);
  REQUIRE(b.stream->finish());
  CHECK(bytes_of(*store, 0) == before);
  CHECK(bytes_of(*store, 1) != before);
}

TEST_CASE("norms and gates of recurrent layers equal the reference's at odd sizes") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const uint32_t head_dim : {1u, 7u, 16u, 33u, 128u}) {
      const uint32_t rows = 3, cols = head_dim * 3;
      const auto x = random_floats(rows * cols, head_dim, 4), gate = random_floats(rows * cols, head_dim + 1, 9);
      auto rate = random_floats(cols, head_dim + 2, 2);
      const auto bias = random_floats(cols, head_dim + 3);
      for (float& r : rate) r = -std::fabs(r);
      std::vector<float> got[2][4];
      Bench* benches[2] = {&cpu, &ref};
      for (int i = 0; i < 2; ++i) {
        Bench& b = *benches[i];
        const Mat normed = b.mat(rows, cols, x), gated = b.mat(rows, cols), s = b.mat(rows, cols, gate),
                  d = b.mat(rows, cols, gate);
        b.stream->l2_norm(normed, head_dim, 1e-6f);
        b.stream->glu(compute::Glu::sigmoid, s, normed, gated);
        b.stream->sigmoid(s);
        b.stream->decay(d, b.weight(view_of(rate, cols, 1), Usage::vector),
                        b.weight(view_of(bias, cols, 1), Usage::vector));
        got[i][0] = b.get(normed);
        got[i][1] = b.get(gated);
        got[i][2] = b.get(s);
        got[i][3] = b.get(d);
      }
      for (int j = 0; j < 4; ++j) CHECK(largest_difference(got[0][j], got[1][j]) < 1e-6);
    }
  });
}

TEST_CASE("norms and gates of extreme numbers") {
  on_every_target([](base::ThreadPool& pool) {
    Bench b(cpu::make_backend(pool));
    const std::vector<float> x = {-1e30f, -100, -20, 0, 20, 100, 1e30f, -0.0f};
    const Mat s = b.mat(1, 8, x), d = b.mat(1, 8, x), zeros = b.mat(1, 8, std::vector<float>(8, 0.0f));
    b.stream->sigmoid(s);
    b.stream->decay(d, b.weight(view_of(std::vector<float>(8, -1.0f), 8, 1), Usage::vector),
                    b.weight(view_of(std::vector<float>(8, 0.0f), 8, 1), Usage::vector));
    b.stream->l2_norm(zeros, 4, 1e-6f);
    const auto sigmoid = b.get(s), decay = b.get(d);
    for (size_t i = 0; i < 8; ++i) {
      const double expected = 1 / (1 + std::exp(-static_cast<double>(x[i])));
      CHECK(sigmoid[i] == doctest::Approx(expected).epsilon(1e-6));
      CHECK(decay[i] == doctest::Approx(1 - expected).epsilon(1e-6));  // exp(-ln(1 + e^x)) = 1 / (1 + e^x)
    }
    for (const float zero : b.get(zeros)) CHECK(zero == 0);
  });
}

TEST_CASE("runs that do not fit are refused") {
  auto pool = base::ThreadPool::create(1).value();
  for (const bool reference : {false, true}) {
    const DeltaCase one({2, 4, 8, 8, false, 1}, 4);
    const std::vector<uint32_t> all = {0, 1, 2, 3}, some = {0, 1}, wrong = {0, 2, 1, 3}, outside = {0, 1, 2, 4}, none;
    const StateRun good{kZeroState, 1, all};
    const auto status_of = [&](std::vector<StateRun> runs, uint32_t layer = 1, uint32_t k_dim = 8) {
      Bench b(reference ? reference::make_backend() : cpu::make_backend(*pool));
      const auto store = store_of(b, one.states(), 2);
      const DeltaInputs in = one.upload(b);
      DeltaShape shape = one.shape;
      shape.k_dim = k_dim;
      b.stream->delta_rule(*store, layer, shape, in, runs, in.v);
      return b.stream->finish().has_value();
    };
    CHECK(status_of({good}));
    CHECK_FALSE(status_of({good}, 2));
    CHECK_FALSE(status_of({good}, 0));
    CHECK_FALSE(status_of({good}, 1, 4));
    CHECK_FALSE(status_of({{kZeroState, 2, all}}));
    CHECK_FALSE(status_of({{2, 1, all}}));
    CHECK_FALSE(status_of({{kZeroState, 1, some}}));
    CHECK_FALSE(status_of({{kZeroState, 1, wrong}}));
    CHECK_FALSE(status_of({{kZeroState, 1, outside}}));
    CHECK_FALSE(status_of({good, {kZeroState, 0, none}}));
  }
}
