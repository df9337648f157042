// Adapters through the public interface.
#include <quern/quern.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <thread>

#include "tests/golden/adapters.h"

using namespace quern;
using namespace quern::testing;

namespace {

/// The model of some golden adapters, opened, and the adapters.
struct Opened {
  explicit Opened(const std::string& name, uint32_t n_threads = 2)
      : golden(name), file(golden.model), model(open_with(file.path(), n_threads)) {
    for (size_t i = 0; i < golden.n_adapters(); ++i) {
      const GoldenFile adapter_file(golden.adapter(i));
      auto adapter = Adapter::open(model, adapter_file.path());
      REQUIRE_MESSAGE(adapter.has_value(), adapter.error().message);
      adapters.push_back({std::move(*adapter), golden.scale(i)});
    }
  }
  ContextOptions options() const {
    ContextOptions out;
    out.n_ctx = 512;
    out.n_seq_max = 3;
    return out;
  }
  GoldenAdapters golden;
  GoldenFile file;
  Model model;
  std::vector<AdapterUse> adapters;
};

std::vector<float> last_logits(Context& context, std::span<const Token> tokens, int32_t sequence = 0) {
  REQUIRE(context.append(tokens, sequence));
  const auto logits = context.last_logits();
  return {logits.begin(), logits.end()};
}

/// An adapter of another copy of the model.
Adapter open_other(const Opened& opened) {
  const GoldenFile file(opened.golden.adapter(0));
  return Adapter::open(open_with(opened.file.path(), 1), file.path()).value();
}

GenerateOptions greedy(int32_t n) {
  GenerateOptions options;
  options.max_tokens = n;
  options.sampler.temperature = 0;
  return options;
}

}  // namespace

TEST_CASE("an adapter says what it is, and outlives the model's name") {
  Opened opened("llama_two");
  const AdapterInfo& info = opened.adapters[1].adapter.info();
  CHECK(info.rank == 8);
  CHECK(info.alpha == 16);
  CHECK(info.n_weights == 5);
  CHECK(info.size_bytes > 0);
  CHECK(opened.adapters[0] == opened.adapters[0]);
  CHECK_FALSE(opened.adapters[0] == opened.adapters[1]);
  const Adapter kept = opened.adapters[0].adapter;
  CHECK(kept == opened.adapters[0].adapter);
  opened.adapters.clear();
  opened.model = open_with(opened.file.path(), 1);
  CHECK(kept.model().info().n_layer == 2);
  auto elsewhere = Context::create(opened.model);
  REQUIRE(elsewhere.has_value());
  const Status refused = elsewhere->set_adapters(0, {{kept, 1.0f}});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("opened for another model") != std::string::npos);
  CHECK(elsewhere->set_adapters(0, {AdapterUse{}}).error().code == Errc::argument);
  CHECK_FALSE(Adapter::open(opened.model, opened.file.path()).has_value());  // a model is no adapter
  ContextOptions options;
  options.adapters = {{kept, 1.0f}};
  CHECK_FALSE(Context::create(opened.model, options).has_value());
}

TEST_CASE("contexts: adapters of all sequences, of one, and of copies") {
  const Opened opened("llama_two");
  const auto& tokens = opened.golden.model.tokens;
  ContextOptions options = opened.options();
  Context plain = Context::create(opened.model, options).value();
  const auto without = last_logits(plain, tokens);
  REQUIRE(plain.set_adapters(1, opened.adapters));
  const auto with = last_logits(plain, tokens, 1);
  CHECK(with != without);
  REQUIRE(plain.sequence_fork(1, 2));
  CHECK(plain.adapters(2).size() == 2);
  CHECK(plain.adapters(0).empty());
  CHECK(plain.adapters(7).empty());

  options.adapters = opened.adapters;
  Context all = Context::create(opened.model, options).value();
  CHECK(all.adapters(2).size() == 2);
  CHECK(last_logits(all, tokens, 2) == with);
  const auto state = all.sequence_save(2).value();
  REQUIRE(all.sequence_restore(0, state));
  REQUIRE(all.sequence_remove(1, 0));
  REQUIRE(all.set_adapters(1, {}));
  CHECK_FALSE(all.sequence_restore(1, state).has_value());
}

