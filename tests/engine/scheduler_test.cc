#include <atomic>
#include <cmath>
#include <map>
#include <random>
#include <thread>

#include "tests/engine/demo.h"

using namespace quern;
using namespace quern::testing;

namespace {

/// What became of requests, by their numbers here.
struct Outcomes {
  std::map<int, Result<Generation>> by_number;

  Request request(int number, std::vector<Token> prompt, GenerateOptions options) {
    Request out{std::move(prompt), std::move(options), {}};
    out.on_end = [this, number](const Result<Generation>& result) {
      REQUIRE(by_number.count(number) == 0);
      by_number.emplace(number, result);
    };
    return out;
  }
  const Generation& of(int number) const {
    REQUIRE(by_number.count(number) == 1);
    REQUIRE(by_number.at(number));
    return *by_number.at(number);
  }
};

SchedulerOptions small(uint32_t n_parallel, uint32_t n_ctx, uint32_t n_ctx_request = 0, uint32_t n_kept = 4) {
  SchedulerOptions options;
  options.n_parallel = n_parallel;
  options.n_ctx_request = n_ctx_request;
  options.n_kept = n_kept;
  options.context.n_ctx = n_ctx;
  options.context.n_batch = 64;
  return options;
}

std::vector<Token> tokens_of(const std::string& text) { return demo().tokenizer().tokenize(text); }

void finish(Scheduler& scheduler) {
  while (scheduler.step().value()) {
  }
}

Generation alone(const std::vector<Token>& prompt, const GenerateOptions& options) {
  auto context = demo_context();
  return generate(context, prompt, options).value();
}

const std::string kStory =
    "Well, Prince, so Genoa and Lucca are now just family estates of the Buonapartes. But I warn you, if you do not "
    "tell me that this means war, if you still try to defend the infamies and horrors perpetrated by that Antichrist, "
    "I will have nothing more to do with you and you are no longer my friend.";

}  // namespace

TEST_CASE("answers are those of requests on their own, whatever else is running") {
  auto scheduler = Scheduler::create(demo(), small(5, 2048)).value();
  const auto story = tokens_of(kStory);
  std::mt19937 random(7);
  std::vector<std::vector<Token>> prompts;
  std::vector<GenerateOptions> options;
  for (int i = 0; i < 24; ++i) {
    // Some share beginnings, some go through several steps.
    const size_t from = i % 3 == 0 ? 0 : random() % 20, n = 1 + random() % (story.size() - from);
    prompts.emplace_back(story.begin() + static_cast<ptrdiff_t>(from),
                         story.begin() + static_cast<ptrdiff_t>(from + n));
    options.push_back(greedy(static_cast<int32_t>(random() % 24)));
    if (i % 4 == 1) {
      options.back().sampler.temperature = 1;
      options.back().sampler.seed = static_cast<uint32_t>(i);
    }
    if (i % 5 == 2) options.back().stop = {"the"};
  }
  Outcomes outcomes;
  for (int i = 0; i < 24; ++i) {
    REQUIRE(scheduler.submit(outcomes.request(i, prompts[static_cast<size_t>(i)], options[static_cast<size_t>(i)])));
    for (unsigned steps = random() % 3; steps > 0; --steps) REQUIRE(scheduler.step());
  }
  finish(scheduler);
  for (int i = 0; i < 24; ++i) {
    CAPTURE(i);
    const Generation expected = alone(prompts[static_cast<size_t>(i)], options[static_cast<size_t>(i)]);
    CHECK(outcomes.of(i).tokens == expected.tokens);
    CHECK(outcomes.of(i).text == expected.text);
    CHECK(outcomes.of(i).stop_reason == expected.stop_reason);
  }
  const SchedulerStats stats = scheduler.stats();
  CHECK(stats.n_finished == 24);
  CHECK(stats.n_running + stats.n_queued == 0);
  CHECK(stats.n_kept == 4);
}

TEST_CASE("what prompts have in common is computed once") {
  auto scheduler = Scheduler::create(demo(), small(4, 2048)).value();
  const auto prompt = tokens_of(kStory);
  Outcomes outcomes;
  for (int i = 0; i < 4; ++i) REQUIRE(scheduler.submit(outcomes.request(i, prompt, greedy(8))));
  finish(scheduler);
  // The others waited for the first one, and computed its last token for themselves.
  CHECK(scheduler.stats().n_prompt_tokens == prompt.size() + 3);
  for (int i = 1; i < 4; ++i) {
    CHECK(outcomes.of(i).timings.n_cached == prompt.size() - 1);
    CHECK(outcomes.of(i).tokens == outcomes.of(0).tokens);
  }
  // A finished sequence serves a prompt that goes on where it ended.
  auto longer = prompt;
  longer.insert(longer.end(), outcomes.of(0).tokens.begin(), outcomes.of(0).tokens.end());
  longer.push_back(prompt[3]);
  REQUIRE(scheduler.submit(outcomes.request(9, longer, greedy(8))));
  finish(scheduler);
  CHECK(outcomes.of(9).timings.n_cached >= prompt.size() + 6);
  CHECK(outcomes.of(9).tokens == alone(longer, greedy(8)).tokens);
}

