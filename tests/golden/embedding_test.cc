// Embeddings of tiny models with random weights: those of the reference engine (llama.cpp), and the same to the bit
// however the texts come in. NAME.embd holds the reference's vectors (goldens.py).
#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "lib/arch/spec.h"
#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

constexpr size_t kTexts[] = {37, 1, 26};
constexpr Pooling kPoolings[] = {Pooling::none, Pooling::mean, Pooling::cls, Pooling::last};

std::vector<std::string> embedding_names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_TEST_DATA_DIR "/golden")) {
    if (entry.path().extension() == ".embd") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::vector<Token>> texts_of(const Golden& golden) {
  std::vector<std::vector<Token>> out;
  auto next = golden.tokens.begin();
  for (const size_t n : kTexts) {
    out.emplace_back(next, next + static_cast<ptrdiff_t>(n));
    next += static_cast<ptrdiff_t>(n);
  }
  REQUIRE(next == golden.tokens.end());
  return out;
}

Embedder embedder_of(const Model& model, Pooling pooling, uint32_t n_batch = 0, int32_t normalize = -1) {
  auto out = Embedder::create(model, {.pooling = pooling, .normalize = normalize, .n_batch = n_batch});
  REQUIRE_MESSAGE(out.has_value(), out.error().message);
  return std::move(*out);
}

/// The vectors of all texts, one behind the other.
std::vector<float> embed(Embedder& embedder, std::span<const std::vector<Token>> texts) {
  const auto all = embedder.embed(texts);
  REQUIRE_MESSAGE(all.has_value(), all.error().message);
  std::vector<float> out;
  for (const Embedding& one : *all) out.insert(out.end(), one.values.begin(), one.values.end());
  return out;
}

std::vector<float> embed(const Model& model, Pooling pooling, std::span<const std::vector<Token>> texts) {
  Embedder embedder = embedder_of(model, pooling);
  return embed(embedder, texts);
}

/// The largest difference, in standard deviations of b.
double difference(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double sum = 0, squares = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += b[i];
    squares += static_cast<double>(b[i]) * b[i];
    const double d = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = d <= largest ? largest : d;  // NaN is the largest of all
  }
  const double mean = sum / static_cast<double>(b.size());
  return largest / std::sqrt(squares / static_cast<double>(b.size()) - mean * mean);
}

/// The smallest cosine of the angle between vectors of both.
double least_cosine(std::span<const float> a, std::span<const float> b, size_t n_embd) {
  REQUIRE(a.size() == b.size());
  double least = 1;
  for (size_t i = 0; i < a.size(); i += n_embd)
    least = std::min(least, cosine_similarity(a.subspan(i, n_embd), b.subspan(i, n_embd)));
  return least;
}

/// The texts in another order, one by one, in small passes, with other threads and with weights left in the file.
void check_composition(const std::string& path, Pooling pooling, const std::vector<std::vector<Token>>& texts,
                       const std::vector<float>& expected, uint32_t longest = 37) {
  const Model model = open_with(path, 3);
  CHECK(embed(model, pooling, texts) == expected);
  CHECK(embed(open_with(path, 2, "cpu", false), pooling, texts) == expected);
  Embedder small = embedder_of(model, pooling, longest);
  CHECK(embed(small, texts) == expected);
  std::vector<float> alone;
  for (const auto& text : texts) {
    const auto one = embed(small, {&text, 1});
    alone.insert(alone.end(), one.begin(), one.end());
  }
  CHECK(alone == expected);
  std::vector<std::vector<Token>> more = {texts[2], texts[2], texts[0], texts[1], texts[2]};
  const auto mixed = embed(model, pooling, more);
  const size_t last = pooling == Pooling::none ? texts[2].size() : 1, n_embd = small.n_embd();
  CHECK(std::equal(mixed.end() - static_cast<ptrdiff_t>(last * n_embd), mixed.end(),
                   expected.end() - static_cast<ptrdiff_t>(last * n_embd)));
}

}  // namespace

