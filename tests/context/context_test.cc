// Decoding into sequences: that results depend on a sequence alone, to the bit, and that failures change nothing.
#include "lib/context/context.h"

#include <doctest/doctest.h>

#include <cstring>
#include <map>

#include "tests/model/tiny_model.h"

using namespace quern;
using quern::testing::open_tiny;
using quern::testing::TinyModel;

namespace {

const model::LoadedModel& tiny() {
  static const auto model = open_tiny(TinyModel()).value();
  return *model;
}

std::unique_ptr<context::Context> make_context(ContextOptions options = {}) {
  return context::Context::create(tiny(), options).value();
}

int32_t token_at(int32_t i) { return (i * 7 + 3) % static_cast<int32_t>(TinyModel::kVocab); }

std::vector<BatchToken> run_of(int32_t first, int32_t n, int32_t sequence = 0, bool logits = true) {
  std::vector<BatchToken> batch;
  for (int32_t i = first; i < first + n; ++i) batch.push_back({token_at(i), i, sequence, logits});
  return batch;
}

using Rows = std::vector<std::vector<float>>;

/// Decodes in batches of `step` and gathers all rows.
Rows decode_in_steps(context::Context& context, const std::vector<BatchToken>& tokens, size_t step) {
  Rows rows;
  for (size_t i = 0; i < tokens.size(); i += step) {
    const auto part = std::span(tokens).subspan(i, std::min(step, tokens.size() - i));
    const Status status = context.decode(part, {});
    REQUIRE_MESSAGE(status.has_value(), status.error().message);
    for (size_t r = 0; r < context.n_logits(); ++r)
      rows.emplace_back(context.logits(r).begin(), context.logits(r).end());
  }
  return rows;
}

bool same(const std::vector<float>& a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

const Rows& expected() {
  static const Rows rows = decode_in_steps(*make_context(), run_of(0, 100), 100);
  return rows;
}

}  // namespace

TEST_CASE("the way a prompt is cut does not change a bit") {
  REQUIRE(expected().size() == 100);
  CHECK_FALSE(same(expected()[0], expected()[1]));
  for (const uint32_t n_batch : {1u, 7u, 33u, 512u}) {
    for (const size_t step : {size_t{1}, size_t{7}, size_t{64}, size_t{100}}) {
      ContextOptions options;
      options.n_batch = n_batch;
      const auto context = make_context(options);
      const Rows rows = decode_in_steps(*context, run_of(0, 100), step);
      REQUIRE(rows.size() == 100);
      for (size_t i = 0; i < rows.size(); ++i) CHECK(same(rows[i], expected()[i]));
    }
  }
}

TEST_CASE("rows are computed for the tokens that ask") {
  const auto context = make_context({.n_batch = 40});
  auto batch = run_of(0, 100, 0, false);
  REQUIRE(context->decode(batch, {}).has_value());
  CHECK(context->n_logits() == 0);
  context->clear();
  const std::vector<size_t> wanted = {0, 5, 39, 40, 98};
  for (const size_t i : wanted) batch[i].logits = true;
  REQUIRE(context->decode(batch, {}).has_value());
  REQUIRE(context->n_logits() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) CHECK(same(expected()[wanted[i]], context->logits(i)));
}

TEST_CASE("an observer sees every token in every layer, and changes nothing") {
  struct Counter final : compute::MatmulObserver {
    std::map<const compute::Weight*, uint32_t> rows;
    void observe(const compute::MatmulInput& x, std::span<const compute::MatmulTarget> targets) override {
      for (const compute::MatmulTarget& target : targets) rows[target.weight] += x.rows;
    }
    void observe_experts(const compute::MatmulInput&, std::span<const compute::ExpertRow>,
                         std::span<const compute::ExpertTarget>) override {}
  } counter;
  const auto context = make_context({.n_batch = 40});
  context->observe(&counter);
  auto batch = run_of(0, 100, 0, false);
  const std::vector<size_t> wanted = {0, 5, 39, 40, 98};
  for (const size_t i : wanted) batch[i].logits = true;
  REQUIRE(context->decode(batch, {}).has_value());
  REQUIRE(context->n_logits() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) CHECK(same(expected()[wanted[i]], context->logits(i)));
  size_t n_layers = 0;
  tiny().weights.for_each([&](const compute::Weight& weight, const std::string& name, size_t, size_t) {
    if (!weight.multiplies()) return;
    CAPTURE(name);
    CHECK(counter.rows[&weight] == (name.starts_with("blk.") ? 100 : wanted.size()));
    n_layers += name.ends_with("attn_output.weight");
  });
  CHECK(n_layers == tiny().hparams->n_layer);
  context->observe(nullptr);
  counter.rows.clear();
  context->clear();
  REQUIRE(context->decode(batch, {}).has_value());
  CHECK(counter.rows.empty());
}

TEST_CASE("sequences in one batch are as each alone") {
  const auto context = make_context({.n_seq_max = 3});
  std::vector<BatchToken> batch;
  for (int32_t i = 0; i < 50; ++i) {
    batch.push_back({token_at(i), i, 2, true});
    batch.push_back({token_at(90 - i), i, 0, true});
  }
  const Rows rows = decode_in_steps(*context, batch, 31);
  for (size_t i = 0; i < 50; ++i) CHECK(same(rows[2 * i], expected()[i]));
  std::vector<BatchToken> other;
  for (int32_t i = 0; i < 50; ++i) other.push_back({token_at(90 - i), i, 0, true});
  const Rows alone = decode_in_steps(*make_context(), other, 50);
  for (size_t i = 0; i < 50; ++i) CHECK(same(rows[2 * i + 1], alone[i]));
}

TEST_CASE("forks share memory and diverge without touching each other") {
  const auto context = make_context({.n_seq_max = 2});
  decode_in_steps(*context, run_of(0, 40), 40);
  CHECK(context->n_used() == 40);
  const uint64_t bytes = context->cache_bytes();
  REQUIRE(context->fork(0, 1).has_value());
  CHECK(context->n_used() == 40);
  CHECK(context->cache_bytes() == bytes);
  decode_in_steps(*context, {{99, 40, 1, false}, {98, 41, 1, false}}, 2);
  CHECK(context->n_used() == 40 + 8 + 2);  // the partly filled block was copied
  const Rows rest = decode_in_steps(*context, run_of(40, 60), 17);
  for (size_t i = 0; i < rest.size(); ++i) CHECK(same(rest[i], expected()[40 + i]));
  // The other branch goes back to where they parted and follows.
  REQUIRE(context->remove(1, 40, -1).has_value());
  const Rows again = decode_in_steps(*context, run_of(40, 60, 1), 60);
  for (size_t i = 0; i < again.size(); ++i) CHECK(same(again[i], expected()[40 + i]));
  REQUIRE(context->keep(1).has_value());
  CHECK(context->sequence(0).empty());
  CHECK(context->sequence(1).size() == 100);
  CHECK(context->n_used() == 100);
}

TEST_CASE("branches of one block that grow in one batch") {
  const auto context = make_context({.n_ctx = 64, .n_seq_max = 3});
  decode_in_steps(*context, run_of(0, 10), 10);
  REQUIRE(context->fork(0, 1).has_value());
  REQUIRE(context->fork(0, 2).has_value());
  std::vector<BatchToken> batch;
  for (int32_t s : {1, 0, 2}) batch.push_back({token_at(10), 10, s, true});
  const Rows rows = decode_in_steps(*context, batch, 3);
  for (const auto& row : rows) CHECK(same(row, expected()[10]));
}

TEST_CASE("removing the tail is as if it had never been") {
  const auto context = make_context();
  for (const int32_t keep : {99, 64, 63, 33, 32, 1, 0}) {
    context->clear();
    decode_in_steps(*context, run_of(0, 100), 100);
    REQUIRE(context->remove(0, keep, -1).has_value());
    CHECK(context->sequence(0).size() == static_cast<uint32_t>(keep));
    CHECK(context->sequence(0).next_position() == keep);
    const Rows rest = decode_in_steps(*context, run_of(keep, 100 - keep), 11);
    for (size_t i = 0; i < rest.size(); ++i) CHECK(same(rest[i], expected()[static_cast<size_t>(keep) + i]));
  }
}

TEST_CASE("removing from the middle leaves what a context without these cells would hold") {
  // The first layer's keys and values depend on token and position alone, so a one-layer model shows exactly whether
  // cells were moved to where they belong.
  TinyModel one_layer;
  one_layer.number("llama.block_count", 1);
  const auto model = open_tiny(one_layer).value();
  const auto decode = [&](context::Context& context, const std::vector<BatchToken>& batch) {
    return decode_in_steps(context, batch, batch.size());
  };
  for (const bool forked : {false, true}) {
    for (const auto& [from, to] :
         std::vector<std::pair<int32_t, int32_t>>{{10, 20}, {0, 1}, {31, 33}, {32, 64}, {5, 69}}) {
      const auto context = context::Context::create(*model, {.n_seq_max = 2}).value();
      decode(*context, run_of(0, 70));
      if (forked) REQUIRE(context->fork(0, 1).has_value());
      REQUIRE(context->remove(0, from, to).has_value());
      CHECK(context->sequence(0).size() == static_cast<uint32_t>(70 - (to - from)));
      CHECK(context->sequence(0).next_position() == 70);
      const Rows found = decode(*context, run_of(70, 3));

      const auto fresh = context::Context::create(*model, {}).value();
      auto without = run_of(0, 70);
      without.erase(without.begin() + from, without.begin() + to);
      decode(*fresh, without);
      const Rows wanted = decode(*fresh, run_of(70, 3));
      for (size_t i = 0; i < 3; ++i) CHECK(same(found[i], wanted[i]));

      if (!forked) continue;
      const Rows branch = decode(*context, run_of(70, 3, 1));
      const auto whole = context::Context::create(*model, {}).value();
      decode(*whole, run_of(0, 70));
      const Rows untouched = decode(*whole, run_of(70, 3));
      for (size_t i = 0; i < 3; ++i) CHECK(same(branch[i], untouched[i]));
    }
  }
}

TEST_CASE("a full context refuses the batch and stays as it was") {
  const auto context = make_context({.n_ctx = 70, .n_batch = 16});
  CHECK(context->cache_bytes() == 0);
  decode_in_steps(*context, run_of(0, 60), 60);
  const Status full = context->decode(run_of(60, 11), {});
  REQUIRE(!full.has_value());
  CHECK(full.error().code == Errc::context_full);
  CHECK(full.error().message == "the context is full: 11 cells needed, 10 of 70 available");
  CHECK(context->sequence(0).size() == 60);
  const Rows rest = decode_in_steps(*context, run_of(60, 10), 10);
  for (size_t i = 0; i < rest.size(); ++i) CHECK(same(rest[i], expected()[60 + i]));
  CHECK(context->decode(run_of(70, 1), {}).error().code == Errc::context_full);
  CHECK(context->n_used() == 70);
}

TEST_CASE("n_ctx tokens fit however they are spread over the sequences") {
  const auto context = make_context({.n_ctx = 64, .n_seq_max = 4});
  decode_in_steps(*context, run_of(0, 33, 0, false), 64);
  decode_in_steps(*context, run_of(0, 1, 1, false), 64);
  decode_in_steps(*context, run_of(0, 1, 2, false), 64);
  decode_in_steps(*context, run_of(0, 29, 3, false), 64);
  CHECK(context->n_used() == 64);
  CHECK(context->decode(run_of(29, 1, 3), {}).error().code == Errc::context_full);
}

TEST_CASE("cancelling in the middle leaves the state unchanged") {
  const auto context = make_context({.n_batch = 8});
  decode_in_steps(*context, run_of(0, 20), 20);
  DecodeOptions options;
  uint64_t last = 0;
  options.progress = [&](const Progress& p) {
    CHECK(p.stage == "prefill");
    CHECK(p.total == 30);
    last = p.done;
    return p.done < 16;
  };
  CHECK(context->decode(run_of(20, 30), options).error().code == Errc::cancelled);
  CHECK(last == 16);
  CHECK(context->sequence(0).size() == 20);
  CHECK(context->n_logits() == 0);
  options.progress = [&](const Progress&) {
    options.cancel.cancel();  // before the next pass's first layer
    return true;
  };
  CHECK(context->decode(run_of(20, 30), options).error().code == Errc::cancelled);
  CHECK(context->sequence(0).size() == 20);
  CHECK(context->n_used() == 20);
  const Rows rest = decode_in_steps(*context, run_of(20, 80), 80);
  for (size_t i = 0; i < rest.size(); ++i) CHECK(same(rest[i], expected()[20 + i]));
}

TEST_CASE("batches are checked before anything happens") {
  const auto context = make_context({.n_seq_max = 2});
  decode_in_steps(*context, run_of(0, 5), 5);
  const auto message = [&](const std::vector<BatchToken>& batch) {
    const Status status = context->decode(batch, {});
    REQUIRE(!status.has_value());
    CHECK(status.error().code == Errc::argument);
    CHECK(context->sequence(0).size() == 5);
    CHECK(context->sequence(1).empty());
    return status.error().message;
  };
  CHECK(message({{1, 0, 1, true}, {270, 1, 1, true}}) == "batch entry 1: token 270 is outside the vocabulary of 270");
  CHECK(message({{-1, 5, 0, true}}) == "batch entry 0: token -1 is outside the vocabulary of 270");
  CHECK(message({{1, 5, 2, true}}) == "batch entry 0: sequence 2 is outside 0 ... 1");
  CHECK(message({{1, 5, -1, true}}) == "batch entry 0: sequence -1 is outside 0 ... 1");
  CHECK(message({{1, 4, 0, true}}) == "batch entry 0: position 4 in sequence 0: expected at least 5");
  CHECK(message({{1, 5, 0, true}, {1, 5, 0, true}}) == "batch entry 1: position 5 in sequence 0: expected at least 6");
  CHECK(message({{1, -1, 1, true}}) == "batch entry 0: position -1 in sequence 1: expected at least 0");
  CHECK(message({{1, INT32_MAX, 0, true}}).find("position 2147483647") != std::string::npos);
  CHECK(context->decode({}, {}).has_value());
  CHECK(context->fork(0, 2).error().code == Errc::argument);
  CHECK(context->remove(-1, 0, 1).error().code == Errc::argument);
  CHECK(context->keep(7).error().code == Errc::argument);
  CHECK(context->save(9).error().code == Errc::argument);
}

TEST_CASE("options are checked") {
  const auto code = [](const ContextOptions& options) {
    return context::Context::create(tiny(), options).error().code;
  };
  CHECK(code({.n_batch = 0}) == Errc::argument);
  CHECK(code({.n_seq_max = 0}) == Errc::argument);
  CHECK(code({.n_ctx = 0xFFFFFFFF}) == Errc::argument);
  CHECK(make_context()->n_ctx() == TinyModel::kCtx);
  model::OpenOptions options;
  options.vocab_only = true;
  const auto vocab = open_tiny(TinyModel(), options).value();
  CHECK(context::Context::create(*vocab, {}).error().code == Errc::argument);
}

TEST_CASE("positions may leave gaps") {
  const auto context = make_context();
  decode_in_steps(*context, {{5, 3, 0, true}, {6, 1000, 0, true}}, 2);
  CHECK(context->sequence(0).next_position() == 1001);
  REQUIRE(context->remove(0, 4, 1000).has_value());
  CHECK(context->sequence(0).size() == 2);
  REQUIRE(context->remove(0, 4, 1001).has_value());
  CHECK(context->sequence(0).next_position() == 4);
}

TEST_CASE("a sliding window bounds what a token sees") {
  const auto last_row = [](uint64_t window, int32_t first_token) {
    TinyModel file;
    file.number("llama.attention.sliding_window", window);
    const auto model = open_tiny(file).value();
    const auto context = context::Context::create(*model, {}).value();
    std::vector<BatchToken> tokens = run_of(0, 40);
    tokens[0].token = first_token;
    return decode_in_steps(*context, tokens, 40).back();
  };
  // Through 3 layers of window 10, the last of 40 tokens is reached from 27 positions back at most, not from the first.
  CHECK(same(last_row(10, 5), last_row(10, 6)));
  CHECK_FALSE(same(last_row(20, 5), last_row(20, 6)));
  CHECK(same(last_row(0, 5), last_row(40, 5)));
  CHECK_FALSE(same(last_row(0, 5), last_row(39, 5)));
}
