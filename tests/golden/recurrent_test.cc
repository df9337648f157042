// Models with recurrent layers: what a call that fails, a copy, a saved state and a cleared context leave of the state.
#include <quern/embed.h>

#include <cmath>
#include <cstdint>
#include <span>

#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

struct Tiny {
  Golden golden{"qwen35"};
  GoldenFile file{golden};
  Model model = open_with(file.path(), 2);
  std::span<const Token> tokens{golden.tokens};
  std::vector<float> whole;  ///< logits of all tokens

  Tiny() {
    Context c = context();
    whole = append(c, tokens);
  }

  Context context(uint32_t n_ctx = 256, uint32_t n_seq_max = 2, uint32_t n_batch = 16) const {
    ContextOptions options;
    options.n_ctx = n_ctx;
    options.n_batch = n_batch;
    options.n_seq_max = n_seq_max;
    options.type_k = options.type_v = CacheType::f32;
    return Context::create(model, options).value();
  }
  static std::vector<float> append(Context& c, std::span<const Token> some, int32_t sequence = 0) {
    REQUIRE(c.append(some, sequence, true));
    std::vector<float> out;
    for (size_t i = 0; i < some.size(); ++i) out.insert(out.end(), c.logits(i).begin(), c.logits(i).end());
    return out;
  }
  std::vector<float> from(size_t token) const {
    return {whole.begin() + static_cast<ptrdiff_t>(token * golden.n_vocab), whole.end()};
  }
};

}  // namespace

TEST_CASE("a call that is cancelled, or does not fit, leaves the state as it was") {
  const Tiny tiny;
  for (const size_t n_before : {size_t{0}, size_t{21}}) {
    CAPTURE(n_before);
    Context c = tiny.context(64);
    if (n_before > 0) Tiny::append(c, tiny.tokens.first(n_before));
    int passes = 0;
    DecodeOptions stop;  // after the second of several passes
    stop.progress = [&](const Progress&) { return ++passes < 2; };
    const Status stopped = c.append(tiny.tokens.subspan(5, 40), 0, false, stop);
    REQUIRE_FALSE(stopped.has_value());
    CHECK(stopped.error().code == Errc::cancelled);
    CHECK(passes == 2);
    CHECK(c.sequence_length(0) == n_before);
    std::vector<Token> too_many(65, 3);
    CHECK_FALSE(c.append(too_many).has_value());
    CHECK(Tiny::append(c, tiny.tokens.subspan(n_before)) == tiny.from(n_before));
  }
}

TEST_CASE("copies of a sequence go on by themselves") {
  const Tiny tiny;
  Context c = tiny.context();
  Tiny::append(c, tiny.tokens.first(30));
  REQUIRE(c.sequence_fork(0, 1));
  Tiny::append(c, tiny.tokens.first(9), 1);  // another text
  CHECK(Tiny::append(c, tiny.tokens.subspan(30)) == tiny.from(30));
  REQUIRE(c.sequence_fork(1, 1));
  CHECK(c.sequence_length(1) == 39);
  c.clear();
  CHECK(Tiny::append(c, tiny.tokens, 1) == tiny.whole);
  REQUIRE(c.sequence_keep(0));
  CHECK(Tiny::append(c, tiny.tokens, 1) == tiny.whole);
}

TEST_CASE("a sequence goes back to its checkpoints, and nowhere else") {
  const Tiny tiny;
  Context c = tiny.context();
  Tiny::append(c, tiny.tokens.first(20));
  for (size_t i = 20; i < 30; ++i) REQUIRE(c.append(tiny.tokens.subspan(i, 1)));
  REQUIRE(c.sequence_fork(0, 1));
  CHECK_FALSE(c.sequence_remove(0, 25).has_value());
  CHECK_FALSE(c.sequence_remove(0, 5, 10).has_value());
  CHECK(c.sequence_length(0) == 30);
  CHECK(c.sequence_rewind(0, 30).value() == 30);
  CHECK(Tiny::append(c, tiny.tokens.subspan(30)) == tiny.from(30));
  CHECK(c.sequence_rewind(0, 25).value() == 20);
  CHECK(c.sequence_length(0) == 20);
  CHECK(Tiny::append(c, tiny.tokens.subspan(20)) == tiny.from(20));
  REQUIRE(c.sequence_remove(1, 20));
  CHECK(Tiny::append(c, tiny.tokens.subspan(20), 1) == tiny.from(20));
  CHECK(c.sequence_rewind(0, 19).value() == 0);
  CHECK(c.sequence_length(0) == 0);
  CHECK(Tiny::append(c, tiny.tokens) == tiny.whole);
}

