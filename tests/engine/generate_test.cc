#include <thread>

#include "tests/engine/demo.h"

using namespace quern;
using namespace quern::testing;

TEST_CASE("the demo model answers what it has memorised") {
  auto context = demo_context();
  const auto answer = generate(context, question("What is the capital of France?"), greedy());
  REQUIRE(answer);
  CHECK(answer->text == "The capital of France is Paris.");
  CHECK(answer->stop_reason == StopReason::end_of_generation);
  CHECK(answer->timings.n_generated == answer->tokens.size());
  CHECK(demo().tokenizer().detokenize(answer->tokens) == answer->text);
}

TEST_CASE("the stream is the text") {
  auto context = demo_context();
  auto options = greedy(40);
  std::string streamed;
  std::vector<Token> tokens;
  options.on_token = [&](const GeneratedToken& step) {
    streamed += step.text;
    if (step.token >= 0) tokens.push_back(step.token);
    return true;
  };
  const auto out = generate(context, demo().tokenizer().tokenize("Prince Andrew looked at the"), options);
  REQUIRE(out);
  CHECK(streamed == out->text);
  CHECK(tokens == out->tokens);
  CHECK(out->tokens.size() == 40);
  CHECK(out->stop_reason == StopReason::length);
}

TEST_CASE("a prefix found in the cache changes nothing but the time") {
  auto context = demo_context();
  const auto prompt = demo().tokenizer().tokenize("The old house stood near the river, and");
  const auto fresh = generate(context, prompt, greedy(24));
  REQUIRE(fresh);
  CHECK(fresh->timings.n_cached == 0);
  CHECK(fresh->timings.n_prompt == prompt.size());
  const auto again = generate(context, prompt, greedy(24));
  REQUIRE(again);
  CHECK(again->timings.n_cached == prompt.size() - 1);
  CHECK(again->tokens == fresh->tokens);
  // A prompt that goes on where the last answer was, then one that shares only a few tokens.
  auto longer = prompt;
  longer.insert(longer.end(), fresh->tokens.begin(), fresh->tokens.begin() + 12);
  const auto resumed = generate(context, longer, greedy(12));
  REQUIRE(resumed);
  CHECK(resumed->timings.n_cached > prompt.size());
  CHECK(resumed->tokens == std::vector<Token>(fresh->tokens.begin() + 12, fresh->tokens.end()));
  const auto other = demo().tokenizer().tokenize("The old man went to the house.");
  const auto mixed = generate(context, other, greedy(24));
  auto clean_context = demo_context();
  const auto clean = generate(clean_context, other, greedy(24));
  REQUIRE(mixed);
  REQUIRE(clean);
  CHECK(mixed->timings.n_cached >= 1);
  CHECK(mixed->tokens == clean->tokens);
}

TEST_CASE("a stop text ends the generation and is no part of it, across token borders") {
  auto context = demo_context();
  auto options = greedy();
  options.stop = {"ance is Par"};
  std::string streamed;
  options.on_token = [&](const GeneratedToken& step) {
    streamed += step.text;
    return true;
  };
  const auto out = generate(context, question("What is the capital of France?"), options);
  REQUIRE(out);
  CHECK(out->text == "The capital of Fr");
  CHECK(streamed == out->text);
  CHECK(out->stop_reason == StopReason::stop_text);
  CHECK(out->stop_text == "ance is Par");
  CHECK(demo().tokenizer().detokenize(out->tokens).size() < std::string("The capital of France is").size());
}

TEST_CASE("no tokens wanted, no tokens given") {
  auto context = demo_context();
  const auto out = generate(context, question("Hello!"), greedy(0));
  REQUIRE(out);
  CHECK(out->tokens.empty());
  CHECK(out->stop_reason == StopReason::length);
}

TEST_CASE("a callback, a cancel token and a progress report can end it") {
  auto context = demo_context();
  const auto prompt = question("What is the KV cache?");
  auto options = greedy();
  int calls = 0;
  options.on_token = [&](const GeneratedToken& step) { return step.token < 0 || ++calls < 3; };
  auto out = generate(context, prompt, options);
  REQUIRE(out);
  CHECK(out->stop_reason == StopReason::cancelled);
  CHECK(out->tokens.size() == 3);

  options = greedy();
  options.cancel.cancel();
  out = generate(context, prompt, options);
  REQUIRE(out);
  CHECK(out->stop_reason == StopReason::cancelled);
  CHECK(out->tokens.empty());

  context.clear();
  options = greedy();
  options.progress = [](const Progress& progress) {
    CHECK(progress.stage == "prefill");
    return false;
  };
  out = generate(context, prompt, options);
  REQUIRE(out);
  CHECK(out->stop_reason == StopReason::cancelled);

  // The context is as good as new.
  out = generate(context, question("What is the capital of France?"), greedy());
  REQUIRE(out);
  CHECK(out->text == "The capital of France is Paris.");
}

TEST_CASE("a full context ends the generation; a prompt beyond it is an error") {
  auto context = demo_context(32);
  const auto prompt = demo().tokenizer().tokenize("Prince Andrew looked at the");
  auto options = greedy(-1);
  options.sampler.ignore_eos = true;
  const auto out = generate(context, prompt, options);
  REQUIRE(out);
  CHECK(out->stop_reason == StopReason::context_full);
  // The last token needs no place: nothing is computed after it.
  CHECK(prompt.size() + out->tokens.size() == 33);
  const auto too_long = generate(context, std::vector<Token>(33, 300), greedy());
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().code == Errc::context_full);
  const auto nothing = generate(context, {}, greedy());
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().code == Errc::argument);
  options.sampler.top_p = 7;
  const auto bad_option = generate(context, prompt, options);
  REQUIRE_FALSE(bad_option);
  CHECK(bad_option.error().message.find("top_p") != std::string::npos);
}

TEST_CASE("the same seed gives the same text, another one another") {
  auto context = demo_context();
  const auto prompt = question("Write a short story about a fox and a golden key.");
  GenerateOptions options;
  options.max_tokens = 40;
  options.sampler.seed = 7;
  options.sampler.temperature = 1.2f;
  const auto a = generate(context, prompt, options), b = generate(context, prompt, options);
  options.sampler.seed = 8;
  const auto c = generate(context, prompt, options);
  REQUIRE((a && b && c));
  CHECK(a->tokens == b->tokens);
  CHECK(a->tokens != c->tokens);
}

TEST_CASE("two contexts on two threads write what one writes") {
  const std::string questions[] = {"What is Q4_K_M?", "What is the opposite of brave?"};
  std::string alone[2], together[2];
  for (int i = 0; i < 2; ++i) {
    auto context = demo_context();
    alone[i] = generate(context, question(questions[i]), greedy()).value().text;
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      auto context = demo_context();
      for (int repeat = 0; repeat < 3; ++repeat)
        together[i] = generate(context, question(questions[i]), greedy()).value().text;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(together[0] == alone[0]);
  CHECK(together[1] == alone[1]);
  CHECK(alone[0] != alone[1]);
}

TEST_CASE("what a callback throws becomes an error") {
  auto context = demo_context();
  auto options = greedy();
  options.on_token = [](const GeneratedToken&) -> bool { throw std::runtime_error("from the callback"); };
  const auto out = generate(context, question("Hello!"), options);
  REQUIRE_FALSE(out);
  CHECK(out.error().message.find("from the callback") != std::string::npos);
}
