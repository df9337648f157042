// One sequence of the cache: the positions of its cells, where they are, and the checkpoints it can go back to.
//
// Layers with a sliding window keep the cells that a token at the sequence's next position can see, and those of
// kWindowSlack positions before. So a sequence can be cut to any length within the slack of its end; to go back farther
// it needs a checkpoint, which keeps the same cells of a time when it was shorter.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/context/block_table.h"
#include "lib/context/cache.h"
#include "lib/context/checkpoint.h"

namespace quern::context {

/// Holds blocks of the cache that its methods are given, which must always be the same one; clear() gives them back,
/// the destructor does not.
class Sequence {
 public:
  uint32_t size() const { return static_cast<uint32_t>(positions_.size()); }
  bool empty() const { return positions_.empty(); }
  std::span<const int32_t> positions() const { return positions_; }
  int32_t next_position() const { return position_after(size()); }
  const BlockTable& table() const { return table_; }
  const BlockTable& window_table() const { return recent_.window; }
  uint32_t state() const { return recent_.state; }  ///< the slot of the state of recurrent layers
  std::span<const Checkpoint> checkpoints() const { return checkpoints_; }  ///< the shortest first

  /// Number of cells at positions below `position`.
  uint32_t cells_before(int64_t position) const;
  /// The first cell that a token at `position` sees in layers with a window.
  uint32_t window_begin(const Cache& cache, int32_t position) const {
    return cells_before(int64_t{position} - cache.window + 1);
  }
  /// The first cell that those layers keep when the sequence has n_cells.
  uint32_t window_kept(const Cache& cache, uint32_t n_cells) const {
    return cells_before(int64_t{position_after(n_cells)} - cache.window + 1 - kWindowSlack);
  }

  /// A call that computes new cells: begin(), append() for all of them, then for each pass append_window(), where there
  /// are windows, and advance(); commit() or roll_back() at the end. `n_passes` is of the whole call. An error of
  /// begin() changes nothing.
  void begin(Cache& cache, size_t n_passes);
  /// Adds one cell to layers that see everything, and returns its number. On an error nothing changes.
  Result<uint32_t> append(Cache& cache, int32_t position);
  /// Adds the next of these cells to layers with a window, and returns its number.
  Result<uint32_t> append_window(Cache& cache);
  /// The slots of the state that the next pass reads and writes, where there are recurrent layers: the state from
  /// before the call, and those of checkpoints, stay as they are. The caller rolls back if it fails.
  Result<compute::StateRun> next_state(Cache& cache);
  /// A pass has computed the next `n` of them.
  void advance(Cache& cache, uint32_t n);
  /// Keeps the sequence as it is computed so far.
  void take_checkpoint(Cache& cache);
  /// Of too many checkpoints the oldest are dropped.
  void commit(Cache& cache);
  /// The sequence is as it was at begin().
  void roll_back(Cache& cache);

  /// Where a sequence can be brought to.
  struct WayBack {
    int32_t position = 0;
    uint32_t n_cells = 0;
    const Checkpoint* checkpoint = nullptr;  ///< to begin with; none: the sequence as it is
  };
  /// To the latest position that is not behind `position`.
  WayBack way_back(const Cache& cache, int32_t position) const;
  /// Forgets all cells behind.
  void go_back(Cache& cache, const WayBack& way);

  /// Forgets the cells at positions [from, to). Errc::unsupported where that is the sequence's end and there is no way
  /// back to `from`; else errors only where blocks must be copied. Then nothing changes.
  Status remove(Cache& cache, int32_t from, int32_t to);
  /// Becomes a copy of `other`, in the same blocks.
  void share(Cache& cache, const Sequence& other);
  /// Becomes a sequence of cells at these positions, in blocks of its own; layers with a window have those from number
  /// `window_first` on. Cannot fail where the pools have reserved the blocks, the present ones included.
  /// `state` becomes its own.
  Status assign(Cache& cache, std::vector<int32_t> positions, uint32_t window_first, uint32_t state);
  void clear(Cache& cache);

 private:
  int32_t position_after(uint32_t n_cells) const { return n_cells == 0 ? 0 : positions_[n_cells - 1] + 1; }
  /// Whether the sequence, having that with `n_now` cells, can be cut to n_cells and go on as if it had never been
  /// longer.
  bool reaches(const Cache& cache, const Recent& recent, uint32_t n_now, uint32_t n_cells) const;
  void drop_checkpoint(Cache& cache, Checkpoint& checkpoint) { checkpoint.recent.release(cache); }
  /// Checkpoints behind n_cells are cut to there, or dropped.
  void cut_checkpoints(Cache& cache, uint32_t n_cells);
  void truncate(Cache& cache, uint32_t n_cells);

  std::vector<int32_t> positions_;
  BlockTable table_;
  Recent recent_;
  std::vector<Checkpoint> checkpoints_;

  // During a call:
  uint32_t n_computed_ = 0;        ///< cells that are there
  uint32_t n_before_ = 0;          ///< cells at begin()
  bool saved_ = false;             ///< recent_before_ is what recent_ was at begin()
  Recent recent_before_;           ///< for calls of several passes, between which cells are forgotten
  std::vector<Checkpoint> taken_;  ///< since begin()
};

}  // namespace quern::context
