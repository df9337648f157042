#include "lib/context/batch.h"

#include <limits>

namespace quern::context {

Status validate(std::span<const BatchToken> batch, std::span<const Sequence> sequences, uint32_t n_vocab) {
  std::vector<int32_t> next(sequences.size());
  for (size_t s = 0; s < sequences.size(); ++s) next[s] = sequences[s].next_position();
  for (size_t i = 0; i < batch.size(); ++i) {
    const BatchToken& t = batch[i];
    QUERN_ENSURE(t.token >= 0 && static_cast<uint32_t>(t.token) < n_vocab, Errc::argument, "batch entry ", i,
                 ": token ", t.token, " is outside the vocabulary of ", n_vocab);
    const bool known = t.sequence >= 0 && static_cast<size_t>(t.sequence) < sequences.size();
    QUERN_ENSURE(known, Errc::argument, "batch entry ", i, ": sequence ", t.sequence, " is outside 0 ... ",
                 sequences.size() - 1);
    int32_t& lowest = next[static_cast<size_t>(t.sequence)];
    // The last position is left out, so that the next one is always representable.
    const bool grows = t.position >= lowest && t.position < std::numeric_limits<int32_t>::max();
    QUERN_ENSURE(grows, Errc::argument, "batch entry ", i, ": position ", t.position, " in sequence ", t.sequence,
                 ": expected at least ", lowest);
    lowest = t.position + 1;
  }
  return {};
}

std::vector<Share> shares_of(std::span<const BatchToken> batch, size_t n_sequences) {
  std::vector<uint32_t> counts(n_sequences, 0);
  for (const BatchToken& t : batch) ++counts[static_cast<size_t>(t.sequence)];
  std::vector<Share> out;
  for (size_t s = 0; s < n_sequences; ++s) {
    if (counts[s] > 0) out.push_back({static_cast<int32_t>(s), counts[s]});
  }
  return out;
}

namespace {

/// Cells that the sequences of a batch can still be given.
uint64_t available_cells(std::span<const BatchToken> batch, std::span<const Sequence> sequences,
                         const BlockPool& pool) {
  uint64_t cells = uint64_t{pool.n_free()} * compute::kKvBlockTokens;
  for (const Share& share : shares_of(batch, sequences.size())) {
    const BlockTable& table = sequences[static_cast<size_t>(share.sequence)].table();
    const bool open_block = table.size() > 0 && !pool.shared(table.blocks().back());
    if (open_block) cells += table.blocks().size() * compute::kKvBlockTokens - table.size();
  }
  return cells;
}

}  // namespace

Result<PlacedBatch> place(std::span<const BatchToken> batch, std::span<Sequence> sequences, Cache& cache) {
  PlacedBatch out;
  for (size_t i = 0; i < batch.size(); ++i) {
    const BatchToken& t = batch[i];
    Sequence& sequence = sequences[static_cast<size_t>(t.sequence)];
    const auto cell = sequence.append(cache, t.position);
    if (!cell) {
      for (const Share& share : shares_of(batch, sequences.size())) {
        sequences[static_cast<size_t>(share.sequence)].roll_back(cache);
      }
      if (cell.error().code != Errc::context_full) return cell.error();
      return fail(Errc::context_full, "the context is full: ", batch.size(), " cells needed, ",
                  available_cells(batch, sequences, *cache.pool), " available");
    }
    out.tokens.push_back(t.token);
    out.positions.push_back(t.position);
    out.slots.push_back(sequence.table().slot(*cell));
    out.rows.push_back({nullptr, 0, *cell + 1});
    if (cache.window_pool) out.window_rows.push_back({nullptr, sequence.window_begin(cache, t.position), *cell + 1});
    if (t.logits) out.outputs.push_back(static_cast<uint32_t>(i));
  }
  // Block tables stay where they are from here on.
  for (size_t i = 0; i < batch.size(); ++i) {
    out.rows[i].blocks = sequences[static_cast<size_t>(batch[i].sequence)].table().blocks().data();
  }
  out.window_slots.resize(out.window_rows.size());
  return out;
}

Status place_window(std::span<const BatchToken> batch, size_t begin, size_t count, std::span<Sequence> sequences,
                    Cache& cache, PlacedBatch& placed) {
  const auto tokens = batch.subspan(begin, count);
  const auto sequence_of = [&](const BatchToken& t) -> Sequence& { return sequences[static_cast<size_t>(t.sequence)]; };
  uint32_t n_blocks = 0;
  for (const Share& share : shares_of(tokens, sequences.size())) {
    const BlockTable& table = sequences[static_cast<size_t>(share.sequence)].window_table();
    n_blocks += table.blocks_to_append(*cache.window_pool, share.n_tokens);
  }
  QUERN_CHECK(cache.window_pool->reserve(n_blocks));
  for (size_t i = begin; i < begin + count; ++i) {
    Sequence& sequence = sequence_of(batch[i]);
    QUERN_TRY(const uint32_t cell, sequence.append_window(cache));
    const compute::AttentionRow& row = placed.window_rows[i];
    QUERN_ENSURE(cell + 1 == row.end && row.begin >= sequence.window_table().first(), Errc::internal, "batch entry ", i,
                 ": the window's cells ", row.begin, " ... ", row.end, " are not those that are there");
    placed.window_slots[i] = sequence.window_table().slot(cell);
  }
  for (size_t i = begin; i < begin + count; ++i) {
    placed.window_rows[i].blocks = sequence_of(batch[i]).window_table().blocks().data();
  }
  return {};
}

Result<StateRows> place_states(std::span<const BatchToken> pass, std::span<Sequence> sequences, Cache& cache) {
  StateRows out;
  const std::vector<Share> shares = shares_of(pass, sequences.size());
  out.rows.resize(shares.size());
  std::vector<size_t> number(sequences.size());  // of a sequence among the shares
  for (size_t s = 0; s < shares.size(); ++s) number[static_cast<size_t>(shares[s].sequence)] = s;
  for (size_t i = 0; i < pass.size(); ++i)
    out.rows[number[static_cast<size_t>(pass[i].sequence)]].push_back(static_cast<uint32_t>(i));
  for (size_t s = 0; s < shares.size(); ++s) {
    QUERN_TRY(compute::StateRun run, sequences[static_cast<size_t>(shares[s].sequence)].next_state(cache));
    run.rows = out.rows[s];
    out.runs.push_back(run);
  }
  return out;
}

}  // namespace quern::context
