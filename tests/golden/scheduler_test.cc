// Many generations at once on models that forget: sliding windows, recurrent layers, experts.
#include <random>

#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

TEST_CASE("every kind of model answers together with others as it does alone") {
  for (const std::string name : {"llama", "gemma3", "gpt_oss", "qwen35", "qwen35moe", "deepseek3"}) {
    CAPTURE(name);
    const Golden golden(name);
    const GoldenFile file(golden);
    const Model model = open_with(file.path(), 2);
    SchedulerOptions options;
    options.n_parallel = 3;
    options.n_kept = 3;
    options.context.n_ctx = 3 * 192;
    options.context.n_batch = 24;
    auto scheduler = Scheduler::create(model, options).value();
    GenerateOptions generate_options;
    generate_options.max_tokens = 12;
    generate_options.sampler.temperature = 0;
    generate_options.sampler.ignore_eos = true;
    std::mt19937 random(3);
    std::vector<std::vector<Token>> prompts;
    std::vector<Generation> answers(12);
    for (size_t i = 0; i < answers.size(); ++i) {
      // The same text, beginnings of it, and texts that leave it after some tokens.
      std::vector<Token> prompt = golden.tokens;
      if (i % 3 != 0) prompt.resize(20 + random() % (prompt.size() - 20));
      if (i % 3 == 2) prompt.insert(prompt.end(), {5, 9, 5, 9, 5, 9});
      prompts.push_back(prompt);
      Request request{prompt, generate_options, {}};
      request.on_end = [&answers, i](const Result<Generation>& out) {
        REQUIRE_MESSAGE(out.has_value(), out.error().message);
        answers[i] = *out;
      };
      REQUIRE(scheduler.submit(std::move(request)));
      if (i > 6) REQUIRE(scheduler.step());
    }
    while (scheduler.step().value()) {
    }
    uint32_t n_cached = 0;
    for (size_t i = 0; i < answers.size(); ++i) {
      CAPTURE(i);
      ContextOptions alone;
      alone.n_ctx = 192;
      auto context = Context::create(model, alone).value();
      CHECK(answers[i].tokens == generate(context, prompts[i], generate_options).value().tokens);
      CHECK(answers[i].tokens.size() == 12);
      n_cached += answers[i].timings.n_cached;
    }
    CHECK(n_cached > golden.tokens.size() - 2);  // at least one prompt that came again
  }
}
