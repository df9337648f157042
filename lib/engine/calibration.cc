#include "lib/engine/calibration.h"

#include <algorithm>
#include <set>

#include "lib/engine/api/impl.h"

namespace quern::engine {
namespace {

/// Memory for moments at a time; one tensor's are always taken.
constexpr uint64_t kMemoryBytes = uint64_t{1} << 30;

}  // namespace

Result<std::unique_ptr<Calibration>> Calibration::create(const Model& model, const QuantizeOptions& options,
                                                         std::vector<std::string> order) {
  std::unique_ptr<Calibration> out(new Calibration(model, options, std::move(order)));
  const uint32_t n_ctx = options.calibration_ctx;
  QUERN_ENSURE(n_ctx >= 2, Errc::argument, "calibration_ctx: expected at least 2, found ", n_ctx);
  TokenizeOptions tokenize;
  tokenize.parse_special = true;  // the markup of conversations is part of such texts
  out->tokens_ = model.tokenizer().tokenize(options.calibration, tokenize);
  QUERN_ENSURE(out->tokens_.size() >= n_ctx, Errc::argument, "the calibration text has ", out->tokens_.size(),
               " tokens, expected at least ", n_ctx, ": give a longer one");
  size_t n = out->tokens_.size() / n_ctx;
  if (options.calibration_chunks > 0) n = std::min<size_t>(n, options.calibration_chunks);
  out->tokens_.resize(n * n_ctx);
  return out;
}

const convert::Moments* Calibration::find(const std::string& name) const {
  for (const Collector::Group& group : groups_) {
    const auto named = [&](const convert::WatchedWeight& weight) { return weight.name == name; };
    if (std::any_of(group.weights.begin(), group.weights.end(), named)) return &group.sum;
  }
  return nullptr;
}

Result<const convert::Moments*> Calibration::moments_of(const io::TensorEntry& tensor) {
  if (const convert::Moments* found = find(tensor.name)) return found;
  const auto place = std::find(order_.begin(), order_.end(), tensor.name);
  if (place == order_.end()) return static_cast<const convert::Moments*>(nullptr);
  QUERN_CHECK(collect(static_cast<size_t>(place - order_.begin())));
  return find(tensor.name);
}

Status Calibration::collect(size_t first) {
  groups_.clear();
  const model::LoadedModel& loaded = *model_.impl().loaded;
  const convert::WatchedWeights all = convert::watched_weights(loaded.weights, true);
  uint64_t bytes = 0;
  std::set<std::string> wanted;
  for (size_t i = first; i < order_.size(); ++i) {
    // Of stacked experts every one would need its own moments: their levels are chosen by rounding.
    const auto named = [&](const auto& entry) {
      return entry.second.name == order_[i] && entry.second.n_matrices == 1;
    };
    const auto entry = std::find_if(all.begin(), all.end(), named);
    if (entry == all.end()) continue;
    bytes += convert::Moments::size_bytes(entry->first->cols());
    if (bytes > kMemoryBytes && !wanted.empty()) break;
    wanted.insert(order_[i]);
  }
  convert::WatchedWeights watched;
  for (const auto& [weight, tensor] : all) {
    if (wanted.count(tensor.name) > 0) watched[weight] = tensor;
  }
  ContextOptions context_options;
  context_options.n_ctx = options_.calibration_ctx;
  context_options.n_batch = options_.calibration_ctx;
  QUERN_TRY(auto context, context::Context::create(loaded, context_options));
  Collector collector(std::move(watched));
  context->observe(&collector);
  QUERN_CHECK(read_text(*context));
  groups_ = collector.take();
  for (Collector::Group& group : groups_) group.sum.finish();
  return {};
}

Status Calibration::read_text(context::Context& context) const {
  const Tokenizer& tokenizer = model_.tokenizer();
  const size_t n_ctx = options_.calibration_ctx;
  DecodeOptions decode;
  decode.cancel = options_.cancel;
  std::vector<BatchToken> batch;
  for (size_t begin = 0; begin < tokens_.size(); begin += n_ctx) {
    context.clear();
    batch.clear();
    for (size_t i = 0; i < n_ctx; ++i) {
      const Token token = i == 0 && tokenizer.adds_bos() ? tokenizer.bos() : tokens_[begin + i];
      batch.push_back({token, static_cast<int32_t>(i), 0, true});
    }
    QUERN_CHECK(context.decode(batch, decode));
    const bool go_on = !options_.progress || options_.progress({"calibrate", begin + n_ctx, tokens_.size()});
    QUERN_ENSURE(go_on, Errc::cancelled, "quantizing was cancelled");
  }
  return {};
}

}  // namespace quern::engine
