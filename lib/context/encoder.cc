#include "lib/context/encoder.h"

#include <algorithm>
#include <new>
#include <numeric>

#include "lib/context/cache.h"
#include "lib/context/pooling.h"

namespace quern::context {

using arch::Slot;
using compute::kKvBlockTokens;
using compute::Mat;

namespace {

/// Texts share a pass up to so many tokens: more would take memory and save nothing.
constexpr uint32_t kSharedPassTokens = 512;

uint32_t blocks_of(size_t n_tokens) { return static_cast<uint32_t>((n_tokens + kKvBlockTokens - 1) / kKvBlockTokens); }

/// What each token sees of its text.
class Sight {
 public:
  Sight(const model::LoadedModel& model)
      : causal_(model.hparams->causal), window_(model.hparams->sliding_window), side_(model.spec->window) {}

  bool windowed() const { return window_ > 0; }
  /// Token i of n, in layers without a window and in those with one.
  compute::AttentionRow everything(const uint32_t* blocks, uint32_t i, uint32_t n) const {
    return {blocks, 0, causal_ ? i + 1 : n};
  }
  compute::AttentionRow window(const uint32_t* blocks, uint32_t i, uint32_t n) const {
    const compute::AttentionRow all = everything(blocks, i, n);
    const bool around = side_ == arch::Window::around;
    const uint32_t before = around ? window_ / 2 : window_ - 1;
    const uint64_t end = around ? uint64_t{i} + window_ / 2 + 1 : all.end;
    return {blocks, i > before ? i - before : 0, static_cast<uint32_t>(std::min<uint64_t>(end, all.end))};
  }

 private:
  bool causal_;
  uint32_t window_;
  arch::Window side_;
};

}  // namespace

/// The tokens of some texts with their places in the scratch store: blocks of its own for each.
struct Encoder::Pass {
  std::vector<int32_t> tokens, positions;
  std::vector<uint32_t> blocks, slots, outputs;
  std::vector<compute::AttentionRow> rows, window_rows;

