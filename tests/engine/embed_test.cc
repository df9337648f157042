// Embedder over the demo model: texts, single ones and tokens; and the arithmetic beside it.
#include <doctest/doctest.h>
#include <quern/quern.h>

#include <string>
#include <vector>

#include "tests/engine/demo.h"

using namespace quern;
using namespace quern::testing;

TEST_CASE("texts, one text and tokens give the same embedding") {
  const Model& model = demo();
  auto embedder = Embedder::create(model, {.pooling = Pooling::mean});
  REQUIRE(embedder.has_value());
  CHECK(embedder->n_embd() == model.info().n_embd);
  CHECK(embedder->n_batch() == model.info().n_ctx_train);
  const std::vector<std::string> texts = {"The old house stood near the river.", "Two plus two is four."};
  const auto all = embedder->embed(texts);
  REQUIRE(all.has_value());
  REQUIRE(all->size() == 2);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto one = embedder->embed_one(texts[i]);
    REQUIRE(one.has_value());
    CHECK(one->values == (*all)[i].values);
    const auto tokens = model.tokenizer().tokenize(texts[i], {.add_special = true, .parse_special = true});
    CHECK(one->n_tokens == tokens.size());
    CHECK(one->n_rows == 1);
    const auto of_tokens = embedder->embed(std::vector<std::vector<Token>>{tokens});
    REQUIRE(of_tokens.has_value());
    CHECK((*of_tokens)[0].values == one->values);
  }
  CHECK(cosine_similarity((*all)[0].row(), (*all)[0].row()) == doctest::Approx(1));
  CHECK(cosine_similarity((*all)[0].row(), (*all)[1].row()) < 0.99);
  CHECK(embedder->embed(std::vector<std::string>{})->empty());
}

TEST_CASE("the cosine of two vectors") {
  const std::vector<float> x = {3, 0, 4}, y = {0, 2, 0}, minus = {-6, 0, -8}, zero = {0, 0, 0};
  CHECK(cosine_similarity(x, x) == doctest::Approx(1));
  CHECK(cosine_similarity(x, y) == 0);
  CHECK(cosine_similarity(x, minus) == doctest::Approx(-1));
  CHECK(cosine_similarity(x, zero) == 0);
}
