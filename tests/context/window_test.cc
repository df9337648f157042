// Layers with a sliding window keep no more than they need, and nobody can tell from the results.
#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/context/sequences.h"

using namespace quern;
using namespace quern::testing;

namespace {

constexpr uint32_t kBlock = compute::kKvBlockTokens, kSlack = context::kWindowSlack;

/// A model by its name: one of the goldens, or a llama whose layers all have a window of 10.
std::unique_ptr<const model::LoadedModel> open_windowed(const std::string& name, compute::Backend& backend) {
  if (name != "llama") return open_golden(name, backend);
  TinyModel tiny;
  tiny.number("llama.attention.sliding_window", 10);
  return open_tiny(tiny, {}, backend).value();
}

const std::vector<std::string> kWindowed = {"llama", "gemma2", "gemma3", "gpt_oss", "olmo3"};

/// Those that are run on a backend: all on the fast one.
std::vector<std::string> windowed_for(const compute::Backend& backend) {
  return &backend == &cpu_backend() ? kWindowed : std::vector<std::string>{"llama"};
}

/// Blocks that a sequence has at most when nothing shares them: a window with its slack and what one pass adds, which
/// may begin and end inside a block.
uint32_t most_blocks(const model::LoadedModel& model, uint32_t n_pass) {
  return (model.hparams->sliding_window + kSlack + n_pass + kBlock - 1) / kBlock + 1;
}

}  // namespace

TEST_CASE("what a window has passed is given back, and no bit changes") {
  for (compute::Backend* backend : both_backends()) {
    for (const std::string& name : windowed_for(*backend)) {
      CAPTURE(name);
      const auto model = open_windowed(name, *backend);
      const auto text = tokens_of(0, 400);
      const Rows expected = decode_alone(*model, text);
      for (const uint32_t n_batch : {7u, 33u, 128u}) {
        for (const size_t step : {size_t{1}, size_t{50}, size_t{400}}) {
          const auto context = context_of(*model, {.n_ctx = 512, .n_batch = n_batch, .n_checkpoints = 0});
          CHECK(same_rows(decode(*context, text, step), expected));
          CHECK(window_blocks(*context) <= most_blocks(*model, 0));
          // Memory is never given back, so this is the most that was ever held; pools grow by half. A call of several
          // passes keeps what it would go back to.
          uint32_t most = most_blocks(*model, static_cast<uint32_t>(std::min<size_t>(n_batch, step)));
          if (step > n_batch && step < text.size()) most += most_blocks(*model, 0);
          CHECK(context->cache().window_pool->n_blocks() <= most + most / 2);
          CHECK(context->n_used() == 400);
          context->clear();
          CHECK(window_blocks(*context) == 0);
          CHECK(context->cache().pool->n_used() == 0);
        }
      }
    }
  }
}

TEST_CASE("the cache's memory") {
  const auto mixed = open_golden("gemma2", cpu_backend()), windowed = open_windowed("llama", cpu_backend());
  TinyModel tiny;
  const auto plain = open_tiny(tiny, {}, cpu_backend()).value();
  const auto bytes = [](const model::LoadedModel& model, int32_t n_tokens) {
    const auto context = context_of(model, {.n_ctx = 4096, .n_batch = 64, .n_checkpoints = 0});
    decode(*context, tokens_of(0, n_tokens), 64);
    return context->cache_bytes();
  };
  // A plain model's memory grows with the text, that of one whose layers all have windows stays. Where some have one,
  // so does their part: two layers of three.
  CHECK(bytes(*plain, 2048) > 7 * bytes(*plain, 256));
  CHECK(bytes(*windowed, 2048) == bytes(*windowed, 256));
  const auto context = context_of(*mixed, {.n_ctx = 4096, .n_batch = 64, .n_checkpoints = 0});
  decode(*context, tokens_of(0, 2048), 64);
  const context::Cache& cache = context->cache();
  CHECK(cache.window_store->block_bytes() == 2 * cache.store->block_bytes());
  CHECK(cache.window_pool->size_bytes() * 4 < cache.pool->size_bytes());
  CHECK(context->cache_bytes() == cache.pool->size_bytes() + cache.window_pool->size_bytes());
  // Gemma 3 has six layers with a window for each that sees everything.
  const auto gemma3 = open_golden("gemma3", cpu_backend());
  constexpr int32_t kLong = kEffort > 1 ? 4096 : 1024;
  for (const uint32_t n_checkpoints : {0u, 32u}) {
    const auto long_context = context_of(*gemma3, {.n_ctx = 4096, .n_batch = 64, .n_checkpoints = n_checkpoints});
    decode(*long_context, tokens_of(0, kLong), 4096);
    const uint64_t kept = long_context->cache_bytes(), everything = 7 * long_context->cache().pool->size_bytes();
    MESSAGE("gemma3, " << kLong << " tokens, " << n_checkpoints << " checkpoints: " << kept << " bytes of "
                       << everything);
    CHECK(kept * 3 < everything);
  }
  // Caches that no layer needs are not there.
  CHECK(context_of(*plain)->cache().window_pool == nullptr);
  const auto all_windows = context_of(*windowed);
  CHECK(all_windows->cache().store == nullptr);
  CHECK(all_windows->cache().pool->size_bytes() == 0);
}