TEST_CASE("generation takes adapters, and forgets what was computed with others") {
  const Opened opened("llama_two");
  const std::vector<Token> prompt = {5, 9, 60, 30, 7, 8};
  Context context = Context::create(opened.model, opened.options()).value();
  const Generation plain = generate(context, prompt, greedy(24)).value();
  CHECK(generate(context, prompt, greedy(24)).value().timings.n_cached == 5);

  GenerateOptions options = greedy(24);
  options.adapters = opened.adapters;
  const Generation changed = generate(context, prompt, options).value();
  CHECK(changed.timings.n_cached == 0);
  CHECK(changed.tokens != plain.tokens);
  CHECK(generate(context, prompt, options).value().timings.n_cached == 5);
  CHECK(generate(context, prompt, greedy(24)).value().tokens == changed.tokens);  // it keeps them

  Context other = Context::create(opened.model, opened.options()).value();
  REQUIRE(other.set_adapters(0, opened.adapters));
  CHECK(generate(other, prompt, greedy(24)).value().tokens == changed.tokens);
  options.adapters.emplace();
  CHECK(generate(context, prompt, options).value().tokens == plain.tokens);
}

TEST_CASE("perplexity, comparison and embeddings with adapters") {
  const Opened opened("llama");
  const auto& tokens = opened.golden.model.tokens;
  PerplexityOptions options;
  options.n_ctx = 32;
  const double plain = perplexity(opened.model, tokens, options).value().ppl;
  options.adapters = opened.adapters;
  CHECK(perplexity(opened.model, tokens, options).value().ppl != plain);
  const Comparison comparison = compare(opened.model, opened.model, tokens, options).value();
  CHECK(comparison.reference_ppl == doctest::Approx(plain));
  CHECK(comparison.kl_divergence > 0.01);

  const std::vector<std::vector<Token>> texts = {{3, 4, 5}, {40, 41}, {7, 8, 9, 10}};
  EmbedderOptions embed;
  embed.pooling = Pooling::mean;
  Embedder without = Embedder::create(opened.model, embed).value();
  embed.adapters = opened.adapters;
  Embedder with = Embedder::create(opened.model, embed).value();
  const auto all = with.embed(texts).value();
  CHECK(all[1].values != without.embed(texts).value()[1].values);
  CHECK(with.embed(std::span(texts).subspan(1, 1)).value()[0].values == all[1].values);  // whatever is beside it
  // The same as of merged weights.
  const GoldenFile merged(opened.golden.model, merged_with(opened.golden));
  embed.adapters.clear();
  Embedder of_merged = Embedder::create(open_with(merged.path(), 1), embed).value();
  CHECK(cosine_similarity(of_merged.embed(texts).value()[2].values, all[2].values) > 0.999999);
}

TEST_CASE("requests with different adapters run together") {
  const Opened opened("llama_two");
  std::vector<Token> prompt;
  for (Token i = 0; i < 40; ++i) prompt.push_back((i * 7 + 3) % 90);
  const std::vector<std::vector<AdapterUse>> lists = {{}, opened.adapters, {opened.adapters[0]}, opened.adapters, {}};
  SchedulerOptions options;
  options.n_parallel = 3;
  options.context.n_ctx = 1024;
  Scheduler scheduler = Scheduler::create(opened.model, options).value();
  std::vector<std::vector<Token>> found(lists.size());
  std::vector<uint32_t> cached(lists.size());
  for (size_t i = 0; i < lists.size(); ++i) {
    Request request;
    request.prompt = prompt;
    request.options = greedy(16);
    request.options.adapters = lists[i];
    request.on_end = [&, i](const Result<Generation>& result) {
      REQUIRE(result.has_value());
      found[i] = result->tokens;
      cached[i] = result->timings.n_cached;
    };
    REQUIRE(scheduler.submit(std::move(request)));
  }
  while (scheduler.step().value()) {
  }
  for (size_t i = 0; i < lists.size(); ++i) {
    CAPTURE(i);
    Context context = Context::create(opened.model, opened.options()).value();
    GenerateOptions alone = greedy(16);
    alone.adapters = lists[i];
    CHECK(found[i] == generate(context, prompt, alone).value().tokens);
  }
  CHECK(found[0] != found[1]);
  CHECK(cached[2] == 0);  // nobody else has read the prompt with that adapter alone
  CHECK(cached[4] == 39);
  Request foreign;
  foreign.prompt = prompt;
  foreign.options.adapters.emplace();
  foreign.options.adapters->push_back({open_other(opened), 1.0f});
  CHECK(scheduler.submit(std::move(foreign)).error().code == Errc::argument);
}

TEST_CASE("contexts on several threads share an adapter") {
  const Opened opened("mixtral", 1);
  const auto& tokens = opened.golden.model.tokens;
  std::array<std::vector<float>, 3> results;
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      ContextOptions options = opened.options();
      options.adapters = opened.adapters;
      auto context = Context::create(opened.model, options);
      if (!context || !context->append(tokens)) return;
      const auto logits = context->last_logits();
      result.assign(logits.begin(), logits.end());
    });
  }
  for (auto& thread : threads) thread.join();
  REQUIRE_FALSE(results[0].empty());
  CHECK(results[1] == results[0]);
  CHECK(results[2] == results[0]);
}
