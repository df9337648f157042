#include "lib/context/sequence.h"

#include <algorithm>
#include <utility>

namespace quern::context {

uint32_t Sequence::cells_before(int64_t position) const {
  return static_cast<uint32_t>(std::lower_bound(positions_.begin(), positions_.end(), position) - positions_.begin());
}

void Sequence::begin(Cache& cache, size_t n_passes) {
  if (cache.forgets() && (n_passes > 1 || cache.state_pool)) {
    Recent copy = recent_;
    copy.hold(cache);
    recent_before_ = std::move(copy);
    saved_ = true;
  }
  n_computed_ = n_before_ = size();
}

Result<uint32_t> Sequence::append(Cache& cache, int32_t position) {
  // Room first: an appended cell must not be lost to a vector that cannot grow.
  if (positions_.size() == positions_.capacity()) positions_.reserve(2 * positions_.size() + 1);
  QUERN_TRY(const uint32_t cell, table_.append(*cache.pool));
  positions_.push_back(position);
  return cell;
}

Result<compute::StateRun> Sequence::next_state(Cache& cache) {
  StatePool& pool = *cache.state_pool;
  compute::StateRun run{recent_.state, recent_.state, {}};
  if (!pool.shared(run.from)) return run;  // an earlier pass of this call has made it
  QUERN_TRY(run.to, pool.allocate());
  pool.release(run.from);  // recent_before_, or a checkpoint, has it too
  recent_.state = run.to;
  return run;
}

Result<uint32_t> Sequence::append_window(Cache& cache) { return recent_.window.append(*cache.window_pool); }

void Sequence::advance(Cache& cache, uint32_t n) {
  n_computed_ += n;
  // What a failing call gives back must still be there: in calls of one pass, nothing is forgotten before commit().
  if (saved_ && cache.window_pool) recent_.window.drop_before(*cache.window_pool, window_kept(cache, n_computed_));
  const uint32_t last = !taken_.empty()         ? taken_.back().n_cells
                        : !checkpoints_.empty() ? checkpoints_.back().n_cells
                                                : 0;
  if (n_computed_ - last >= kCheckpointStep) take_checkpoint(cache);
}

void Sequence::take_checkpoint(Cache& cache) {
  if (!cache.forgets() || cache.n_checkpoints == 0 || n_computed_ == 0) return;
  if (!taken_.empty() && taken_.back().n_cells == n_computed_) return;
  // Room first: a checkpoint must not be lost to a vector that cannot grow, here or in commit().
  taken_.reserve(taken_.size() + 1);
  checkpoints_.reserve(checkpoints_.size() + taken_.size() + 1);
  Checkpoint checkpoint{n_computed_, recent_};
  checkpoint.recent.hold(cache);
  if (cache.window_pool) checkpoint.recent.window.drop_before(*cache.window_pool, window_kept(cache, n_computed_));
  taken_.push_back(std::move(checkpoint));
  if (taken_.size() > cache.n_checkpoints) {
    drop_checkpoint(cache, taken_.front());
    taken_.erase(taken_.begin());
  }
}

void Sequence::commit(Cache& cache) {
  if (saved_) recent_before_.release(cache);
  saved_ = false;
  if (cache.window_pool) recent_.window.drop_before(*cache.window_pool, window_kept(cache, size()));
  for (Checkpoint& checkpoint : taken_) checkpoints_.push_back(std::move(checkpoint));
  taken_.clear();
  while (checkpoints_.size() > cache.n_checkpoints) {
    drop_checkpoint(cache, checkpoints_.front());
    checkpoints_.erase(checkpoints_.begin());
  }
}

void Sequence::roll_back(Cache& cache) {
  for (Checkpoint& checkpoint : taken_) drop_checkpoint(cache, checkpoint);
  taken_.clear();
  if (saved_) {
    recent_.release(cache);
    recent_ = std::exchange(recent_before_, {});
    saved_ = false;
  }
  truncate(cache, n_before_);
}

bool Sequence::reaches(const Cache& cache, const Recent& recent, uint32_t n_now, uint32_t n_cells) const {
  if (cache.state_pool && n_cells != n_now) return false;  // a state cannot be taken apart
  if (!cache.window_pool) return true;
  const BlockTable& window = recent.window;
  return n_cells <= window.size() && window_begin(cache, position_after(n_cells)) >= std::min(window.first(), n_cells);
}

Sequence::WayBack Sequence::way_back(const Cache& cache, int32_t position) const {
  position = std::min(position, next_position());
  const uint32_t n_cells = cells_before(position);
  if (reaches(cache, recent_, size(), n_cells)) return {position, n_cells, nullptr};
  const Checkpoint* nearest = nullptr;
  for (const Checkpoint& checkpoint : checkpoints_) {
    if (checkpoint.n_cells <= n_cells) nearest = &checkpoint;
    if (checkpoint.n_cells >= n_cells && reaches(cache, checkpoint.recent, checkpoint.n_cells, n_cells))
      return {position, n_cells, &checkpoint};
  }
  if (nearest == nullptr) return {};
  return {position_after(nearest->n_cells), nearest->n_cells, nearest};
}

void Sequence::go_back(Cache& cache, const WayBack& way) {
  if (way.checkpoint != nullptr) {
    Recent copy = way.checkpoint->recent;
    copy.hold(cache);
    recent_.release(cache);
    recent_ = std::move(copy);
  }
  cut_checkpoints(cache, way.n_cells);
  truncate(cache, way.n_cells);
}

void Sequence::cut_checkpoints(Cache& cache, uint32_t n_cells) {
  size_t kept = 0;
  for (Checkpoint& checkpoint : checkpoints_) {
    if (checkpoint.n_cells > n_cells) {
      const bool has_one = n_cells == 0 || (kept > 0 && checkpoints_[kept - 1].n_cells == n_cells);
      if (has_one || !reaches(cache, checkpoint.recent, checkpoint.n_cells, n_cells)) {
        drop_checkpoint(cache, checkpoint);
        continue;
      }
      if (cache.window_pool) checkpoint.recent.window.truncate(*cache.window_pool, n_cells);
      checkpoint.n_cells = n_cells;
    }
    if (&checkpoint != &checkpoints_[kept]) checkpoints_[kept] = std::move(checkpoint);
    ++kept;
  }
  checkpoints_.resize(kept);
}

void Sequence::truncate(Cache& cache, uint32_t n_cells) {
  table_.truncate(*cache.pool, n_cells);
  if (cache.window_pool) recent_.window.truncate(*cache.window_pool, n_cells);
  if (cache.state_pool && n_cells == 0) cache.state_pool->release(std::exchange(recent_.state, compute::kZeroState));
  positions_.resize(n_cells);
}

Status Sequence::remove(Cache& cache, int32_t from, int32_t to) {
  const uint32_t begin = cells_before(from), end = cells_before(to);
  if (begin >= end) return {};
  if (end == size()) {
    const WayBack way = way_back(cache, from);
    QUERN_ENSURE(way.n_cells == begin, Errc::unsupported, "the sequence cannot be cut at position ", from,
                 cache.state_pool ? cat(": its recurrent layers")
                                  : cat(": its layers with a window of ", cache.window, " positions"),
                 " have forgotten what they saw there; it can go back to position ", way.position,
                 " (rewind) and be decoded again from there");
    go_back(cache, way);
    return {};
  }
  QUERN_ENSURE(!cache.state_pool, Errc::unsupported, "the positions ", from, " ... ", to - 1,
               " cannot be taken out of the sequence: its recurrent layers have seen them");
  QUERN_CHECK(cache.pool->reserve(table_.blocks_to_remove(*cache.pool, begin, end)));
  if (cache.window_pool) {
    BlockTable& window = recent_.window;
    QUERN_CHECK(cache.window_pool->reserve(window.blocks_to_remove(*cache.window_pool, begin, end)));
    QUERN_CHECK(window.remove(*cache.window_pool, begin, end));
  }
  QUERN_CHECK(table_.remove(*cache.pool, begin, end));
  cut_checkpoints(cache, begin);
  positions_.erase(positions_.begin() + begin, positions_.begin() + end);
  return {};
}

void Sequence::share(Cache& cache, const Sequence& other) {
  if (this == &other) return;
  auto positions = other.positions_;
  auto table = other.table_;
  auto recent = other.recent_;
  auto checkpoints = other.checkpoints_;
  clear(cache);
  table.hold(*cache.pool);
  recent.hold(cache);
  for (const Checkpoint& checkpoint : checkpoints) checkpoint.recent.hold(cache);
  positions_ = std::move(positions);
  table_ = std::move(table);
  recent_ = std::move(recent);
  checkpoints_ = std::move(checkpoints);
}

Status Sequence::assign(Cache& cache, std::vector<int32_t> positions, uint32_t window_first, uint32_t state) {
  const auto n_cells = static_cast<uint32_t>(positions.size());
  table_.make_room(n_cells);
  if (cache.window_pool) recent_.window.make_room(n_cells);
  clear(cache);
  QUERN_CHECK(table_.assign(*cache.pool, 0, n_cells));
  if (cache.window_pool) QUERN_CHECK(recent_.window.assign(*cache.window_pool, window_first, n_cells));
  recent_.state = state;
  positions_ = std::move(positions);
  return {};
}

void Sequence::clear(Cache& cache) {
  for (Checkpoint& checkpoint : checkpoints_) drop_checkpoint(cache, checkpoint);
  checkpoints_.clear();
  truncate(cache, 0);
}

}  // namespace quern::context
