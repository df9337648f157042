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

namespace {

/// Cells that the sequences of a batch can still be given.
uint64_t available_cells(std::span<const Sequence> sequences, const std::vector<bool>& grows, const BlockPool& pool) {
  uint64_t cells = uint64_t{pool.n_free()} * compute::kKvBlockTokens;
  for (size_t s = 0; s < sequences.size(); ++s) {
    const bool open_block = !sequences[s].empty() && !pool.shared(sequences[s].blocks().back());
    if (grows[s] && open_block) cells += sequences[s].blocks().size() * compute::kKvBlockTokens - sequences[s].size();
  }
  return cells;
}

Error no_place(const Error& error, std::span<const BatchToken> batch, std::span<const Sequence> sequences,
               const BlockPool& pool) {
  if (error.code != Errc::context_full) return error;
  std::vector<bool> grows(sequences.size(), false);
  for (const BatchToken& t : batch) grows[static_cast<size_t>(t.sequence)] = true;
  return fail(Errc::context_full, "the context is full: ", batch.size(), " cells needed, ",
              available_cells(sequences, grows, pool), " available");
}

}  // namespace

Result<PlacedBatch> place(std::span<const BatchToken> batch, std::span<Sequence> sequences, uint32_t window,
                          BlockPool& pool) {
  std::vector<uint32_t> before(sequences.size());
  for (size_t s = 0; s < sequences.size(); ++s) before[s] = sequences[s].size();
  PlacedBatch out;
  for (size_t i = 0; i < batch.size(); ++i) {
    const BatchToken& t = batch[i];
    Sequence& sequence = sequences[static_cast<size_t>(t.sequence)];
    const auto cell = sequence.append(pool, t.position);
    if (!cell) {
      for (size_t s = 0; s < sequences.size(); ++s) sequences[s].truncate(pool, before[s]);
      return no_place(cell.error(), batch, sequences, pool);
    }
    out.tokens.push_back(t.token);
    out.positions.push_back(t.position);
    out.slots.push_back(sequence.slot(*cell));
    out.rows.push_back({nullptr, 0, *cell + 1});
    if (window > 0) {
      const int64_t first = int64_t{t.position} - window + 1;
      const uint32_t begin = first > 0 ? sequence.cells_before(static_cast<int32_t>(first)) : 0;
      out.window_rows.push_back({nullptr, begin, *cell + 1});
    }
    if (t.logits) out.outputs.push_back(static_cast<uint32_t>(i));
  }
  // Block tables stay where they are from here on.
  for (size_t i = 0; i < batch.size(); ++i) {
    out.rows[i].blocks = sequences[static_cast<size_t>(batch[i].sequence)].blocks().data();
    if (window > 0) out.window_rows[i].blocks = out.rows[i].blocks;
  }
  return out;
}

}  // namespace quern::context
