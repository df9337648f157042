#include "lib/context/state.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "lib/context/context.h"
#include "lib/model/hash.h"
#include "tests/context/sequences.h"
#include "tests/model/tiny_model.h"

using namespace quern;
using quern::testing::open_tiny;
using quern::testing::TinyModel;

namespace {

const model::LoadedModel& tiny() {
  static const auto model = open_tiny(TinyModel()).value();
  return *model;
}

std::vector<BatchToken> run_of(int32_t first, int32_t n, int32_t sequence = 0) {
  std::vector<BatchToken> batch;
  for (int32_t i = first; i < first + n; ++i) batch.push_back({(i * 7 + 3) % 270, i, sequence, true});
  return batch;
}

std::vector<float> decode(context::Context& context, const std::vector<BatchToken>& batch) {
  const Status status = context.decode(batch, {});
  REQUIRE_MESSAGE(status.has_value(), status.error().message);
  std::vector<float> out;
  for (size_t i = 0; i < context.n_logits(); ++i)
    out.insert(out.end(), context.logits(i).begin(), context.logits(i).end());
  return out;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Puts the right checksum behind altered bytes.
void seal(std::vector<std::byte>& state) {
  model::Hash hash;
  hash.bytes(std::span(state).first(state.size() - 8));
  const uint64_t sum = hash.value();
  std::memcpy(state.data() + state.size() - 8, &sum, 8);
}

}  // namespace

TEST_CASE("a saved sequence continues as the original, in any sequence of another context") {
  const auto first = context::Context::create(tiny(), {}).value();
  decode(*first, run_of(0, 45));
  const auto state = first->save(0).value();
  const auto wanted = decode(*first, run_of(45, 20));

  const auto second = context::Context::create(tiny(), {.n_seq_max = 2}).value();
  decode(*second, run_of(0, 3, 0));
  decode(*second, run_of(0, 70, 1));  // replaced
  REQUIRE(second->restore(1, state).has_value());
  CHECK(second->sequence(1).size() == 45);
  CHECK(second->n_used() == 48);
  CHECK(same(decode(*second, run_of(45, 20, 1)), wanted));

  const auto empty = context::Context::create(tiny(), {}).value();
  const auto nothing = empty->save(0).value();
  REQUIRE(second->restore(1, nothing).has_value());
  CHECK(second->sequence(1).empty());
}

TEST_CASE("a state that does not fit is refused and changes nothing") {
  const auto big = context::Context::create(tiny(), {}).value();
  decode(*big, run_of(0, 100));
  const auto state = big->save(0).value();
  const auto small = context::Context::create(tiny(), {.n_ctx = 99}).value();
  const auto before = decode(*small, run_of(0, 30));
  const Status status = small->restore(0, state);
  REQUIRE(!status.has_value());
  CHECK(status.error().code == Errc::context_full);
  CHECK(status.error().message == "the context is full: 100 cells needed, 99 of 99 available");
  CHECK(small->sequence(0).size() == 30);
  const auto exact = context::Context::create(tiny(), {.n_ctx = 100}).value();
  decode(*exact, run_of(0, 90));  // its cells are given back first
  CHECK(exact->restore(0, state).has_value());
}

TEST_CASE("states of others are refused") {
  const auto context = context::Context::create(tiny(), {}).value();
  decode(*context, run_of(0, 10));
  const auto state = context->save(0).value();
  TinyModel changed;
  changed.random_tensor("output.weight", {32, 270}, 0.4f);
  const auto other_model = open_tiny(changed).value();
  const auto other = context::Context::create(*other_model, {}).value();
  CHECK(other->restore(0, state).error().message == "state: it was saved with another model, or with other adapters");
  const auto f32 = context::Context::create(tiny(), {.type_k = CacheType::f32}).value();
  CHECK(f32->restore(0, state).error().code == Errc::unsupported);
}

TEST_CASE("every field is checked") {
  const auto context = context::Context::create(tiny(), {}).value();
  decode(*context, run_of(0, 40));
  const auto state = context->save(0).value();
  const auto altered = [&](size_t offset, uint32_t value) {
    auto copy = state;
    std::memcpy(copy.data() + offset, &value, sizeof value);
    seal(copy);
    const Status status = context->restore(0, copy);
    REQUIRE(!status.has_value());
    CHECK(context->sequence(0).size() == 40);
    return status.error();
  };
  CHECK(altered(0, 0).message == "state: it does not begin with QUERNSEQ");
  CHECK(altered(8, 1).message == "state: expected version 2, found 1");
  CHECK(altered(12, 16).message == "state: expected blocks of 32 tokens, found 16");
  CHECK(altered(16, 1).message == "state: it was saved with another model, or with other adapters");
  CHECK(altered(24, 41).code == Errc::format);  // more cells than there are
  CHECK(altered(24, 0xFFFFFFFF).code == Errc::format);
  CHECK(altered(28, 2).message == "state: expected 1 parts, found 2");
  CHECK(altered(32 + 4, 0).message == "state: cell 1: expected a position of at least 1, found 0");
  CHECK(altered(32, 0x80000000).code == Errc::format);
  CHECK(altered(32 + 39 * 4, 0x7FFFFFFF).code == Errc::format);
  const size_t part = 32 + 40 * 4;
  CHECK(altered(part, 2).message == "state: expected a part of kind 1, found 2");
  CHECK(altered(part + 4, 1).message == "state: part 1 begins with cell 1: expected 0 at most");
  CHECK(altered(part + 8, 1).code == Errc::unsupported);
  CHECK(altered(part + 12, 0xFFFFFFFF).code == Errc::unsupported);
  CHECK(altered(part + 16, 1).message == "state: part 1: expected 2 blocks, found 1");
  CHECK(altered(part + 20, 0xFFFFFFFF).code == Errc::format);  // a layout longer than the state
  CHECK(altered(part + 24, 0).code == Errc::unsupported);      // the layout's name
}

TEST_CASE("a state depends on its sequence alone, not on what its blocks held before") {
  for (const CacheType type : {CacheType::f32, CacheType::f16, CacheType::q8_0, CacheType::q4_0}) {
    for (compute::Backend* backend : quern::testing::both_backends()) {
      const auto model = open_tiny(TinyModel(), {}, *backend).value();
      const auto fresh = context::Context::create(*model, {.type_k = type, .type_v = type}).value();
      decode(*fresh, run_of(0, 40));
      const auto used = context::Context::create(*model, {.n_seq_max = 2, .type_k = type, .type_v = type}).value();
      decode(*used, run_of(0, 100));
      REQUIRE(used->remove(0, 35, -1).has_value());
      decode(*used, run_of(35, 5));
      const auto state = used->save(0).value();
      CHECK(state == fresh->save(0).value());
      REQUIRE(used->restore(1, state).has_value());
      CHECK(used->save(1).value() == state);
    }
  }
}

TEST_CASE("damaged and truncated states are refused") {
  const auto context = context::Context::create(tiny(), {}).value();
  decode(*context, run_of(0, 3));
  const auto state = context->save(0).value();
  for (size_t n = 0; n < state.size(); n += n < 100 ? 1 : 997) {
    CHECK_FALSE(context->restore(0, std::span(state).first(n)).has_value());
  }
  for (size_t i = 0; i < state.size(); i += i < 100 ? 1 : 997) {
    auto copy = state;
    copy[i] ^= std::byte{1};
    CHECK_FALSE(context->restore(0, copy).has_value());
  }
  auto longer = state;
  longer.push_back(std::byte{0});
  CHECK_FALSE(context->restore(0, longer).has_value());
  CHECK(context->sequence(0).size() == 3);
}

TEST_CASE("the parts of models with windows are checked") {
  const auto model = quern::testing::open_golden("gemma2", quern::testing::reference_backend());
  const auto context = context::Context::create(*model, {.n_ctx = 512}).value();
  for (const BatchToken& token : quern::testing::tokens_of(0, 200)) REQUIRE(context->decode({&token, 1}, {}));
  const auto state = context->save(0).value();
  const size_t all = 32 + 200 * 4, layout = std::to_integer<size_t>(state[all + 20]);
  const size_t window = all + 24 + layout + 7 * context->cache().store->block_bytes();
  const auto altered = [&](size_t offset, uint32_t value) {
    auto copy = state;
    std::memcpy(copy.data() + offset, &value, sizeof value);
    seal(copy);
    const Status status = context->restore(0, copy);
    REQUIRE(!status.has_value());
    CHECK(context->save(0).value() == state);
    return status.error();
  };
  // Of 200 tokens the next one sees those from 185 on; 64 more are kept.
  uint32_t first = 0;
  std::memcpy(&first, state.data() + window + 4, sizeof first);
  CHECK(first == 200 - 15 - 64);
  CHECK(altered(window, 1).message == "state: expected a part of kind 2, found 1");
  CHECK(altered(window + 4, 186).message == "state: part 2 begins with cell 186: expected 185 at most");
  CHECK(altered(window + 4, 160).message == "state: part 2: expected 2 blocks, found 4");
  CHECK(altered(window + 16, 3).message == "state: part 2: expected 4 blocks, found 3");
  CHECK(altered(28, 1).message == "state: expected 2 parts, found 1");
  CHECK(altered(window + 24, 0).code == Errc::unsupported);

  // A state of another history of the same text: fewer cells before those that are needed.
  REQUIRE(context->rewind(0, 180).value() == 180);
  for (const BatchToken& token : quern::testing::tokens_of(180, 200)) REQUIRE(context->decode({&token, 1}, {}));
  CHECK(context->save(0).value() == state);
}

TEST_CASE("altered states with a right checksum are refused or usable") {
  const auto model = quern::testing::open_golden("gemma2", quern::testing::reference_backend());
  const auto context = context::Context::create(*model, {.n_ctx = 512}).value();
  for (const BatchToken& token : quern::testing::tokens_of(0, 150)) REQUIRE(context->decode({&token, 1}, {}));
  const auto state = context->save(0).value();
  std::mt19937 rng(1);
  const size_t all = 32 + 150 * 4, layout = std::to_integer<size_t>(state[all + 20]);
  const size_t window = all + 24 + layout + 5 * context->cache().store->block_bytes();
  size_t n_refused = 0;
  for (int i = 0; i < 300 * testing::kEffort; ++i) {
    auto copy = state;
    for (uint32_t n = 1 + rng() % 2; n > 0; --n) {
      const size_t begins[] = {8, 32, all, window}, lengths[] = {24, 600, 24 + layout, 24 + layout};
      const size_t place = rng() % 4;
      const size_t at = begins[place] + rng() % lengths[place];
      copy[at] = rng() % 2 == 0 ? static_cast<std::byte>(rng()) : copy[at] ^ static_cast<std::byte>(1u << rng() % 8);
    }
    if (rng() % 8 == 0) copy.resize(copy.size() - rng() % 2000);
    seal(copy);
    const Status status = context->restore(0, copy);
    if (!status) {
      ++n_refused;
      CHECK_FALSE(status.error().message.empty());
      continue;
    }
    const int32_t next = context->sequence(0).next_position();
    if (next >= INT32_MAX - 1) continue;
    const BatchToken token{1, next, 0, true};
    CHECK(context->decode({&token, 1}, {}).has_value());
  }
  CHECK(n_refused > 100 * testing::kEffort);
  CHECK(n_refused < 300 * testing::kEffort);
}
