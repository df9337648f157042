#include "lib/context/context.h"

#include <algorithm>
#include <new>

#include "lib/context/block_table.h"
#include "lib/context/state.h"
#include "lib/model/blocks/delta_net.h"
#include "lib/model/hash.h"

namespace quern::context {

using compute::kKvBlockTokens;

namespace {

constexpr uint32_t kMaxCtx = 1u << 30, kMaxBatch = 1u << 16, kMaxSequences = 1u << 16, kMaxCheckpoints = 1u << 12;

Status check_options(const ContextOptions& options) {
  QUERN_ENSURE(options.n_ctx <= kMaxCtx, Errc::argument, "n_ctx: expected at most ", kMaxCtx, ", found ",
               options.n_ctx);
  QUERN_ENSURE(options.n_batch >= 1 && options.n_batch <= kMaxBatch, Errc::argument, "n_batch: expected 1 ... ",
               kMaxBatch, ", found ", options.n_batch);
  QUERN_ENSURE(options.n_seq_max >= 1 && options.n_seq_max <= kMaxSequences, Errc::argument,
               "n_seq_max: expected 1 ... ", kMaxSequences, ", found ", options.n_seq_max);
  QUERN_ENSURE(options.n_checkpoints <= kMaxCheckpoints, Errc::argument, "n_checkpoints: expected at most ",
               kMaxCheckpoints, ", found ", options.n_checkpoints);
  return {};
}

CacheOptions cache_options(const model::Hparams& hparams, const ContextOptions& options) {
  const auto kv_type = [](CacheType type) { return static_cast<compute::KvType>(type); };
  CacheOptions cache;
  cache.type_k = kv_type(options.type_k);
  cache.type_v = kv_type(options.type_v);
  cache.n_ctx = options.n_ctx > 0 ? options.n_ctx : std::min(hparams.n_ctx_train, kMaxCtx);
  cache.n_pass = std::min(options.n_batch, cache.n_ctx);
  cache.n_seq_max = options.n_seq_max;
  cache.n_checkpoints = options.n_checkpoints;
  cache.window = hparams.sliding_window;
  cache.states = model::state_shape(hparams);
  return cache;
}

bool multiplies_quantized(const model::BindingPlan& plan) {
  return std::any_of(plan.bindings.begin(), plan.bindings.end(), [](const model::Binding& b) {
    return b.spec->role == arch::Role::matrix && model::is_quantized(b);
  });
}

bool binds(const model::BindingPlan& plan, arch::Slot slot) {
  return std::any_of(plan.bindings.begin(), plan.bindings.end(),
                     [&](const model::Binding& b) { return b.spec->slot == slot; });
}

}  // namespace

Result<Context::Memory> Context::needed_memory(const model::Survey& survey, const ContextOptions& options) {
  QUERN_CHECK(check_options(options));
  const model::Hparams& hparams = *survey.model->hparams;
  CacheOptions cache = cache_options(hparams, options);
  Memory memory;
  memory.n_ctx = cache.n_ctx;
  // Without logits a text is one pass, and nothing is forgotten.
  const bool logits = hparams.causal && binds(survey.plan, arch::Slot::output);
  if (!logits) {
    cache.n_pass = cache.n_ctx;
    cache.n_checkpoints = 0;
  }
  QUERN_TRY(memory.cache_bytes, Cache::needed_bytes(*survey.model->backend, model::make_kv_map(hparams),
                                                    multiplies_quantized(survey.plan), cache));
  memory.buffer_bytes = model::Workspace::needed_bytes(hparams, cache.n_pass, logits);
  return memory;
}

Result<std::unique_ptr<Context>> Context::create(const model::LoadedModel& model, const ContextOptions& options) {
  QUERN_ENSURE(model.runnable(), Errc::argument, model.file.path,
               ": opened for its vocabulary alone: it makes no context");
  QUERN_ENSURE(model.makes_logits(), Errc::unsupported, model.file.path, ": a model of embeddings (architecture '",
               model.architecture, "') predicts no tokens: embed with it");
  QUERN_CHECK(check_options(options));
  const CacheOptions cache = cache_options(*model.hparams, options);
  std::unique_ptr<Context> context(new Context(model, cache.n_ctx));
  Context& c = *context;
  c.n_vocab_ = model.hparams->n_vocab;
  QUERN_TRY(c.stream_, model.backend->make_stream());
  QUERN_TRY(c.cache_, Cache::create(*model.backend, c.decoder_.kv_map(), model.weights.quantized(), cache));
  QUERN_TRY(c.workspace_, model::Workspace::create(*model.backend, *model.hparams, cache.n_pass));
  c.sequences_.resize(options.n_seq_max);
  c.adapters_.resize(options.n_seq_max);
  c.adapter_pass_ = std::make_unique<model::AdapterPass>(*model.backend);
  return context;
}

Status Context::check_sequence(int32_t sequence) const {
  QUERN_ENSURE(sequence >= 0 && static_cast<size_t>(sequence) < sequences_.size(), Errc::argument, "sequence ",
               sequence, " is outside 0 ... ", sequences_.size() - 1);
  return {};
}

uint32_t Context::n_used() const {
  // Of a shared block the longest part that any of its sequences sees. Counted at each block's first meeting, and
  // raised where a later sequence sees more of it.
  std::vector<uint8_t> seen(cache_.pool->n_blocks(), 0);
  uint32_t sum = 0;
  for (const Sequence& sequence : sequences_) {
    uint32_t left = sequence.size();
    for (const uint32_t block : sequence.table().blocks()) {
      const auto filled = static_cast<uint8_t>(std::min(left, kKvBlockTokens));
      if (filled > seen[block]) {
        sum += filled - seen[block];
        seen[block] = filled;
      }
      left -= filled;
    }
  }
  return sum;
}

Status Context::check_room(size_t n_tokens) const {
  const uint32_t used = n_used(), available = used < n_ctx_ ? n_ctx_ - used : 0;
  QUERN_ENSURE(n_tokens <= available, Errc::context_full, "the context is full: ", n_tokens, " cells needed, ",
               available, " of ", n_ctx_, " available");
  return {};
}

namespace {

/// The sequences of one decode(): as before it, however it ends, unless it is committed.
class Call {
 public:
  Call(std::span<Sequence> sequences, Cache& cache, std::vector<Share> shares)
      : sequences_(sequences), cache_(cache), shares_(std::move(shares)) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    for (; n_begun_ > 0; --n_begun_) of(shares_[n_begun_ - 1]).roll_back(cache_);
  }