TEST_CASE("n_ctx bounds sequences whose layers all have windows") {
  const auto model = open_windowed("llama", reference_backend());
  const auto context = context_of(*model, {.n_ctx = 300, .n_batch = 16, .n_seq_max = 2});
  const auto text = tokens_of(0, 320);
  const Rows expected = decode_alone(*model, text);
  decode(*context, tokens_of(0, 290));
  const uint32_t held = window_blocks(*context);
  const Status full = context->decode(tokens_of(290, 301), {});
  REQUIRE(!full.has_value());
  CHECK(full.error().code == Errc::context_full);
  CHECK(full.error().message == "the context is full: 11 cells needed, 10 of 300 available");
  CHECK(window_blocks(*context) == held);
  CHECK(same_rows(decode(*context, tokens_of(290, 300)), expected, 290));
  CHECK(context->decode(tokens_of(0, 1, 1), {}).error().code == Errc::context_full);
  CHECK(context->n_used() == 300);
}

TEST_CASE("a sequence goes back within the slack, to checkpoints, or to its beginning") {
  for (compute::Backend* backend : both_backends()) {
    for (const std::string& name : windowed_for(*backend)) {
      CAPTURE(name);
      const auto model = open_windowed(name, *backend);
      const Rows expected = decode_alone(*model, tokens_of(0, 400));
      const auto go_on = [&](context::Context& context, int32_t from) {
        CHECK(context.sequence(0).next_position() == from);
        CHECK(same_rows(decode(context, tokens_of(from, 400), 90), expected, static_cast<size_t>(from)));
      };
      const auto prepared = [&](uint32_t n_checkpoints) {
        auto context = context_of(*model, {.n_ctx = 512, .n_batch = 40, .n_checkpoints = n_checkpoints});
        decode(*context, tokens_of(0, 150), 150);
        decode(*context, tokens_of(150, 300), 1);
        return context;
      };
      for (const int32_t back : {0, 1, 33, 64}) {
        const auto context = prepared(0);
        CHECK(context->rewind(0, 300 - back).value() == 300 - back);
        go_on(*context, 300 - back);
      }
      // As far as the cells reach that are there, and no farther.
      const auto window = static_cast<int32_t>(model->hparams->sliding_window);
      for (const int32_t too_far : {0, 1}) {
        const auto context = prepared(0);
        const auto first = static_cast<int32_t>(context->sequence(0).window_table().first());
        const int32_t reached = too_far == 1 ? 0 : first + window - 1;
        CHECK(context->rewind(0, first + window - 1 - too_far).value() == reached);
        go_on(*context, reached);
      }
      auto context = prepared(32);
      CHECK(context->rewind(0, 200).value() == 150);  // the end of the prompt
      go_on(*context, 150);
      context = prepared(32);
      CHECK(context->rewind(0, 149).value() == 149);  // within the slack of the end of the prompt
      go_on(*context, 149);
      CHECK(context->rewind(0, 149).value() == 149);  // and once more
      go_on(*context, 149);
      context = prepared(32);
      CHECK(context->rewind(0, 150 - 64).value() == 150 - 64);
      go_on(*context, 150 - 64);
      context = prepared(0);
      CHECK(context->rewind(0, 200).value() == 0);
      CHECK(context->n_used() == 0);
      CHECK(window_blocks(*context) == 0);
      go_on(*context, 0);
      CHECK(context->rewind(0, 1000).value() == 400);  // the end
      CHECK(context->rewind(0, -1).error().code == Errc::argument);
      CHECK(context->rewind(1, 0).error().code == Errc::argument);
      CHECK(context->sequence(0).size() == 400);
    }
  }
}

