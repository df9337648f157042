#include "lib/cpu/attention/attention.h"

#include <algorithm>

#include "lib/cpu/weight.h"

namespace quern::cpu {

using compute::AttentionRow;
using compute::AttentionShape;
using compute::Mat;

AttentionTask Attention::Job::task(const Group& group) const {
  return {&kv, rows[group.row].blocks, layer, group.kv_head, shape.k_dim, shape.v_dim, shape.scale, shape.softcap};
}

std::span<const Query> Attention::Job::queries(const Group& group, Query (&memory)[kMaxQueries]) const {
  const uint32_t sharing = shape.n_heads / shape.n_kv_heads;
  const float* const sinks = shape.sinks ? static_cast<const VectorWeight*>(shape.sinks)->data() : nullptr;
  for (uint32_t i = 0; i < group.count; ++i) {
    const uint32_t row = group.row + (group.first + i) / sharing;
    const uint32_t head = group.kv_head * sharing + (group.first + i) % sharing;
    memory[i] = {q.row(row) + head * shape.k_dim, out.row(row) + head * shape.v_dim, rows[row].begin, rows[row].end,
                 sinks ? sinks + head : nullptr};
  }
  return {memory, group.count};
}

void Attention::run(const KvStore& kv, uint32_t layer, const AttentionShape& shape, Mat q,
                    std::span<const AttentionRow> rows, Mat out) {
  if (rows.empty()) return;
  const Job job{kv, layer, shape, q, out, rows};
  plan(job, kMaxQueries);
  scratch_floats_ = attend_floats(job.task({0, 0, 0, 0}));
  scratch_.resize(scratch_floats_ * pool_.n_threads());
  // A few queries with many keys keep all threads busy only if the keys are divided.
  uint32_t most_chunks = 0;
  for (const Group& group : groups_) most_chunks = std::max(most_chunks, group.n_chunks);
  if (pool_.n_threads() > 1 && groups_.size() < size_t{4} * pool_.n_threads() && most_chunks > 1) {
    plan(job, kQueries);
    run_in_chunks(job);
  } else {
    run_whole(job);
  }
}

void Attention::plan(const Job& job, uint32_t max_queries) {
  const uint32_t sharing = job.shape.n_heads / job.shape.n_kv_heads, max_rows = std::max(1u, max_queries / sharing);
  const size_t state_size = state_floats(job.task({0, 0, 0, 0}));
  size_t state = 0;
  groups_.clear();
  for (uint32_t head = 0; head < job.shape.n_kv_heads; ++head) {
    uint32_t end = 0;
    for (uint32_t row = 0; row < job.q.rows; row = end) {
      uint32_t key_begin = job.rows[row].begin, key_end = job.rows[row].end;
      for (end = row + 1; end < job.q.rows && end - row < max_rows && job.rows[end].blocks == job.rows[row].blocks;
           ++end) {
        key_begin = std::min(key_begin, job.rows[end].begin);
        key_end = std::max(key_end, job.rows[end].end);
      }
      const uint32_t first_chunk = key_begin / kChunkTokens, n_chunks = (key_end - 1) / kChunkTokens + 1 - first_chunk;
      for (uint32_t first = 0; first < (end - row) * sharing; first += max_queries) {
        const uint32_t count = std::min(max_queries, (end - row) * sharing - first);
        groups_.push_back({row, head, first, count, first_chunk, n_chunks, state});
        state += n_chunks * state_size;
      }
    }
  }
  state_floats_ = state;
}

void Attention::run_whole(const Job& job) {
  pool_.run(groups_.size(), [&](size_t i, size_t worker) {
    Query memory[kMaxQueries];
    attend(job.task(groups_[i]), job.queries(groups_[i], memory), scratch(worker));
  });
}

void Attention::run_in_chunks(const Job& job) {
  struct Part {
    uint32_t group, chunk;
  };
  std::vector<Part> parts;
  for (uint32_t g = 0; g < groups_.size(); ++g) {
    for (uint32_t c = 0; c < groups_[g].n_chunks; ++c) parts.push_back({g, c});
  }
  const size_t state_size = state_floats(job.task({0, 0, 0, 0}));
  states_.resize(std::max(states_.size(), state_floats_));
  pool_.run(parts.size(), [&](size_t i, size_t worker) {
    const Group& group = groups_[parts[i].group];
    Query memory[kMaxQueries];
    attend_chunk(job.task(group), job.queries(group, memory), group.first_chunk + parts[i].chunk,
                 states_.data() + group.state + parts[i].chunk * state_size, scratch(worker));
  });
  pool_.run(groups_.size(), [&](size_t i, size_t worker) {
    const Group& group = groups_[i];
    Query memory[kMaxQueries];
    merge_chunks(job.task(group), job.queries(group, memory), states_.data() + group.state, group.n_chunks,
                 scratch(worker));
  });
}

}  // namespace quern::cpu