TEST_CASE("embeddings are the reference engine's, and independent of how the texts come in") {
  for (const std::string& name : embedding_names()) {
    CAPTURE(name);
    const Golden golden(name, ".embd");
    const GoldenFile file(golden);
    const Model model = open_with(file.path(), 1), reference = open_with(file.path(), 1, "reference");
    const auto texts = texts_of(golden);
    std::span<const float> expected = golden.logits;
    for (const Pooling pooling : kPoolings) {
      CAPTURE(static_cast<int>(pooling));
      const auto got = embed(model, pooling, texts);
      const auto theirs = expected.first(got.size());
      expected = expected.subspan(got.size());
      const double error = difference(got, theirs), cosine = least_cosine(got, theirs, model.info().n_embd);
      MESSAGE(name << ", pooling " << static_cast<int>(pooling) << ": largest difference " << error
                   << " standard deviations, least cosine 1 - " << 1 - cosine);
      CHECK(error < golden.json["tolerance"].get<double>());
      CHECK(cosine > 0.9999);
      CHECK(difference(embed(reference, pooling, texts), got) < 1e-4);
      check_composition(file.path(), pooling, texts, got);
    }
    CHECK(expected.empty());
  }
}

TEST_CASE("texts longer than a chunk of attention and than a shared pass") {
  for (const char* name : {"modern_bert_silu", "gemma_embedding"}) {
    CAPTURE(name);
    const Golden golden(name, ".embd");
    const GoldenFile file(golden);
    std::vector<std::vector<Token>> texts;
    for (const size_t n : {600, 3, 530}) {
      texts.emplace_back();
      for (size_t i = 0; i < n; ++i) texts.back().push_back(golden.tokens[(i * i + n) % golden.tokens.size()]);
    }
    const auto got = embed(open_with(file.path(), 1), Pooling::mean, texts);
    CHECK(difference(embed(open_with(file.path(), 1, "reference"), Pooling::mean, texts), got) < 1e-4);
    check_composition(file.path(), Pooling::mean, texts, got, 600);
  }
}

TEST_CASE("a model's own pooling is the default") {
  const GoldenFile bert(Golden("bert", ".embd")), nomic(Golden("nomic_bert", ".embd")), llama(Golden("llama"));
  CHECK(embedder_of(open_with(bert.path(), 1), Pooling::from_model).pooling() == Pooling::cls);
  CHECK(embedder_of(open_with(nomic.path(), 1), Pooling::from_model).pooling() == Pooling::mean);
  CHECK(embedder_of(open_with(llama.path(), 1), Pooling::from_model).pooling() == Pooling::none);
}

TEST_CASE("vectors are divided by the norm that is asked for") {
  const Golden golden("bert", ".embd");
  const GoldenFile file(golden);
  const Model model = open_with(file.path(), 1);
  const auto texts = texts_of(golden);
  const auto plain = embed(model, Pooling::mean, texts);
  const auto sum_of_powers = [&](std::span<const float> x, double p) {
    double sum = 0;
    for (const float value : x) sum += std::pow(std::abs(static_cast<double>(value)), p);
    return std::pow(sum, 1 / p);
  };
  for (const int32_t kind : {0, 1, 2, 3, 6}) {
    CAPTURE(kind);
    Embedder embedder = embedder_of(model, Pooling::mean, 0, kind);
    const auto got = embed(embedder, texts);
    const size_t n = embedder.n_embd();
    for (size_t t = 0; t < texts.size(); ++t) {
      const auto one = std::span(got).subspan(t * n, n), source = std::span(plain).subspan(t * n, n);
      if (kind == 0) {
        float largest = 0;
        for (const float value : one) largest = std::max(largest, std::abs(value));
        CHECK(largest == doctest::Approx(32760));
      } else {
        CHECK(sum_of_powers(one, kind) == doctest::Approx(1));
      }
      CHECK(cosine_similarity(one, source) == doctest::Approx(1));
    }
  }
}

TEST_CASE("a model of embeddings predicts no tokens") {
  for (const char* name : {"bert", "nomic_bert", "modern_bert", "gemma_embedding"}) {
    CAPTURE(name);
    const GoldenFile file(Golden(name, ".embd"));
    const auto context = Context::create(open_with(file.path(), 1));
    REQUIRE_FALSE(context.has_value());
    CHECK(context.error().code == Errc::unsupported);
    CHECK(context.error().message.find("a model of embeddings") != std::string::npos);
  }
}