  void begin(size_t n_passes) {
    for (; n_begun_ < shares_.size(); ++n_begun_) of(shares_[n_begun_]).begin(cache_, n_passes);
  }
  void commit() {
    // The end of a prompt is where a text is likely to be taken up again.
    for (const Share& share : shares_) {
      if (share.n_tokens > 1) of(share).take_checkpoint(cache_);
    }
    for (; n_begun_ > 0; --n_begun_) of(shares_[n_begun_ - 1]).commit(cache_);
  }

 private:
  Sequence& of(const Share& share) { return sequences_[static_cast<size_t>(share.sequence)]; }

  std::span<Sequence> sequences_;
  Cache& cache_;
  std::vector<Share> shares_;
  size_t n_begun_ = 0;
};

}  // namespace

Status Context::decode(std::span<const BatchToken> batch, const DecodeOptions& options) {
  n_logits_ = 0;
  QUERN_CHECK(validate(batch, sequences_, n_vocab_));
  if (batch.empty()) return {};
  QUERN_CHECK(check_room(batch.size()));
  const size_t n_rows = workspace_.n_rows();
  Status status;
  try {
    Call call(sequences_, cache_, shares_of(batch, sequences_.size()));
    call.begin((batch.size() + n_rows - 1) / n_rows);
    status = compute(batch, options);
    if (status) call.commit();
  } catch (const std::bad_alloc&) {
    status = fail(Errc::memory, "no memory to decode ", batch.size(), " tokens");
  }
  if (!status) n_logits_ = 0;
  return status;
}

