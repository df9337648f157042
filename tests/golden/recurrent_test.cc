// Models with recurrent layers: what a call that fails, a copy, a saved state and a cleared context leave of the state.
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
