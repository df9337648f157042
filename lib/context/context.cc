#include "lib/context/context.h"

#include <algorithm>
#include <new>

#include "lib/base/checked.h"
#include "lib/context/state.h"

namespace quern::context {

using compute::kKvBlockTokens;

namespace {

constexpr uint32_t kMaxCtx = 1u << 30, kMaxBatch = 1u << 16, kMaxSequences = 1u << 16;

Status check_options(const ContextOptions& options) {
  QUERN_ENSURE(options.n_ctx <= kMaxCtx, Errc::argument, "n_ctx: expected at most ", kMaxCtx, ", found ",
               options.n_ctx);
  QUERN_ENSURE(options.n_batch >= 1 && options.n_batch <= kMaxBatch, Errc::argument, "n_batch: expected 1 ... ",
               kMaxBatch, ", found ", options.n_batch);
  QUERN_ENSURE(options.n_seq_max >= 1 && options.n_seq_max <= kMaxSequences, Errc::argument,
               "n_seq_max: expected 1 ... ", kMaxSequences, ", found ", options.n_seq_max);
  return {};
}

compute::KvType kv_type(CacheType type) { return static_cast<compute::KvType>(type); }

uint32_t cells(const model::Hparams& hparams, const ContextOptions& options) {
  return options.n_ctx > 0 ? options.n_ctx : std::min(hparams.n_ctx_train, kMaxCtx);
}

/// Each sequence leaves its last block partly empty: one block more for each but one lets n_ctx tokens fit however they
/// are spread.
uint32_t n_blocks(uint32_t n_ctx, const ContextOptions& options) {
  return (n_ctx + kKvBlockTokens - 1) / kKvBlockTokens + options.n_seq_max - 1;
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
  Memory memory;
  memory.n_ctx = cells(hparams, options);
  const compute::KvShape shape = model::Decoder::kv_shape(hparams, multiplies_quantized(survey.plan),
                                                          kv_type(options.type_k), kv_type(options.type_v));
  QUERN_TRY(const auto store, survey.model->backend->make_kv_store(shape));
  constexpr uint64_t kBeyondAll = uint64_t{1} << 62;  // where a file asks for more than 64 bits can count
  memory.cache_bytes = base::checked_mul(n_blocks(memory.n_ctx, options), store->block_bytes()).value_or(kBeyondAll);
  memory.cache_bytes = std::min(memory.cache_bytes, kBeyondAll);
  // Without logits a text is one pass.
  const bool logits = hparams.causal && binds(survey.plan, arch::Slot::output);
  const uint32_t n_rows = logits ? std::min(options.n_batch, memory.n_ctx) : memory.n_ctx;
  memory.buffer_bytes = model::Workspace::needed_bytes(hparams, n_rows, logits);
  return memory;
}

Result<std::unique_ptr<Context>> Context::create(const model::LoadedModel& model, const ContextOptions& options) {
  QUERN_ENSURE(model.runnable(), Errc::argument, model.file.path,
               ": opened for its vocabulary alone: it makes no context");
  QUERN_ENSURE(model.makes_logits(), Errc::unsupported, model.file.path, ": a model of embeddings (architecture '",
               model.architecture, "') predicts no tokens: embed with it");
  QUERN_CHECK(check_options(options));
  std::unique_ptr<Context> context(new Context(model, cells(*model.hparams, options)));
  Context& c = *context;
  c.n_vocab_ = model.hparams->n_vocab;
  c.window_ = model.hparams->sliding_window;
  QUERN_TRY(c.stream_, model.backend->make_stream());
  QUERN_TRY(c.kv_, model.backend->make_kv_store(c.decoder_.kv_shape(kv_type(options.type_k), kv_type(options.type_v))));
  c.pool_ = std::make_unique<BlockPool>(*c.kv_, n_blocks(c.n_ctx_, options));
  QUERN_TRY(c.workspace_,
            model::Workspace::create(*model.backend, *model.hparams, std::min(options.n_batch, c.n_ctx_)));
  c.sequences_.resize(options.n_seq_max);
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
  std::vector<uint8_t> seen(kv_->n_blocks(), 0);
  uint32_t sum = 0;
  for (const Sequence& sequence : sequences_) {
    uint32_t left = sequence.size();
    for (const uint32_t block : sequence.blocks()) {
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

Status Context::decode(std::span<const BatchToken> batch, const DecodeOptions& options) {
  n_logits_ = 0;
  QUERN_CHECK(validate(batch, sequences_, n_vocab_));
  if (batch.empty()) return {};
  QUERN_CHECK(check_room(batch.size()));
  std::vector<uint32_t> before;
  for (const Sequence& sequence : sequences_) before.push_back(sequence.size());
  Status status;
  try {
    QUERN_TRY(const PlacedBatch placed, place(batch, sequences_, window_, *pool_));
    logits_.resize(placed.outputs.size() * n_vocab_);
    status = run(placed, options);
    if (status) n_logits_ = placed.outputs.size();
  } catch (const std::bad_alloc&) {
    status = fail(Errc::memory, "no memory to decode ", batch.size(), " tokens");
  }
  if (!status) {
    for (size_t s = 0; s < sequences_.size(); ++s) sequences_[s].truncate(*pool_, before[s]);
  }
  return status;
}

Status Context::run(const PlacedBatch& batch, const DecodeOptions& options) {
  const size_t n = batch.tokens.size();
  size_t first_output = 0;
  std::vector<uint32_t> outputs;  // of the pass, counted from its first token
  for (size_t begin = 0; begin < n; begin += workspace_.n_rows()) {
    const size_t count = std::min<size_t>(workspace_.n_rows(), n - begin);
    outputs.clear();
    for (size_t i = first_output; i < batch.outputs.size() && batch.outputs[i] < begin + count; ++i) {
      outputs.push_back(static_cast<uint32_t>(batch.outputs[i] - begin));
    }
    model::DecodeBatch pass;
    pass.tokens = std::span(batch.tokens).subspan(begin, count);
    pass.positions = std::span(batch.positions).subspan(begin, count);
    pass.slots = std::span(batch.slots).subspan(begin, count);
    pass.rows = std::span(batch.rows).subspan(begin, count);
    if (!batch.window_rows.empty()) pass.window_rows = std::span(batch.window_rows).subspan(begin, count);
    pass.outputs = outputs;
    pass.logits = std::span(logits_).subspan(first_output * n_vocab_, outputs.size() * n_vocab_);
    QUERN_CHECK(decoder_.run(*stream_, *kv_, workspace_, pass, options.cancel));
    first_output += outputs.size();
    if (!options.progress) continue;
    QUERN_ENSURE(options.progress({"prefill", begin + count, n}), Errc::cancelled, "the computation was cancelled");
  }
  return {};
}

Status Context::remove(int32_t sequence, int32_t from, int32_t to) {
  QUERN_CHECK(check_sequence(sequence));
  Sequence& s = sequences_[static_cast<size_t>(sequence)];
  return s.remove(*pool_, from, to < 0 ? s.next_position() : to);
}

Status Context::keep(int32_t sequence) {
  QUERN_CHECK(check_sequence(sequence));
  for (size_t s = 0; s < sequences_.size(); ++s) {
    if (s != static_cast<size_t>(sequence)) sequences_[s].clear(*pool_);
  }
  return {};
}

Status Context::fork(int32_t from, int32_t to) {
  QUERN_CHECK(check_sequence(from));
  QUERN_CHECK(check_sequence(to));
  sequences_[static_cast<size_t>(to)].share(*pool_, sequences_[static_cast<size_t>(from)]);
  return {};
}

void Context::clear() {
  for (Sequence& sequence : sequences_) sequence.clear(*pool_);
}

Result<std::vector<std::byte>> Context::save(int32_t sequence) const {
  QUERN_CHECK(check_sequence(sequence));
  return save_state(sequences_[static_cast<size_t>(sequence)], *kv_, decoder_.fingerprint());
}

Status Context::restore(int32_t sequence, std::span<const std::byte> state) {
  QUERN_CHECK(check_sequence(sequence));
  QUERN_TRY(const StateView view, parse_state(state, *kv_, decoder_.fingerprint()));
  // The cells that the sequence gives back serve the new ones.
  Sequence& target = sequences_[static_cast<size_t>(sequence)];
  uint32_t own_blocks = 0, own_cells = 0;
  for (size_t i = 0; i < target.blocks().size(); ++i) {
    if (pool_->shared(target.blocks()[i])) continue;
    ++own_blocks;
    own_cells += std::min<uint32_t>(target.size() - static_cast<uint32_t>(i) * kKvBlockTokens, kKvBlockTokens);
  }
  const uint32_t others = n_used() - own_cells, available = others < n_ctx_ ? n_ctx_ - others : 0;
  QUERN_ENSURE(view.positions.size() <= available && view.n_blocks <= pool_->n_free() + own_blocks, Errc::context_full,
               "the context is full: ", view.positions.size(), " cells needed, ", available, " of ", n_ctx_,
               " available");
  if (view.n_blocks > own_blocks) QUERN_CHECK(pool_->reserve(view.n_blocks - own_blocks));
  target.clear(*pool_);
  for (const int32_t position : view.positions) {
    const auto cell = target.append(*pool_, position);
    if (!cell) return cell.error();
  }
  for (uint32_t i = 0; i < view.n_blocks; ++i) kv_->write_block(target.blocks()[i], view.block(i));
  return {};
}

}  // namespace quern::context