Status Context::compute(std::span<const BatchToken> batch, const DecodeOptions& options) {
  const size_t n = batch.size();
  QUERN_TRY(PlacedBatch placed, place(batch, sequences_, cache_));
  // Those who share the last ones keep them.
  if (logits_.use_count() > 1) logits_ = std::make_shared<std::vector<float>>();
  logits_->resize(placed.outputs.size() * n_vocab_);
  for (size_t begin = 0; begin < n; begin += workspace_.n_rows()) {
    const size_t count = std::min<size_t>(workspace_.n_rows(), n - begin);
    if (cache_.window_pool) QUERN_CHECK(place_window(batch, begin, count, sequences_, cache_, placed));
    StateRows states;
    if (cache_.state_pool) {
      QUERN_TRY(states, place_states(batch.subspan(begin, count), sequences_, cache_));
    }
    QUERN_CHECK(run_pass(placed, states.runs, batch.subspan(begin, count), begin, options.cancel));
    for (const Share& share : shares_of(batch.subspan(begin, count), sequences_.size())) {
      sequences_[static_cast<size_t>(share.sequence)].advance(cache_, share.n_tokens);
    }
    if (!options.progress) continue;
    QUERN_ENSURE(options.progress({"prefill", begin + count, n}), Errc::cancelled, "the computation was cancelled");
  }
  n_logits_ = placed.outputs.size();
  return {};
}

model::AdapterPass* Context::begin_adapters(std::span<const BatchToken> tokens) {
  const auto changed = [&](const BatchToken& token) { return !adapters(token.sequence).empty(); };
  if (std::none_of(tokens.begin(), tokens.end(), changed)) return nullptr;
  std::vector<const model::AdapterList*> of_tokens;
  for (const BatchToken& token : tokens) of_tokens.push_back(&adapters(token.sequence));
  adapter_pass_->begin(of_tokens);
  return adapter_pass_.get();
}

Status Context::run_pass(const PlacedBatch& placed, std::span<const compute::StateRun> runs,
                         std::span<const BatchToken> tokens, size_t begin, const CancelToken& cancel) {
  const size_t count = tokens.size();
  const auto first = std::lower_bound(placed.outputs.begin(), placed.outputs.end(), begin);
  const auto last = std::lower_bound(first, placed.outputs.end(), begin + count);
  std::vector<uint32_t> outputs;  // counted from the first token of the pass
  for (auto it = first; it != last; ++it) outputs.push_back(static_cast<uint32_t>(*it - begin));
  const auto part = [&](const auto& all) {
    return all.empty() ? std::span(all) : std::span(all).subspan(begin, count);
  };
  model::DecodeBatch pass;
  pass.tokens = part(placed.tokens);
  pass.positions = part(placed.positions);
  pass.all = {part(placed.slots), part(placed.rows)};
  pass.window = {part(placed.window_slots), part(placed.window_rows)};
  pass.recurrent = cache_.state_pool ? &cache_.state_pool->store() : nullptr;
  pass.runs = runs;
  pass.outputs = outputs;
  pass.adapters = begin_adapters(tokens);
  const auto n_before = static_cast<size_t>(first - placed.outputs.begin());
  pass.logits = std::span(*logits_).subspan(n_before * n_vocab_, outputs.size() * n_vocab_);
  return decoder_.run(*stream_, cache_.stores(), workspace_, pass, cancel);
}

Status Context::remove(int32_t sequence, int32_t from, int32_t to) {
  QUERN_CHECK(check_sequence(sequence));
  Sequence& s = sequences_[static_cast<size_t>(sequence)];
  return s.remove(cache_, from, to < 0 ? s.next_position() : to);
}

Result<int32_t> Context::rewind(int32_t sequence, int32_t position) {
  QUERN_CHECK(check_sequence(sequence));
  QUERN_ENSURE(position >= 0, Errc::argument, "position ", position, ": expected at least 0");
  Sequence& s = sequences_[static_cast<size_t>(sequence)];
  const Sequence::WayBack way = s.way_back(cache_, position);
  s.go_back(cache_, way);
  return way.position;
}

Status Context::keep(int32_t sequence) {
  QUERN_CHECK(check_sequence(sequence));
  for (size_t s = 0; s < sequences_.size(); ++s) {
    if (s != static_cast<size_t>(sequence)) sequences_[s].clear(cache_);
  }
  return {};
}

