#include <quern/imatrix.h>

#include "lib/convert/imatrix_stats.h"
#include "lib/engine/api/impl.h"
#include "lib/engine/imatrix.h"

namespace quern {

Imatrix::Imatrix() : impl_(std::make_unique<Impl>()) {}
Imatrix::Imatrix(Imatrix&&) noexcept = default;
Imatrix& Imatrix::operator=(Imatrix&&) noexcept = default;
Imatrix::~Imatrix() = default;

Result<Imatrix> Imatrix::open(const std::string& path) {
  return engine::guarded([&]() -> Result<Imatrix> {
    Imatrix out;
    QUERN_TRY(out.impl_->data, convert::Imatrix::open(path));
    return out;
  });
}

Status Imatrix::collect(const Model& model, std::span<const Token> tokens, const ImatrixOptions& options) {
  return engine::guarded([&] { return engine::collect_imatrix(model, tokens, options, impl_->data); });
}

Status Imatrix::merge(const Imatrix& other) {
  return engine::guarded([&] { return impl_->data.merge(other.impl_->data); });
}

Status Imatrix::save(const std::string& path, ImatrixFormat format) const {
  return engine::guarded([&]() -> Status {
    QUERN_ENSURE(format == ImatrixFormat::gguf || format == ImatrixFormat::dat, Errc::argument,
                 "unknown format of importance matrices: ", static_cast<int32_t>(format));
    return impl_->data.save(path,
                            format == ImatrixFormat::dat ? convert::ImatrixFormat::dat : convert::ImatrixFormat::gguf);
  });
}

uint32_t Imatrix::n_chunks() const { return impl_->data.n_chunks; }

uint32_t Imatrix::chunk_size() const { return impl_->data.chunk_size; }

const std::vector<std::string>& Imatrix::datasets() const { return impl_->data.datasets; }

size_t Imatrix::n_tensors() const { return impl_->data.entries.size(); }

std::vector<float> Imatrix::weights(std::string_view tensor) const {
  const auto found = impl_->data.entries.find(tensor);
  return found != impl_->data.entries.end() ? found->second.means() : std::vector<float>();
}

std::vector<ImatrixTensor> Imatrix::statistics() const {
  std::vector<ImatrixTensor> out;
  for (const auto& stats : convert::tensor_stats(impl_->data)) {
    out.push_back({stats.name, stats.layer, stats.n, stats.sum, stats.min, stats.max, stats.mean, stats.stddev,
                   stats.active, stats.entropy, stats.normalized_entropy(), stats.zd_score, stats.cosine});
  }
  return out;
}

std::vector<ImatrixLayer> Imatrix::layer_statistics() const {
  std::vector<ImatrixLayer> out;
  for (const auto& stats : convert::layer_stats(convert::tensor_stats(impl_->data))) {
    out.push_back({stats.layer, stats.sum, stats.zd_score, stats.cosine});
  }
  return out;
}

}  // namespace quern