TEST_CASE("models without windows go back to any position") {
  const auto model = open_tiny(TinyModel()).value();
  const Rows expected = decode_alone(*model, tokens_of(0, 200));
  const auto context = context_of(*model);
  for (const int32_t to : {199, 150, 149, 64, 1, 0}) {
    decode(*context, tokens_of(context->sequence(0).next_position(), 200));
    CHECK(context->rewind(0, to).value() == to);
    CHECK(same_rows(decode(*context, tokens_of(to, 200)), expected, static_cast<size_t>(to)));
  }
  CHECK(context->sequence(0).checkpoints().empty());
}

TEST_CASE("what cannot be removed exactly is refused") {
  const auto model = open_windowed("gemma2", reference_backend());
  const auto context = context_of(*model, {.n_ctx = 512, .n_checkpoints = 1});
  decode(*context, tokens_of(0, 100), 50);  // one checkpoint, at 100, is left
  const Rows expected = decode(*context, tokens_of(100, 300), 1);
  const auto state = context->save(0).value();
  const Status refused = context->remove(0, 200, -1);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == Errc::unsupported);
  CHECK(refused.error().message ==
        "the sequence cannot be cut at position 200: its layers with a window of 16 positions have forgotten what they "
        "saw there; it can go back to position 100 (rewind) and be decoded again from there");
  CHECK(context->save(0).value() == state);
  CHECK(context->remove(0, 240, -1).has_value());
  CHECK(same_rows(decode(*context, tokens_of(240, 300), 1), expected, 140));
  CHECK(context->remove(0, 100, -1).has_value());  // a checkpoint
  CHECK(same_rows(decode(*context, tokens_of(100, 300), 7), expected));
  CHECK(context->remove(0, 0, -1).has_value());
  CHECK(context->n_used() == 0);
  CHECK(window_blocks(*context) == 0);
}

TEST_CASE("checkpoints: at the ends of prompts and within long ones, the oldest dropped first") {
  TinyModel tiny;
  tiny.number("llama.block_count", 1);
  tiny.number("llama.attention.sliding_window", 10);
  const auto model = open_tiny(tiny, {}, cpu_backend()).value();
  const auto context = context_of(*model, {.n_ctx = 40000, .n_batch = 512, .n_checkpoints = 3});
  auto text = tokens_of(0, 30000);
  for (BatchToken& token : text) token.logits = false;
  const auto places = [&] {
    std::vector<uint32_t> out;
    for (const context::Checkpoint& checkpoint : context->sequence(0).checkpoints()) out.push_back(checkpoint.n_cells);
    return out;
  };
  const auto feed = [&](size_t begin, size_t end, size_t step) {
    decode(*context, {text.begin() + static_cast<ptrdiff_t>(begin), text.begin() + static_cast<ptrdiff_t>(end)}, step);
  };
  feed(0, 20000, 20000);
  CHECK(places() == std::vector<uint32_t>{8192, 16384, 20000});
  feed(20000, 20001, 1);
  CHECK(places() == std::vector<uint32_t>{8192, 16384, 20000});
  feed(20001, 20003, 2);
  CHECK(places() == std::vector<uint32_t>{16384, 20000, 20003});
  CHECK(context->rewind(0, 19990).value() == 19990);
  CHECK(places() == std::vector<uint32_t>{16384, 19990});
  CHECK(context->rewind(0, 19000).value() == 16384);
  CHECK(places() == std::vector<uint32_t>{16384});
  CHECK(context->rewind(0, 16383).value() == 16383);
  CHECK(places() == std::vector<uint32_t>{16383});
  feed(16383, 25000, 1);
  CHECK(places() == std::vector<uint32_t>{16383, 16383 + 8192});
  // A checkpoint shares its blocks; each adds a window at most.
  CHECK(window_blocks(*context) <= 4 * most_blocks(*model, 0));
  context->clear();
  CHECK(window_blocks(*context) == 0);
}

