#include "tests/engine/demo.h"

using namespace quern;
using namespace quern::testing;

namespace {

std::vector<float> copy(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

}  // namespace

TEST_CASE("the tokens of a sequence are known through every change") {
  auto context = demo_context(512, 3);
  const std::vector<Token> tokens = {1, 300, 301, 302, 303, 304};
  REQUIRE(context.append(tokens));
  const auto is = [&](int32_t sequence, const std::vector<Token>& expected) {
    const auto held = context.sequence_tokens(sequence);
    return std::vector<Token>(held.begin(), held.end()) == expected &&
           context.sequence_length(sequence) == expected.size();
  };
  CHECK(is(0, tokens));
  REQUIRE(context.sequence_fork(0, 1));
  CHECK(is(1, tokens));
  REQUIRE(context.sequence_remove(0, 4));
  CHECK(is(0, {1, 300, 301, 302}));
  CHECK(is(1, tokens));
  REQUIRE(context.sequence_remove(1, 1, 3));
  CHECK(is(1, {1, 302, 303, 304}));
  CHECK(context.next_position(1) == 6);
  const auto state = context.sequence_save(0).value();
  REQUIRE(context.sequence_restore(2, state));
  CHECK(is(2, {1, 300, 301, 302}));
  REQUIRE(context.sequence_keep(2));
  CHECK(is(0, {}));
  CHECK(is(2, {1, 300, 301, 302}));
  CHECK_FALSE(context.append(std::vector<Token>{1, 5000}, 2));  // outside the vocabulary
  CHECK(is(2, {1, 300, 301, 302}));
  CHECK_FALSE(context.append(tokens, 3));
  CHECK_FALSE(context.sequence_remove(-1, 0));
  context.clear();
  CHECK(is(2, {}));
}

TEST_CASE("weights read from the mapped file give the logits of repacked ones, bit for bit") {
  const auto tokens = demo().tokenizer().tokenize("The old house stood near the river, and");
  ModelOptions options;
  options.runtime = runtime(2);
  options.repack = false;
  for (const bool use_mmap : {true, false}) {
    options.use_mmap = use_mmap;
    const Model in_source = Model::open(kDemoPath, options).value();
    auto expected = demo_context(), found = Context::create(in_source).value();
    for (auto* context : {&expected, &found}) {
      REQUIRE(context->append(tokens));
      REQUIRE(context->append({tokens.data(), 1}));
    }
    CHECK(copy(found.last_logits()) == copy(expected.last_logits()));
  }
}

TEST_CASE("a restored sequence goes on as the saved one would have") {
  const auto tokens = demo().tokenizer().tokenize("The old house stood near the river, and");
  auto first = demo_context();
  REQUIRE(first.append(tokens));
  const auto state = first.sequence_save(0).value();
  const Token next = 300;
  REQUIRE(first.append({&next, 1}));
  auto second = demo_context();
  REQUIRE(second.sequence_restore(0, state));
  REQUIRE(second.append({&next, 1}));
  CHECK(copy(second.last_logits()) == copy(first.last_logits()));
  auto damaged = state;
  damaged[damaged.size() / 2] ^= std::byte{1};
  CHECK_FALSE(second.sequence_restore(0, damaged));
  CHECK_FALSE(second.sequence_restore(0, {state.data(), state.size() - 1}));
}

TEST_CASE("logits do not depend on the batch or the threads") {
  const auto tokens = demo().tokenizer().tokenize("Prince Andrew looked at the");
  std::vector<float> expected;
  for (const uint32_t n_threads : {1u, 2u, 5u}) {
    const Model model = open_demo(runtime(n_threads));
    for (const uint32_t n_batch : {1u, 3u, 512u}) {
      ContextOptions options;
      options.n_batch = n_batch;
      auto context = Context::create(model, options).value();
      REQUIRE(context.append(tokens));
      if (expected.empty()) expected = copy(context.last_logits());
      CHECK(copy(context.last_logits()) == expected);
    }
  }
}

TEST_CASE("the reference backend agrees on what comes next") {
  const auto tokens = question("What is the capital of France?");
  auto fast = demo_context();
  auto slow = Context::create(open_demo(runtime(1, "reference"))).value();
  REQUIRE(fast.append(tokens));
  REQUIRE(slow.append(tokens));
  const auto a = fast.last_logits(), b = slow.last_logits();
  double error = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  CHECK(error < 1e-3 * size);
}