  Pass(std::span<const std::vector<int32_t>> texts, const Sight& sight, Pooling pooling) {
    uint32_t n_blocks = 0;
    for (const auto& text : texts) n_blocks += blocks_of(text.size());
    blocks.resize(n_blocks);
    std::iota(blocks.begin(), blocks.end(), 0u);
    uint32_t first_block = 0;
    for (const auto& text : texts) {
      const auto n = static_cast<uint32_t>(text.size()), first = static_cast<uint32_t>(tokens.size());
      const uint32_t* const table = blocks.data() + first_block;
      for (uint32_t i = 0; i < n; ++i) {
        positions.push_back(static_cast<int32_t>(i));
        slots.push_back(first_block * kKvBlockTokens + i);
        rows.push_back(sight.everything(table, i, n));
        if (sight.windowed()) window_rows.push_back(sight.window(table, i, n));
      }
      for (const uint32_t i : pooled_tokens(pooling, n)) outputs.push_back(first + i);
      tokens.insert(tokens.end(), text.begin(), text.end());
      first_block += blocks_of(n);
    }
  }
};

Result<std::unique_ptr<Encoder>> Encoder::create(const model::LoadedModel& model, Pooling pooling, uint32_t n_batch) {
  constexpr uint32_t kMaxBatch = 1u << 20;
  const std::string& path = model.file.path;
  QUERN_ENSURE(model.runnable(), Errc::argument, path, ": opened for its vocabulary alone: it makes no embeddings");
  const model::Hparams& hp = *model.hparams;
  QUERN_ENSURE(n_batch <= kMaxBatch, Errc::argument, "n_batch: expected at most ", kMaxBatch, ", found ", n_batch);
  const bool known = pooling >= Pooling::from_model && pooling <= Pooling::rank;
  QUERN_ENSURE(known, Errc::argument, "pooling: expected -1 ... 4, found ", static_cast<int32_t>(pooling));
  const bool asked = pooling != Pooling::from_model;
  if (!asked) {
    QUERN_ENSURE(hp.pooling <= static_cast<uint32_t>(Pooling::rank), Errc::unsupported, path,
                 ": the file's pooling_type is ", hp.pooling, ", which is not known: choose none, mean, cls or last");
    pooling = static_cast<Pooling>(hp.pooling);
  }
  QUERN_ENSURE(pooling != Pooling::rank, Errc::unsupported, path, ": pooling 'rank' ",
               asked ? "" : "(the file's own: it is a reranker) ", "is not supported: choose none, mean, cls or last");

  uint32_t most = n_batch > 0 ? n_batch : std::min(hp.n_ctx_train, kMaxBatch);
  if (model.weights.find(Slot::position_embd) != nullptr) most = std::min(most, hp.n_ctx_train);
  std::unique_ptr<Encoder> encoder(new Encoder(model, most));
  Encoder& e = *encoder;
  e.pooling_ = pooling;
  QUERN_CHECK(e.prepare_projections());
  QUERN_TRY(e.stream_, model.backend->make_stream());
  // Quantized weights mean that activations are rounded anyway.
  const auto type = model.weights.quantized() ? compute::KvType::f16 : compute::KvType::f32;
  using model::KvSpan;
  QUERN_TRY(e.kv_, make_store(*model.backend, e.decoder_.kv_shape(KvSpan::all, type, type)));
  QUERN_TRY(e.window_kv_, make_store(*model.backend, e.decoder_.kv_shape(KvSpan::window, type, type)));
  if (const compute::StateShape states = e.decoder_.state_shape(); !states.layers.empty()) {
    QUERN_TRY(e.recurrent_, model.backend->make_state_store(states));
    QUERN_CHECK(e.recurrent_->grow(1));
  }
  return encoder;
}

/// What stands behind the pooling, each fitting the one before.
Status Encoder::prepare_projections() {
  n_out_ = model_.hparams->n_embd;
  for (const Slot slot : {Slot::dense_2, Slot::dense_3}) {
    const compute::Weight* const weight = model_.weights.find(slot);
    if (weight == nullptr) continue;
    QUERN_ENSURE(weight->cols() == n_out_, Errc::format, model_.file.path, ": tensor 'dense_",
                 slot == Slot::dense_2 ? 2 : 3, ".weight': expected rows of ", n_out_, " elements, found ",
                 weight->cols());
    projections_.push_back(weight);
    n_out_ = weight->rows();
  }
  return {};
}

Status Encoder::check(std::span<const std::vector<int32_t>> texts) const {
  const uint32_t n_vocab = model_.hparams->n_vocab;
  for (size_t t = 0; t < texts.size(); ++t) {
    QUERN_ENSURE(!texts[t].empty(), Errc::argument, "text ", t, ": no tokens");
    QUERN_ENSURE(texts[t].size() <= n_batch_, Errc::argument, "text ", t, ": ", texts[t].size(), " tokens, at most ",
                 n_batch_, " can be embedded at once (n_batch, or the model's longest text)");
    for (const int32_t token : texts[t]) {
      QUERN_ENSURE(token >= 0 && static_cast<uint32_t>(token) < n_vocab, Errc::argument, "text ", t, ": token ", token,
                   " is outside the vocabulary of ", n_vocab);
    }
  }
  return {};
}

Result<std::vector<std::vector<float>>> Encoder::encode(std::span<const std::vector<int32_t>> texts,
                                                        const EmbedOptions& options) {
  QUERN_CHECK(check(texts));
  try {
    uint64_t total = 0, done = 0;
    for (const auto& text : texts) total += text.size();
    std::vector<std::vector<float>> out(texts.size());
    for (size_t begin = 0, end = 0; begin < texts.size(); begin = end) {
      // With recurrent layers each would need a state of its own.
      const size_t most = recurrent_ ? 0 : std::min(n_batch_, kSharedPassTokens);
      size_t n = 0;
      for (end = begin; end < texts.size() && (end == begin || n + texts[end].size() <= most); ++end)
        n += texts[end].size();
      QUERN_CHECK(run(texts.subspan(begin, end - begin), options.cancel, std::span(out).subspan(begin, end - begin)));
      done += n;
      if (!options.progress) continue;
      QUERN_ENSURE(options.progress({"embed", done, total}), Errc::cancelled, "the computation was cancelled");
    }
    return out;
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "no memory to embed ", texts.size(), " texts");
  }
}