TEST_CASE("cancelling a long prompt brings everything back, checkpoints too") {
  for (const std::string& name : kWindowed) {
    CAPTURE(name);
    const auto model = open_windowed(name, cpu_backend());
    const Rows expected = decode_alone(*model, tokens_of(0, 400));
    const auto context = context_of(*model, {.n_ctx = 512, .n_batch = 16, .n_checkpoints = 2});
    decode(*context, tokens_of(0, 50), 25);
    decode(*context, tokens_of(50, 120), 1);
    const auto state = context->save(0).value();
    const uint32_t used = context->n_used(), blocks = window_blocks(*context);
    for (const uint64_t stop : {16u, 48u, 160u, 200u}) {
      DecodeOptions options;
      options.progress = [&](const Progress& p) { return p.done < stop; };
      CHECK(context->decode(tokens_of(120, 320), options).error().code == Errc::cancelled);
      CHECK(context->save(0).value() == state);
      CHECK(context->n_used() == used);
      CHECK(window_blocks(*context) == blocks);
      REQUIRE(context->sequence(0).checkpoints().size() == 2);
      CHECK(context->sequence(0).checkpoints()[1].n_cells == 50);
    }
    // Calls of one pass, which an exception of the caller's ends.
    DecodeOptions options;
    options.progress = [](const Progress&) -> bool { throw std::runtime_error("no"); };
    CHECK_THROWS(static_cast<void>(context->decode(tokens_of(120, 130), options)));
    CHECK(context->save(0).value() == state);
    CHECK(same_rows(decode(*context, tokens_of(120, 400), 1), expected, 120));
    CHECK(context->rewind(0, 50).value() == 50);
    CHECK(same_rows(decode(*context, tokens_of(50, 400), 60), expected, 50));
  }
}

TEST_CASE("forks take checkpoints along and do not touch each other") {
  for (const std::string& name : kWindowed) {
    CAPTURE(name);
    const auto model = open_windowed(name, cpu_backend());
    const Rows expected = decode_alone(*model, tokens_of(0, 400));
    const auto context = context_of(*model, {.n_ctx = 2000, .n_batch = 32, .n_seq_max = 3});
    decode(*context, tokens_of(0, 110));
    decode(*context, tokens_of(110, 250), 1);
    REQUIRE(context->fork(0, 1).has_value());
    REQUIRE(context->fork(0, 2).has_value());
    // Another text in one of them, far enough that the windows have nothing in common any more.
    decode(*context, tokens_of(250, 400, 1, 5), 1);
    CHECK(same_rows(decode(*context, tokens_of(250, 300, 0), 9), expected, 250));
    CHECK(context->rewind(1, 200).value() == 110);
    CHECK(same_rows(decode(*context, tokens_of(110, 400, 1), 70), expected, 110));
    CHECK(context->rewind(2, 249).value() == 249);
    CHECK(same_rows(decode(*context, tokens_of(249, 400, 2), 3), expected, 249));
    CHECK(same_rows(decode(*context, tokens_of(300, 400, 0), 1), expected, 300));
    REQUIRE(context->keep(1).has_value());
    CHECK(context->n_used() == 400);
    context->clear();
    CHECK(window_blocks(*context) == 0);
    CHECK(context->cache().pool->n_used() == 0);
  }
}

TEST_CASE("saved sequences have the windows alone, and go on as they were") {
  for (compute::Backend* backend : both_backends()) {
    for (const std::string& name : windowed_for(*backend)) {
      CAPTURE(name);
      const auto model = open_windowed(name, *backend);
      const Rows expected = decode_alone(*model, tokens_of(0, 400));
      const auto first = context_of(*model, {.n_ctx = 512, .n_batch = 16}),
                 second = context_of(*model, {.n_ctx = 1024, .n_seq_max = 2});
      decode(*first, tokens_of(0, 300));
      const auto state = first->save(0).value();
      // However the text came in.
      const auto other = context_of(*model, {.n_ctx = 512, .n_batch = 400});
      decode(*other, tokens_of(0, 302, 0, 1), 5);
      REQUIRE(other->rewind(0, 0).value() == 0);
      decode(*other, tokens_of(0, 300), 30);
      CHECK(other->save(0).value() == state);
      decode(*second, tokens_of(0, 70, 1, 3));  // replaced
      REQUIRE(second->restore(1, state).has_value());
      CHECK(second->save(1).value() == state);
      CHECK(same_rows(decode(*second, tokens_of(300, 400, 1), 1), expected, 300));
      CHECK(second->rewind(1, 310).value() == 300);  // a restored sequence has a checkpoint
      CHECK(same_rows(decode(*second, tokens_of(300, 400, 1), 40), expected, 300));
      second->clear();
      CHECK(window_blocks(*second) == 0);
    }
  }
}
