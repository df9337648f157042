#include <quern/embed.h>

#include <cmath>

#include "lib/context/encoder.h"
#include "lib/context/pooling.h"
#include "lib/engine/api/impl.h"

namespace quern {

struct Embedder::Impl {
  Model model;
  std::unique_ptr<context::Encoder> inner;
  int32_t normalize = 2;
};

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Result<Embedder> Embedder::create(const Model& model, const EmbedderOptions& options) {
  return engine::guarded([&]() -> Result<Embedder> {
    QUERN_CHECK(context::check_normalization(options.normalize));
    auto impl = std::make_unique<Impl>();
    impl->model = model;
    impl->normalize = options.normalize;
    QUERN_TRY(impl->inner, context::Encoder::create(*model.impl().loaded, options.pooling, options.n_batch));
    QUERN_CHECK(impl->inner->set_adapters(engine::inner_adapters(options.adapters)));
    return Embedder(std::move(impl));
  });
}

Result<std::vector<Embedding>> Embedder::embed(std::span<const std::vector<Token>> texts, const EmbedOptions& options) {
  return engine::guarded([&]() -> Result<std::vector<Embedding>> {
    QUERN_TRY(auto vectors, impl_->inner->encode(texts, options));
    std::vector<Embedding> out(texts.size());
    for (size_t t = 0; t < texts.size(); ++t) {
      Embedding& embedding = out[t];
      embedding.values = std::move(vectors[t]);
      embedding.n_embd = n_embd();
      embedding.n_rows = embedding.values.size() / embedding.n_embd;
      embedding.n_tokens = texts[t].size();
      for (size_t row = 0; row < embedding.n_rows; ++row)
        context::normalize(std::span(embedding.values).subspan(row * n_embd(), n_embd()), impl_->normalize);
    }
    return out;
  });
}

Result<std::vector<Embedding>> Embedder::embed(std::span<const std::string> texts, const EmbedOptions& options) {
  return engine::guarded([&]() -> Result<std::vector<Embedding>> {
    std::vector<std::vector<Token>> tokens;
    for (const std::string& text : texts) {
      tokens.push_back(impl_->model.tokenizer().tokenize(text, {.add_special = true, .parse_special = true}));
    }
    return embed(tokens, options);
  });
}

Result<Embedding> Embedder::embed_one(std::string_view text, const EmbedOptions& options) {
  return engine::guarded([&]() -> Result<Embedding> {
    const std::string copy(text);
    QUERN_TRY(auto all, embed(std::span(&copy, 1), options));
    return std::move(all.front());
  });
}

Pooling Embedder::pooling() const { return impl_->inner->pooling(); }
size_t Embedder::n_embd() const { return impl_->inner->n_embd(); }
uint32_t Embedder::n_batch() const { return impl_->inner->n_batch(); }
const Model& Embedder::model() const { return impl_->model; }

double cosine_similarity(std::span<const float> a, std::span<const float> b) {
  double dot = 0, a_squares = 0, b_squares = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const double x = a[i], y = b[i];
    dot += x * y;
    a_squares += x * x;
    b_squares += y * y;
  }
  return a_squares > 0 && b_squares > 0 ? dot / std::sqrt(a_squares * b_squares) : 0;
}

}  // namespace quern