TEST_CASE("requests that are cancelled while they wait do not disturb those behind them") {
  auto scheduler = Scheduler::create(demo(), small(4, 2048)).value();
  const auto prompt = tokens_of(kStory);
  Outcomes outcomes;
  const CancelToken gone;
  for (int i = 0; i < 6; ++i) {
    auto options = greedy(8);
    if (i % 2 == 0) options.cancel = gone;
    REQUIRE(scheduler.submit(outcomes.request(i, prompt, options)));
  }
  gone.cancel();
  finish(scheduler);
  for (int i = 0; i < 6; ++i) {
    CHECK(outcomes.of(i).stop_reason == (i % 2 == 0 ? StopReason::cancelled : StopReason::length));
    CHECK(outcomes.of(i).tokens.size() == (i % 2 == 0 ? 0 : 8));
  }
}

TEST_CASE("requests of different scopes share nothing") {
  auto scheduler = Scheduler::create(demo(), small(4, 2048)).value();
  const auto prompt = tokens_of(kStory);
  Outcomes outcomes;
  for (int i = 0; i < 4; ++i) {
    Request request = outcomes.request(i, prompt, greedy(8));
    request.cache_scope = static_cast<uint64_t>(i) % 2;
    REQUIRE(scheduler.submit(std::move(request)));
  }
  finish(scheduler);
  for (int i = 0; i < 4; ++i) {
    CHECK(outcomes.of(i).timings.n_cached == (i < 2 ? 0 : prompt.size() - 1));
    CHECK(outcomes.of(i).tokens == outcomes.of(0).tokens);
  }
  Request third = outcomes.request(9, prompt, greedy(8));
  third.cache_scope = 2;
  REQUIRE(scheduler.submit(std::move(third)));
  finish(scheduler);
  CHECK(outcomes.of(9).timings.n_cached == 0);
}

TEST_CASE("a small cache forgets what is kept, and never fails a request that fits") {
  auto scheduler = Scheduler::create(demo(), small(3, 384, 128, 32)).value();
  const auto story = tokens_of(kStory);
  Outcomes outcomes;
  std::vector<std::vector<Token>> prompts;
  for (int i = 0; i < 30; ++i) {
    const auto begin = story.begin() + i % 11;
    prompts.emplace_back(begin, begin + 30 + i % 7);
    REQUIRE(scheduler.submit(outcomes.request(i, prompts.back(), greedy(40))));
  }
  finish(scheduler);
  for (int i = 0; i < 30; ++i)
    CHECK(outcomes.of(i).tokens == alone(prompts[static_cast<size_t>(i)], greedy(40)).tokens);
  CHECK(scheduler.stats().n_used <= 384);
}

TEST_CASE("a request ends where its room does, and says so") {
  auto scheduler = Scheduler::create(demo(), small(2, 256, 64)).value();
  const auto story = tokens_of(kStory);
  Outcomes outcomes;
  const std::vector<Token> prompt(story.begin(), story.begin() + 50);
  auto endless = greedy(-1);
  endless.sampler.ignore_eos = true;
  REQUIRE(scheduler.submit(outcomes.request(0, prompt, endless)));
  const std::vector<Token> too_long(story.begin(), story.begin() + 64);
  CHECK(scheduler.submit(outcomes.request(1, too_long, endless)).error().code == Errc::context_full);
  CHECK(scheduler.submit(outcomes.request(2, {}, endless)).error().code == Errc::argument);
  CHECK(scheduler.submit(outcomes.request(3, {1 << 20}, endless)).error().code == Errc::argument);
  auto wrong = greedy(4);
  wrong.sampler.top_p = -3;
  CHECK(scheduler.submit(outcomes.request(4, prompt, wrong)).error().code == Errc::argument);
  finish(scheduler);
  CHECK(outcomes.of(0).stop_reason == StopReason::context_full);
  CHECK(outcomes.of(0).tokens.size() == 15);  // the last one is chosen, and not read
  CHECK(outcomes.by_number.size() == 1);
}

