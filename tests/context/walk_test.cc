// Whatever is done to sequences in whatever order: each gives the rows of a context that has nothing else, to the bit.
#include <doctest/doctest.h>

#include <random>

#include "tests/context/sequences.h"

using namespace quern;
using namespace quern::testing;

namespace {

constexpr int32_t kSequences = 3, kLongest = 260;

/// A context, and what its sequences should hold.
class Walk {
 public:
  Walk(const model::LoadedModel& model, uint32_t seed, bool cut_out)
      : model_(model), rng_(seed), cut_out_(cut_out), context_(context_of(model, options())), texts_(kSequences) {}

  void run(int n_steps) {
    for (int i = 0; i < n_steps; ++i) {
      const int32_t s = below(kSequences);
      const uint32_t kind = below(12);
      CAPTURE(i);
      CAPTURE(s);
      CAPTURE(kind);
      if (kind < 4) append(s, 1 + below(50), below(2) == 0 ? 1 : 64);
      if (kind == 4) append_to_all();
      if (kind == 5 || kind == 6) rewind(s, below(static_cast<int32_t>(texts_[index(s)].size()) + 5));
      if (kind == 7) fork(s, below(kSequences));
      if (kind == 8) copy_saved(s, below(kSequences));
      if (kind == 9) cancel(s);
      if (kind == 10) remove_end(s);
      if (kind == 11 && cut_out_) remove_middle(s);
      check_sizes();
    }
    for (int32_t s = 0; s < kSequences; ++s) append(s, 3, 3);
    context_->clear();
    CHECK(context_->n_used() == 0);
    CHECK(context_->cache().pool->n_used() == 0);
    CHECK(context_->cache().window_pool->n_used() == 0);
  }

 private:
  using Text = std::vector<BatchToken>;

  ContextOptions options() {
    return {.n_ctx = 2000,
            .n_batch = static_cast<uint32_t>(1 + below(40)),
            .n_seq_max = kSequences,
            .n_checkpoints = static_cast<uint32_t>(below(4))};
  }
  int32_t below(int32_t n) { return static_cast<int32_t>(rng_() % static_cast<uint32_t>(n)); }
  static size_t index(int32_t sequence) { return static_cast<size_t>(sequence); }

  Text more(int32_t s, int32_t n) {
    Text out;
    int32_t position = context_->sequence(s).next_position();
    for (int32_t i = 0; i < n; ++i) out.push_back({below(90), position++, s, true});
    return out;
  }

  void append(int32_t s, int32_t n, size_t step) {
    Text& text = texts_[index(s)];
    if (static_cast<int32_t>(text.size()) + n > kLongest) return;
    const Text added = more(s, n);
    const size_t before = text.size();
    text.insert(text.end(), added.begin(), added.end());
    CHECK(same_rows(decode(*context_, added, step), decode_alone(model_, text), before));
  }

  void append_to_all() {
    std::vector<Text> added;
    Text batch;
    for (int32_t s = 0; s < kSequences; ++s) {
      if (texts_[index(s)].size() + 30 > kLongest) return;
      added.push_back(more(s, 1 + below(30)));
    }
    for (size_t i = 0; i < 30; ++i) {
      for (const Text& text : added) {
        if (i < text.size()) batch.push_back(text[i]);
      }
    }
    const Rows rows = decode(*context_, batch);
    for (int32_t s = 0; s < kSequences; ++s) {
      Text& text = texts_[index(s)];
      const size_t before = text.size();
      text.insert(text.end(), added[index(s)].begin(), added[index(s)].end());
      Rows own;
      for (size_t i = 0; i < batch.size(); ++i) {
        if (batch[i].sequence == s) own.push_back(rows[i]);
      }
      CHECK(same_rows(own, decode_alone(model_, text), before));
    }
  }

  /// A text's tokens at positions below `position`.
  void cut(int32_t s, int32_t position) {
    Text& text = texts_[index(s)];
    while (!text.empty() && text.back().position >= position) text.pop_back();
  }

  void rewind(int32_t s, int32_t position) {
    const int32_t reached = context_->rewind(s, position).value();
    CHECK(reached <= position);
    if (position > context_->sequence(s).next_position() + 64) CHECK(reached < position);
    cut(s, reached);
  }

  void fork(int32_t from, int32_t to) {
    REQUIRE(context_->fork(from, to).has_value());
    texts_[index(to)] = texts_[index(from)];
  }

  void copy_saved(int32_t from, int32_t to) {
    const auto state = context_->save(from).value();
    REQUIRE(context_->restore(to, state).has_value());
    texts_[index(to)] = texts_[index(from)];
    CHECK(context_->save(to).value() == state);
  }

  void cancel(int32_t s) {
    const uint64_t n = static_cast<uint64_t>(1 + below(100)), stop = static_cast<uint64_t>(below(100));
    const auto state = context_->save(s).value();
    DecodeOptions options;
    options.progress = [&](const Progress& p) { return p.done < std::min(stop, n); };
    CHECK(context_->decode(more(s, static_cast<int32_t>(n)), options).error().code == Errc::cancelled);
    CHECK(context_->save(s).value() == state);
  }

  void remove_end(int32_t s) {
    const int32_t from = below(static_cast<int32_t>(texts_[index(s)].size()) + 1);
    const auto state = context_->save(s).value();
    const Status status = context_->remove(s, from, -1);
    if (status) {
      cut(s, from);
    } else {
      CHECK(status.error().code == Errc::unsupported);
      CHECK(context_->save(s).value() == state);
    }
  }

  void remove_middle(int32_t s) {
    Text& text = texts_[index(s)];
    if (text.size() < 3) return;
    const int32_t last = text.back().position, from = below(last), to = from + below(last - from) + 1;
    REQUIRE(context_->remove(s, from, to).has_value());
    std::erase_if(text, [&](const BatchToken& t) { return t.position >= from && t.position < to; });
  }

  void check_sizes() {
    for (int32_t s = 0; s < kSequences; ++s) CHECK(context_->sequence(s).size() == texts_[index(s)].size());
  }

  const model::LoadedModel& model_;
  std::mt19937 rng_;
  bool cut_out_;
  std::unique_ptr<context::Context> context_;
  std::vector<Text> texts_;
};

}  // namespace

TEST_CASE("sequences of models with windows, on any path") {
  for (const std::string name : {"gemma2", "gpt_oss"}) {
    const auto model = open_golden(name, cpu_backend());
    for (uint32_t seed = 1; seed <= 2; ++seed) {
      CAPTURE(name);
      CAPTURE(seed);
      Walk(*model, seed, false).run(10 * kEffort);
    }
  }
}

TEST_CASE("the same with tokens removed from the middle") {
  // The first layer's keys and values depend on token and position alone, so a one-layer model shows exactly whether
  // cells were moved to where they belong.
  for (const uint64_t window : {1u, 10u, 50u}) {
    TinyModel tiny;
    tiny.number("llama.block_count", 1);
    tiny.number("llama.attention.sliding_window", window);
    for (compute::Backend* backend : both_backends()) {
      const auto model = open_tiny(tiny, {}, *backend).value();
      for (uint32_t seed = 1; seed <= 2; ++seed) {
        CAPTURE(window);
        CAPTURE(seed);
        Walk(*model, seed, true).run(10 * kEffort);
      }
    }
  }
}
