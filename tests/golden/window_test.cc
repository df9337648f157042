// Generating with models whose caches forget: a prefix found there changes nothing but the time.
#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

std::vector<Token> text_of(int32_t n, int32_t other_from = INT32_MAX) {
  std::vector<Token> out;
  for (int32_t i = 0; i < n; ++i) out.push_back((i * 7 + 3 + (i >= other_from ? 11 : 0)) % 90);
  return out;
}

GenerateOptions answer_of(int32_t n) {
  GenerateOptions options;
  options.max_tokens = n;
  options.sampler.temperature = 0;
  options.sampler.logit_bias = {{94, -INFINITY}, {95, -INFINITY}};  // it goes on
  return options;
}

}  // namespace

TEST_CASE("generating again goes back as far as it must, and the answers are those of a fresh context") {
  for (const std::string name : {"gemma2", "gemma3", "gpt_oss", "olmo3", "llama"}) {
    CAPTURE(name);
    const Golden golden(name);
    const GoldenFile file(golden);
    const Model model = open_with(file.path(), 2);
    const auto context_with = [&](uint32_t n_checkpoints) {
      ContextOptions options;
      options.n_ctx = 1024;
      options.n_batch = 64;
      options.n_checkpoints = n_checkpoints;
      return Context::create(model, options).value();
    };
    const auto fresh = [&](const std::vector<Token>& prompt, int32_t n) {
      Context context = context_with(0);
      return generate(context, prompt, answer_of(n)).value().tokens;
    };
    const auto prompt = text_of(150), question = text_of(230), other = text_of(160, 60);
    const bool forgets = name != "llama";
    for (const uint32_t n_checkpoints : {32u, 0u}) {
      Context context = context_with(n_checkpoints);
      const auto ask = [&](const std::vector<Token>& tokens, int32_t n, uint32_t n_cached) {
        const auto out = generate(context, tokens, answer_of(n)).value();
        CHECK(out.tokens == fresh(tokens, n));
        CHECK(out.timings.n_cached == n_cached);
        CHECK(context.sequence_length(0) == tokens.size() + static_cast<size_t>(n) - 1);
      };
      const bool any = !forgets || n_checkpoints > 0;
      ask(prompt, 120, 0);
      ask(prompt, 120, any ? 149 : 0);  // farther back than the slack
      ask(prompt, 20, any ? 149 : 0);
      ask(prompt, 20, 149);     // within it
      ask(question, 100, 150);  // goes on where the prompt ended
      ask(question, 100, any ? 229 : 0);
      ask(prompt, 10, any ? 149 : 0);
      ask(other, 10, forgets ? 0 : 60);
    }
  }
}

TEST_CASE("a recurrent model goes back to where a prompt began to be answered") {
  const Golden golden("qwen35");
  const GoldenFile file(golden);
  const Model model = open_with(file.path(), 2);
  const auto make_context = [&] { return Context::create(model, {.n_ctx = 1024, .n_batch = 64}).value(); };
  const auto prompt = text_of(150), question = text_of(230), other = text_of(160, 60);
  Context context = make_context();
  const auto ask = [&](const std::vector<Token>& tokens, int32_t n, uint32_t n_cached) {
    const auto out = generate(context, tokens, answer_of(n)).value();
    Context fresh = make_context();
    CHECK(out.tokens == generate(fresh, tokens, answer_of(n)).value().tokens);
    CHECK(out.timings.n_cached == n_cached);
    CHECK(out.timings.n_prompt == tokens.size() - n_cached);
  };
  ask(prompt, 20, 0);
  ask(prompt, 20, 149);
  ask(question, 20, 149);
  ask(question, 20, 229);
  ask(prompt, 20, 149);
  ask(other, 20, 0);
}

TEST_CASE("a rewound sequence holds the tokens before") {
  const Golden golden("gemma3");
  const GoldenFile file(golden);
  const Model model = open_with(file.path(), 1);
  Context context = Context::create(model, {.n_ctx = 512}).value();
  const auto text = text_of(300);
  REQUIRE(context.append(std::span(text).first(100)));
  for (size_t i = 100; i < 300; ++i) REQUIRE(context.append(std::span(text).subspan(i, 1)));
  CHECK(context.sequence_remove(0, 200).error().code == Errc::unsupported);
  CHECK(context.sequence_length(0) == 300);
  CHECK(context.sequence_rewind(0, 200).value() == 100);
  const auto held = context.sequence_tokens(0);
  CHECK(std::vector<Token>(held.begin(), held.end()) == std::vector<Token>(text.begin(), text.begin() + 100));
  CHECK(context.next_position(0) == 100);
  CHECK_FALSE(context.sequence_rewind(0, -1));
  CHECK_FALSE(context.sequence_rewind(1, 0));
}