TEST_CASE("a raised token ends a request with the next step: while it waits, reads its prompt or answers") {
  auto options = small(2, 1024);
  options.context.n_batch = 16;
  auto scheduler = Scheduler::create(demo(), options).value();
  Outcomes outcomes;
  std::vector<GenerateOptions> all;
  for (int i = 0; i < 4; ++i) all.push_back(greedy(30));
  const auto story = tokens_of(kStory);
  REQUIRE(scheduler.submit(outcomes.request(0, tokens_of("Once"), all[0])));
  REQUIRE(scheduler.submit(outcomes.request(1, story, all[1])));
  REQUIRE(scheduler.submit(outcomes.request(2, story, all[2])));
  for (int i = 0; i < 3; ++i) REQUIRE(scheduler.step());
  CHECK(scheduler.stats().n_running == 2);
  for (int i = 0; i < 3; ++i) all[static_cast<size_t>(i)].cancel.cancel();
  REQUIRE(scheduler.step());
  CHECK(outcomes.by_number.size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(outcomes.of(i).stop_reason == StopReason::cancelled);
  CHECK(outcomes.of(0).tokens.size() >= 2);
  CHECK(outcomes.of(1).tokens.empty());
  REQUIRE(scheduler.submit(outcomes.request(3, story, all[3])));
  finish(scheduler);
  CHECK(outcomes.of(3).tokens == alone(story, all[3]).tokens);
}

TEST_CASE("the queue has an end, and whoever waits is told when the scheduler goes") {
  Outcomes outcomes;
  {
    auto options = small(1, 256);
    options.max_queued = 2;
    auto scheduler = Scheduler::create(demo(), options).value();
    for (int i = 0; i < 2; ++i)
      REQUIRE(scheduler.submit(outcomes.request(i, tokens_of("Once upon a time"), greedy(4))));
    CHECK(scheduler.submit(outcomes.request(2, tokens_of("Once"), greedy(4))).error().code == Errc::busy);
    CHECK(scheduler.stats().n_queued == 2);
  }
  REQUIRE(outcomes.by_number.size() == 2);
  CHECK(outcomes.by_number.at(0).error().code == Errc::cancelled);
}

TEST_CASE("options out of range are refused by name") {
  const auto code = [](SchedulerOptions options) { return Scheduler::create(demo(), options).error().code; };
  CHECK(code(small(0, 256)) == Errc::argument);
  CHECK(code(small(65, 2560)) == Errc::argument);  // more than n_batch
  CHECK(code(small(2, 256, 257)) == Errc::argument);
  CHECK(code(small(2, 256, 0, 1u << 20)) == Errc::argument);
}

TEST_CASE("log-probabilities are those of the model") {
  auto context = demo_context();
  const auto prompt = tokens_of("The old house stood near the");
  auto options = greedy(3);
  options.n_logprobs = static_cast<int32_t>(demo().info().n_vocab);
  std::vector<float> chosen;
  options.on_token = [&](const GeneratedToken& step) {
    if (step.token < 0) return true;
    double sum = 0;
    for (const TokenLogprob& each : step.top) sum += std::exp(static_cast<double>(each.logprob));
    CHECK(sum == doctest::Approx(1).epsilon(1e-4));
    CHECK(step.top.front().token == step.token);  // greedy
    CHECK(step.top.front().logprob == step.logprob);
    chosen.push_back(step.logprob);
    return true;
  };
  const Generation out = generate(context, prompt, options).value();
  // The same by hand.
  auto text = prompt;
  for (size_t i = 0; i < out.tokens.size(); ++i) {
    auto fresh = demo_context();
    REQUIRE(fresh.append(text));
    const auto logits = fresh.last_logits();
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    const double expected = static_cast<double>(logits[static_cast<size_t>(out.tokens[i])]) - std::log(sum);
    CHECK(chosen[i] == doctest::Approx(expected).epsilon(1e-4));
    text.push_back(out.tokens[i]);
  }
}

TEST_CASE("requests come from any thread while it runs") {
  auto scheduler = Scheduler::create(demo(), small(4, 1024)).value();
  CancelToken stop;
  std::thread runner([&] { CHECK(scheduler.run(stop)); });
  std::atomic<int> n_ended{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 3; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0; i < 4; ++i) {
        Request request{tokens_of(kStory.substr(0, static_cast<size_t>(10 + 17 * c + i))), greedy(6), {}};
        request.on_end = [&](const Result<Generation>& result) {
          CHECK(result);
          ++n_ended;
        };
        CHECK(scheduler.submit(std::move(request)));
        static_cast<void>(scheduler.stats());
      }
    });
  }
  for (std::thread& client : clients) client.join();
  while (n_ended < 12) std::this_thread::yield();
  stop.cancel();
  runner.join();
  CHECK(scheduler.stats().n_finished == 12);
}