Status Encoder::set_adapters(model::AdapterList adapters) {
  QUERN_CHECK(model::check_adapters(adapters, model_));
  if (adapter_pass_ == nullptr) adapter_pass_ = std::make_unique<model::AdapterPass>(*model_.backend);
  adapters_ = std::move(adapters);
  return {};
}

Status Encoder::make_room(const Pass& pass) {
  for (compute::KvStore* const store : {kv_.get(), window_kv_.get()}) {
    if (store != nullptr) QUERN_CHECK(store->grow(static_cast<uint32_t>(pass.blocks.size())));
  }
  const auto n = static_cast<uint32_t>(pass.tokens.size());
  if (n <= workspace_.n_rows()) return {};
  workspace_ = model::Workspace();  // given back first
  QUERN_TRY(workspace_, model::Workspace::create(*model_.backend, *model_.hparams, n, false));
  return {};
}

Status Encoder::run(std::span<const std::vector<int32_t>> texts, const CancelToken& cancel,
                    std::span<std::vector<float>> out) {
  const size_t n_embd = model_.hparams->n_embd;
  const Pass pass(texts, Sight(model_), pooling_);
  QUERN_CHECK(make_room(pass));
  states_.resize(pass.outputs.size() * n_embd);
  model::DecodeBatch batch;
  batch.tokens = pass.tokens;
  batch.positions = pass.positions;
  batch.all = {pass.slots, pass.rows};
  batch.window = {pass.slots, pass.window_rows};
  std::vector<uint32_t> all_rows(pass.tokens.size());
  std::iota(all_rows.begin(), all_rows.end(), 0u);
  const compute::StateRun whole{compute::kZeroState, 0, all_rows};
  batch.recurrent = recurrent_.get();
  if (recurrent_) batch.runs = {&whole, 1};
  batch.outputs = pass.outputs;
  batch.states = states_;
  if (!adapters_.empty()) {
    adapter_pass_->begin(std::vector<const model::AdapterList*>(pass.tokens.size(), &adapters_));
    batch.adapters = adapter_pass_.get();
  }
  QUERN_CHECK(decoder_.run(*stream_, {kv_.get(), window_kv_.get()}, workspace_, batch, cancel));
  std::span<const float> rest = states_;
  for (size_t t = 0; t < texts.size(); ++t) {
    const size_t count = pooled_tokens(pooling_, static_cast<uint32_t>(texts[t].size())).size() * n_embd;
    pool(pooling_, rest.first(count), n_embd, out[t]);
    rest = rest.subspan(count);
    QUERN_CHECK(project(out[t]));
  }
  return {};
}

Status Encoder::project(std::vector<float>& vectors) {
  for (const compute::Weight* const weight : projections_) {
    const auto rows = static_cast<uint32_t>(vectors.size() / weight->cols());
    const uint64_t n_in = vectors.size(), n_out = uint64_t{rows} * weight->rows();
    QUERN_TRY(const auto buffer, model_.backend->allocate(n_in + n_out));
    const Mat in{buffer.get(), 0, rows, weight->cols(), weight->cols()};
    const Mat out{buffer.get(), n_in, rows, weight->rows(), weight->rows()};
    stream_->upload(vectors, in);
    stream_->matmul(in, *weight, out);
    vectors.resize(n_out);
    stream_->download(out, vectors);
    QUERN_CHECK(stream_->finish());
  }
  return {};
}

}  // namespace quern::context
