#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/engine/demo.h"

using namespace quern;
using namespace quern::testing;

namespace {

std::vector<Token> some_text() {
  std::string text;
  for (int i = 0; i < 12; ++i)
    text += "The old house stood near the river, and the prince looked at it for a long time. ";
  return demo().tokenizer().tokenize(text);
}

/// The same by definition: one window after the other, token by token.
double expected_nll(std::span<const Token> tokens, uint32_t n_ctx) {
  double sum = 0;
  int n = 0;
  for (size_t w = 0; w + n_ctx <= tokens.size(); w += n_ctx) {
    auto context = demo_context(n_ctx);
    for (uint32_t i = 0; i + 1 < n_ctx; ++i) {
      const Token token = i == 0 ? demo().tokenizer().bos() : tokens[w + i];
      REQUIRE(context.append({&token, 1}));
      if (i < n_ctx / 2) continue;
      double total = 0;
      for (const float logit : context.last_logits()) total += std::exp(static_cast<double>(logit));
      sum += std::log(total) - static_cast<double>(context.last_logits()[static_cast<size_t>(tokens[w + i + 1])]);
      ++n;
    }
  }
  return sum / n;
}

}  // namespace

TEST_CASE("perplexity is what its definition says, whatever the batch") {
  const auto tokens = some_text();
  PerplexityOptions options;
  options.n_ctx = 33;  // odd: the first half is the shorter one
  const uint32_t n_windows = static_cast<uint32_t>(tokens.size()) / options.n_ctx;
  const double expected = expected_nll(tokens, options.n_ctx);
  double first = 0;
  for (const uint32_t n_batch : {512u, 7u, 16u, 17u, 1u}) {
    options.n_batch = n_batch;
    uint32_t calls = 0;
    options.on_window = [&](const Perplexity& so_far) { CHECK(so_far.n_windows == ++calls); };
    const auto result = perplexity(demo(), tokens, options);
    REQUIRE(result);
    CHECK(result->nll == doctest::Approx(expected).epsilon(1e-12));
    CHECK(result->ppl == doctest::Approx(std::exp(expected)));
    CHECK(result->n_windows == n_windows);
    CHECK(calls == n_windows);
    CHECK(result->n_tokens == n_windows * 16);
    if (first == 0) first = result->nll;
    CHECK(result->nll == first);  // to the bit
  }
  options.max_windows = 1;
  options.on_window = {};
  CHECK(perplexity(demo(), tokens, options)->n_windows == 1);
}

TEST_CASE("perplexity refuses what makes no sense and can be stopped") {
  const auto tokens = some_text();
  PerplexityOptions options;
  options.n_ctx = 100000;
  CHECK(perplexity(demo(), tokens, options).error().code == Errc::argument);
  options.n_ctx = 3;
  CHECK(perplexity(demo(), tokens, options).error().code == Errc::argument);
  options.n_ctx = 32;
  options.n_batch = 0;
  CHECK(perplexity(demo(), tokens, options).error().code == Errc::argument);
  options.n_batch = 32;
  options.progress = [](const Progress& progress) { return progress.done < 64; };
  CHECK(perplexity(demo(), tokens, options).error().code == Errc::cancelled);
  options.progress = {};
  options.cancel.cancel();
  CHECK(perplexity(demo(), tokens, options).error().code == Errc::cancelled);
}

TEST_CASE("perplexity of held-out books is that of the model's training") {
  const char* data = std::getenv("QUERN_TEST_DATA");
  if (data == nullptr) {
    MESSAGE("QUERN_TEST_DATA is not set");
    return;
  }
  std::ifstream file(std::string(data) + "/demo_model/val_books.txt", std::ios::binary);
  REQUIRE(file);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto tokens = demo().tokenizer().tokenize(text);
  PerplexityOptions options;
  options.max_windows = 10;
  const auto result = perplexity(demo(), tokens, options);
  REQUIRE(result);
  CHECK(tokens.size() / 512 == 142);
  MESSAGE("first 10 windows: " << result->ppl);
  CHECK(result->ppl > 30);
  CHECK(result->ppl < 70);
}