Status Context::fork(int32_t from, int32_t to) {
  QUERN_CHECK(check_sequence(from));
  QUERN_CHECK(check_sequence(to));
  model::AdapterList adapters = adapters_[static_cast<size_t>(from)];
  sequences_[static_cast<size_t>(to)].share(cache_, sequences_[static_cast<size_t>(from)]);
  adapters_[static_cast<size_t>(to)] = std::move(adapters);
  return {};
}

Status Context::set_adapters(int32_t sequence, model::AdapterList adapters) {
  QUERN_CHECK(check_sequence(sequence));
  const Sequence& target = sequences_[static_cast<size_t>(sequence)];
  QUERN_CHECK(model::check_adapters(adapters, model_));
  model::AdapterList& present = adapters_[static_cast<size_t>(sequence)];
  if (adapters == present) return {};
  QUERN_ENSURE(target.empty(), Errc::argument, "sequence ", sequence, ": has ", target.size(),
               " tokens, computed with other adapters: they can be changed while it is empty");
  present = std::move(adapters);
  return {};
}

uint64_t Context::fingerprint(int32_t sequence) const {
  const model::AdapterList& list = adapters(sequence);
  if (list.empty()) return decoder_.fingerprint();
  model::Hash hash;
  hash.number(decoder_.fingerprint());
  hash.number(model::fingerprint(list));
  return hash.value();
}

void Context::clear() {
  for (Sequence& sequence : sequences_) sequence.clear(cache_);
}

Result<std::vector<std::byte>> Context::save(int32_t sequence) const {
  QUERN_CHECK(check_sequence(sequence));
  return save_state(sequences_[static_cast<size_t>(sequence)], cache_, fingerprint(sequence));
}

Status Context::restore(int32_t sequence, std::span<const std::byte> state) {
  QUERN_CHECK(check_sequence(sequence));
  QUERN_TRY(StateView view, parse_state(state, cache_, fingerprint(sequence)));
  const auto n_cells = static_cast<uint32_t>(view.positions.size());
  const uint32_t n_blocks = blocks_for(n_cells), window_first = view.window.first_cell;
  // The cells that the sequence gives back serve the new ones.
  Sequence& target = sequences_[static_cast<size_t>(sequence)];
  const BlockTable& table = target.table();
  BlockPool& pool = *cache_.pool;
  uint32_t own_blocks = 0, own_cells = 0;
  for (size_t i = 0; i < table.blocks().size(); ++i) {
    if (pool.shared(table.blocks()[i])) continue;
    ++own_blocks;
    own_cells += std::min<uint32_t>(table.size() - static_cast<uint32_t>(i) * kKvBlockTokens, kKvBlockTokens);
  }
  const uint32_t others = n_used() - own_cells, available = others < n_ctx_ ? n_ctx_ - others : 0;
  QUERN_ENSURE(n_cells <= available && n_blocks <= pool.n_free() + own_blocks, Errc::context_full,
               "the context is full: ", n_cells, " cells needed, ", available, " of ", n_ctx_, " available");
  if (n_blocks > own_blocks) QUERN_CHECK(pool.reserve(n_blocks - own_blocks));
  if (cache_.window_pool) QUERN_CHECK(cache_.window_pool->reserve(n_blocks - window_first / kKvBlockTokens));
  uint32_t state_slot = compute::kZeroState;
  if (!view.recurrent.bytes.empty()) {
    QUERN_TRY(state_slot, cache_.state_pool->allocate());
    cache_.state_pool->store().write_slot(state_slot, view.recurrent.bytes);
  }
  if (Status assigned = target.assign(cache_, std::move(view.positions), window_first, state_slot); !assigned) {
    if (cache_.state_pool) cache_.state_pool->release(state_slot);
    return assigned;
  }
  const auto write = [](const BlockPool& to, const BlockTable& blocks, const CacheImage& image) {
    const uint32_t first = image.first_cell / kKvBlockTokens;
    for (uint32_t i = 0; i < image.n_blocks; ++i) to.store()->write_block(blocks.blocks()[first + i], image.block(i));
  };
  write(pool, target.table(), view.all);
  if (cache_.window_pool) write(*cache_.window_pool, target.window_table(), view.window);
  // So that the text can be taken up again from here.
  target.begin(cache_, 1);
  target.take_checkpoint(cache_);
  target.commit(cache_);
  return {};
}

}  // namespace quern::context
