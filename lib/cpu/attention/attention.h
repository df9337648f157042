// Attention of many rows: divides the work among threads.
#pragma once

#include <span>
#include <vector>

#include "lib/base/thread_pool.h"
#include "lib/compute/ops.h"
#include "lib/cpu/attention/attend.h"

namespace quern::cpu {

/// Carries out Stream::attention for one stream and keeps its working memory from call to call.
class Attention {
 public:
  explicit Attention(base::ThreadPool& pool) : pool_(pool) {}
  void run(const KvStore& kv, uint32_t layer, const compute::AttentionShape& shape, compute::Mat q,
           std::span<const compute::AttentionRow> rows, compute::Mat out);

 private:
  /// Queries of one key-value head: the heads that share it, of some consecutive rows of one sequence. They are counted
  /// row by row; the group has the `count` queries from `first` on.
  struct Group {
    uint32_t row, kv_head, first, count;
    uint32_t first_chunk = 0, n_chunks = 0;  ///< of the keys they see
    size_t state = 0;                        ///< where in states_ the chunks' results begin
  };
  /// One call of run().
  struct Job {
    const KvStore& kv;
    uint32_t layer;
    const compute::AttentionShape& shape;
    compute::Mat q, out;
    std::span<const compute::AttentionRow> rows;

    AttentionTask task(const Group& group) const;
    /// Fills `memory` with the group's queries.
    std::span<const Query> queries(const Group& group, Query (&memory)[kMaxQueries]) const;
  };
  void plan(const Job& job, uint32_t max_queries);
  void run_whole(const Job& job);
  void run_in_chunks(const Job& job);
  float* scratch(size_t worker) { return scratch_.data() + worker * scratch_floats_; }

  base::ThreadPool& pool_;
  std::vector<Group> groups_;
  std::vector<float> scratch_, states_;
  size_t scratch_floats_ = 0;  ///< of one thread
  size_t state_floats_ = 0;    ///< that the chunks of groups_ would need
};

}  // namespace quern::cpu