TEST_CASE("what cannot be embedded is refused with its reason") {
  const Golden golden("bert", ".embd");
  const GoldenFile file(golden);
  const Model model = open_with(file.path(), 1);
  const auto refused = [&](EmbedderOptions options, std::vector<Token> tokens) {
    auto embedder = Embedder::create(model, options);
    if (!embedder) return embedder.error();
    const auto got = embedder->embed(std::vector<std::vector<Token>>{{1, 2}, tokens});
    REQUIRE_FALSE(got.has_value());
    return got.error();
  };
  const auto message = [&](const Error& error, const std::string& end) {
    CAPTURE(error.message);
    CHECK(error.message.find(end) != std::string::npos);
  };
  message(refused({.pooling = Pooling::rank}, {1}), "pooling 'rank' is not supported");
  message(refused({.pooling = static_cast<Pooling>(9)}, {1}), "pooling: expected -1 ... 4, found 9");
  message(refused({.normalize = -2}, {1}), "normalize: expected -1");
  message(refused({}, {}), "text 1: no tokens");
  message(refused({}, {1, 96}), "text 1: token 96 is outside the vocabulary of 96");
  message(refused({}, {-1}), "text 1: token -1 is outside");
  message(refused({.n_batch = 8}, std::vector<Token>(9, 1)), "text 1: 9 tokens, at most 8 can be embedded at once");
  // There are no places behind the 40th.
  message(refused({.n_batch = 100}, std::vector<Token>(41, 1)),
          "text 1: 41 tokens, at most 40 can be embedded at once");
}

TEST_CASE("a pooling in the file that is not known, or a reranker's, keeps nobody from another one") {
  for (const uint32_t own : {4u, 9u}) {
    Golden golden("bert", ".embd");
    for (auto& key : golden.json["keys"]) {
      if (key[0] == "bert.pooling_type") key[2] = own;
    }
    const GoldenFile file(golden);
    const Model model = open_with(file.path(), 1);
    const auto embedder = Embedder::create(model);
    REQUIRE_FALSE(embedder.has_value());
    CHECK(embedder.error().code == Errc::unsupported);
    CHECK(embedder.error().message.find(own == 4 ? "it is a reranker" : "pooling_type is 9") != std::string::npos);
    CHECK(Embedder::create(model, {.pooling = Pooling::mean}).has_value());
  }
}

TEST_CASE("embedding reports its progress and can be cancelled") {
  const Golden golden("modern_bert", ".embd");
  const GoldenFile file(golden);
  const Model model = open_with(file.path(), 1);
  Embedder embedder = embedder_of(model, Pooling::mean, 37);
  const auto texts = texts_of(golden);
  EmbedOptions options;
  std::vector<uint64_t> seen;
  options.progress = [&](const Progress& progress) {
    CHECK(progress.stage == "embed");
    CHECK(progress.total == golden.tokens.size());
    seen.push_back(progress.done);
    return true;
  };
  const auto whole = embedder.embed(texts, options);
  REQUIRE(whole.has_value());
  CHECK(seen == std::vector<uint64_t>{37, 64});
  options.progress = [](const Progress&) { return false; };
  const auto stopped = embedder.embed(texts, options);
  REQUIRE_FALSE(stopped.has_value());
  CHECK(stopped.error().code == Errc::cancelled);
  options.progress = {};
  options.cancel.cancel();
  const auto cancelled = embedder.embed(texts, options);
  REQUIRE_FALSE(cancelled.has_value());
  CHECK(cancelled.error().code == Errc::cancelled);
  const auto again = embedder.embed(texts);
  REQUIRE(again.has_value());
  CHECK(again->at(2).values == whole->at(2).values);
}

TEST_CASE("projections that do not fit each other are refused") {
  const GoldenFile file(Golden("gemma_embedding_dense", ".embd"), [](std::vector<GoldenTensor> tensors) {
    std::erase_if(tensors, [](const GoldenTensor& tensor) { return tensor.name == "dense_2.weight"; });
    return tensors;
  });
  const auto embedder = Embedder::create(open_with(file.path(), 1));
  REQUIRE_FALSE(embedder.has_value());
  CHECK(embedder.error().code == Errc::format);
  CHECK(embedder.error().message.find("tensor 'dense_3.weight': expected rows of 64 elements, found 160") !=
        std::string::npos);
}
