#include "lib/engine/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "lib/engine/api/impl.h"

namespace quern::engine {
namespace {

double log_sum(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return std::log(sum) + largest;
}

}  // namespace

Result<std::unique_ptr<Sensitivity>> Sensitivity::create(const Runtime& runtime, const std::string& path,
                                                         const QuantizeOptions& options, base::ThreadPool& pool) {
  std::unique_ptr<Sensitivity> out(new Sensitivity(pool));
  model::OpenOptions open;
  open.load.progress = options.progress;
  open.load.cancel = options.cancel;
  QUERN_TRY(out->model_, model::open(path, *runtime.impl().state->backend, open));
  const std::vector<int32_t> tokens =
      out->model_->tokenizer->encode(options.calibration, {.add_special = true, .parse_special = true});
  const size_t n_ctx = options.calibration_ctx;
  QUERN_ENSURE(n_ctx >= 2 && tokens.size() >= n_ctx, Errc::argument, "the calibration text has ", tokens.size(),
               " tokens, expected at least ", n_ctx, ": give a longer one");
  // Spread over the text: it may be of several kinds.
  const size_t n = std::clamp<size_t>(kMaxTokens / n_ctx, 1, tokens.size() / n_ctx);
  for (size_t i = 0; i < n; ++i) {
    const auto begin =
        tokens.begin() + static_cast<ptrdiff_t>(i * (tokens.size() - n_ctx) / std::max<size_t>(n - 1, 1));
    out->windows_.emplace_back(begin, begin + static_cast<ptrdiff_t>(n_ctx));
  }
  ContextOptions context_options;
  context_options.n_ctx = options.calibration_ctx;
  context_options.n_batch = options.calibration_ctx;
  QUERN_TRY(out->context_, context::Context::create(*out->model_, context_options));
  for (size_t w = 0; w < out->windows_.size(); ++w) {
    QUERN_CHECK(out->read(w));
    for (size_t i = 0; i < out->context_->n_logits(); ++i) {
      const auto logits = out->context_->logits(i);
      const double sum = log_sum(logits);
      for (const float logit : logits) out->log_p_.push_back(static_cast<float>(static_cast<double>(logit) - sum));
    }
  }
  return out;
}

Status Sensitivity::read(size_t window) {
  std::vector<BatchToken> batch;
  for (const Token token : windows_[window]) batch.push_back({token, static_cast<int32_t>(batch.size()), 0, true});
  context_->clear();
  return context_->decode(batch, {});
}

Result<double> Sensitivity::divergence() {
  double sum = 0;
  size_t n = 0;
  for (size_t w = 0; w < windows_.size(); ++w) {
    QUERN_CHECK(read(w));
    std::vector<double> kl(context_->n_logits());
    pool_.run(kl.size(), [&](size_t i) {
      const auto q = context_->logits(i);
      const double q_sum = log_sum(q);
      const float* const log_p = log_p_.data() + (n + i) * q.size();
      for (size_t v = 0; v < q.size(); ++v) {
        const double p = log_p[v];
        kl[i] += std::exp(p) * (p - (static_cast<double>(q[v]) - q_sum));
      }
    });
    for (const double k : kl) sum += k;
    n += kl.size();
  }
  return sum / static_cast<double>(n);
}

Result<std::optional<double>> Sensitivity::of(const convert::TensorTarget& target) {
  const tensor::TensorView& source = target.source->view;
  std::vector<const compute::Weight*> weights;
  bool whole = source.shape.ne[2] == 1;
  model_->weights.for_each([&](const compute::Weight& weight, const std::string& name, size_t, size_t) {
    if (name != target.source->name) return;
    weights.push_back(&weight);
    whole &= weight.rows() == source.shape.ne[1];
  });
  if (!whole || weights.empty()) return std::optional<double>();
  std::vector<std::byte> bytes;
  convert::Quantizer quantizer(model_->file, pool_, {}, {});
  QUERN_CHECK(quantizer.write(target, [&](std::span<const std::byte> more) -> Status {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return {};
  }));
  tensor::TensorView view = source;
  view.data = bytes.data();
  view.source = nullptr;
  view.column_order = nullptr;
  view.scale = 1;
  view.type = static_cast<tensor::DType>(target.type_id);
  view.row_bytes = bytes.size() / source.shape.rows();
  std::vector<std::unique_ptr<compute::Weight>> changed;
  for (const compute::Weight* weight : weights) {
    QUERN_TRY(changed.emplace_back(), model_->backend->prepare(view, weight->usage()));
  }
  // Exchanged, the vector holds the old ones.
  for (size_t i = 0; i < weights.size(); ++i) model_->weights.exchange(weights[i], changed[i]);
  auto result = divergence();
  std::vector<const compute::Weight*> now;
  model_->weights.for_each([&](const compute::Weight& weight, const std::string& name, size_t, size_t) {
    if (name == target.source->name) now.push_back(&weight);
  });
  for (size_t i = 0; i < now.size(); ++i) model_->weights.exchange(now[i], changed[i]);
  if (!result) return result.error();
  return std::optional<double>(*result);
}

}  // namespace quern::engine