TEST_CASE("a context without checkpoints goes back to the beginning") {
  const Tiny tiny;
  ContextOptions options;
  options.n_ctx = 256;
  options.n_checkpoints = 0;
  options.type_k = options.type_v = CacheType::f32;
  Context c = Context::create(tiny.model, options).value();
  Tiny::append(c, tiny.tokens.first(20));
  Tiny::append(c, tiny.tokens.subspan(20));
  CHECK(c.sequence_rewind(0, 20).value() == 0);
  CHECK(Tiny::append(c, tiny.tokens) == tiny.whole);
}

TEST_CASE("a saved state goes with its sequence, and a damaged one is refused") {
  const Tiny tiny;
  Context c = tiny.context(), other = tiny.context();
  const auto empty = c.sequence_save(0);
  REQUIRE(empty.has_value());
  Tiny::append(c, tiny.tokens.first(30));
  const auto saved = c.sequence_save(0);
  REQUIRE(saved.has_value());
  Tiny::append(other, tiny.tokens.first(12), 1);
  REQUIRE(other.sequence_restore(1, *saved));
  CHECK(Tiny::append(other, tiny.tokens.subspan(30), 1) == tiny.from(30));

  Context third = tiny.context();
  Tiny::append(third, tiny.tokens.first(30));
  for (const size_t at : {saved->size() - 1, saved->size() - 40, saved->size() / 2, size_t{20}}) {
    CAPTURE(at);
    auto damaged = *saved;
    damaged[at] ^= std::byte{1};
    CHECK_FALSE(third.sequence_restore(0, damaged).has_value());
  }
  for (const size_t n : {size_t{0}, size_t{15}, size_t{100}, saved->size() - 1}) {
    CAPTURE(n);
    CHECK_FALSE(third.sequence_restore(0, std::span(*saved).first(n)).has_value());
  }
  CHECK(Tiny::append(third, tiny.tokens.subspan(30)) == tiny.from(30));
  REQUIRE(third.sequence_restore(0, *empty));
  CHECK(third.sequence_length(0) == 0);
  CHECK(Tiny::append(third, tiny.tokens) == tiny.whole);
}

TEST_CASE("the vectors of a text are those that its logits are made of, whatever texts are beside it") {
  const Tiny tiny;
  EmbedderOptions options;
  options.pooling = Pooling::none;
  options.normalize = -1;
  Embedder embedder = Embedder::create(tiny.model, options).value();
  const std::vector<Token> all(tiny.tokens.begin(), tiny.tokens.end()), part(all.begin() + 30, all.end());
  const std::vector<std::vector<Token>> texts = {part, all};
  const auto both = embedder.embed(texts);
  REQUIRE(both.has_value());
  const Embedding& vectors = both->at(1);
  REQUIRE(vectors.n_rows == all.size());
  size_t t = 0;
  while (tiny.golden.json["tensors"][t][0] != "output.weight") ++t;
  const GoldenTensor output = golden_tensor(tiny.golden, t);
  double largest = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t v = 0; v < tiny.golden.n_vocab; ++v) {
      double logit = 0;
      for (size_t c = 0; c < vectors.n_embd; ++c)
        logit += static_cast<double>(vectors.row(i)[c]) * output.elements[v * vectors.n_embd + c];
      largest = std::max(largest, std::abs(logit - tiny.whole[i * tiny.golden.n_vocab + v]));
    }
  }
  CHECK(largest < 1e-4);
  CHECK(embedder.embed(std::span(texts).first(1))->at(0).values == both->at(0).values);
}
