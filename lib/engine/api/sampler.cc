#include <quern/sampler.h>

#include "lib/engine/api/impl.h"
#include "lib/sample/text_vocab.h"

namespace quern {

Sampler::Sampler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;
Sampler::~Sampler() = default;

Result<Sampler> Sampler::create(const Model& model, const SamplerOptions& options) {
  return engine::guarded([&]() -> Result<Sampler> {
    const sample::TextVocab vocab(model.tokenizer().impl().get());
    QUERN_TRY(auto chain, sample::Chain::create(options, vocab));
    return Sampler(std::unique_ptr<Impl>(new Impl{std::move(chain)}));
  });
}

Token Sampler::sample(std::span<const float> logits) { return impl_->chain.sample(logits); }

void Sampler::accept(Token token) { impl_->chain.accept(token); }

void Sampler::reset() { impl_->chain.reset(); }

uint32_t Sampler::seed() const { return impl_->chain.seed(); }

std::vector<TokenProbability> Sampler::candidates(size_t max_count) const {
  std::vector<TokenProbability> out;
  for (const auto& candidate : impl_->chain.candidates(max_count))
    out.push_back({candidate.token, candidate.probability});
  return out;
}

}  // namespace quern
