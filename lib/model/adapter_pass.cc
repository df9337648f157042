#include "lib/model/adapter_pass.h"

#include <algorithm>
#include <utility>

namespace quern::model {

using compute::ExpertTarget;
using compute::Mat;
using compute::MatmulTarget;
using compute::Stream;
using compute::Weight;

void AdapterPass::begin(std::span<const AdapterList* const> of_tokens) {
  outgrown_.clear();
  rows_.assign(of_tokens.begin(), of_tokens.end());
  make_groups(rows_);
}

void AdapterPass::pick(std::span<const uint32_t> rows) {
  std::vector<const AdapterList*> picked;
  picked.reserve(rows.size());
  for (const uint32_t row : rows) picked.push_back(rows_[row]);
  rows_ = std::move(picked);
  make_groups(rows_);
}

void AdapterPass::narrow(uint32_t first, uint32_t n) { make_groups(std::span(rows_).subspan(first, n)); }

void AdapterPass::make_groups(std::span<const AdapterList* const> rows) {
  groups_.clear();
  n_rows_ = static_cast<uint32_t>(rows.size());
  for (uint32_t r = 0; r < rows.size(); ++r) {
    const AdapterList* const list = rows[r];
    if (list == nullptr || list->empty()) continue;
    const auto same = [&](const Group& group) { return group.adapters == list || *group.adapters == *list; };
    auto group = std::find_if(groups_.begin(), groups_.end(), same);
    if (group == groups_.end()) group = groups_.insert(group, {list, {}});
    group->rows.push_back(r);
  }
}

Status AdapterPass::check_rows(uint32_t n) const {
  QUERN_ENSURE(n == n_rows_, Errc::internal, "adapters: expected a product of ", n_rows_, " rows, found ", n);
  return {};
}

bool AdapterPass::changes(const Weight* weight) const {
  for (const Group& group : groups_) {
    for (const AdapterUse& use : *group.adapters) {
      if (!use.adapter->parts(weight).empty()) return true;
    }
  }
  return false;
}

template <class F>
Status AdapterPass::each_part(uint64_t floats, F&& f) {
  constexpr uint64_t kPartFloats = uint64_t{1} << 21;
  const auto step = static_cast<size_t>(std::max<uint64_t>(kPartFloats / std::max<uint64_t>(floats, 1), 1));
  for (const Group& group : groups_) {
    const Rows rows = group.rows;
    for (size_t begin = 0; begin < rows.size(); begin += step)
      QUERN_CHECK(f(*group.adapters, rows.subspan(begin, std::min(step, rows.size() - begin))));
  }
  return {};
}

Result<Mat> AdapterPass::scratch(size_t which, uint32_t rows, uint32_t cols) {
  const uint64_t n_floats = uint64_t{rows} * cols;
  std::unique_ptr<compute::Buffer>& buffer = scratch_[which];
  if (buffer == nullptr || buffer->size_bytes() < n_floats * sizeof(float)) {
    QUERN_TRY(auto larger, backend_.allocate(n_floats));
    if (buffer != nullptr) outgrown_.push_back(std::move(buffer));
    buffer = std::move(larger);
  }
  return Mat{buffer.get(), 0, rows, cols, cols};
}

Result<Mat> AdapterPass::gather(Stream& stream, Mat x, Rows rows, uint32_t per_row, size_t which) {
  const auto n = static_cast<uint32_t>(rows.size());
  if (rows.back() - rows.front() + 1 == n) return x.slice(rows.front() * per_row, n * per_row);
  QUERN_TRY(const Mat out, scratch(which, n * per_row, x.cols));
  std::vector<uint32_t> numbers;
  for (const uint32_t row : rows) {
    for (uint32_t j = 0; j < per_row; ++j) numbers.push_back(row * per_row + j);
  }
  stream.gather_rows(x, numbers, out);
  return out;
}

void AdapterPass::add_to(Stream& stream, Mat out, Rows rows, uint32_t per_row, Mat sums) {
  for (uint32_t begin = 0; begin < rows.size();) {
    uint32_t end = begin + 1;
    while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
    const uint32_t n = (end - begin) * per_row;
    stream.add(out.slice(rows[begin] * per_row, n), sums.slice(begin * per_row, n));
    begin = end;
  }
}

Status AdapterPass::add(Stream& stream, Mat x, std::span<const MatmulTarget> targets) {
  uint64_t widest = x.cols;
  bool any = false;
  for (const MatmulTarget& target : targets) {
    widest = std::max<uint64_t>(widest, target.out.cols);
    any |= changes(target.weight);
  }
  if (!any) return {};
  QUERN_CHECK(check_rows(x.rows));
  return each_part(widest, [&](const AdapterList& adapters, Rows rows) -> Status {
    QUERN_TRY(const Mat input, gather(stream, x, rows, 1, kInput));
    for (const MatmulTarget& target : targets) {
      for (const AdapterUse& use : adapters) {
        for (const Adapter::Part& part : use.adapter->parts(target.weight)) {
          const Weight &a = *part.a.front(), &b = *part.b.front();
          QUERN_TRY(const Mat inner, scratch(kInner, input.rows, a.rows()));
          QUERN_TRY(const Mat sums, scratch(kSums, input.rows, b.rows()));
          stream.matmul(input, a, inner);
          stream.scale(inner, part.scale * use.scale);
          stream.matmul(inner, b, sums);
          add_to(stream, target.out, rows, 1, sums);
        }
      }
    }
    return {};
  });
}

Status AdapterPass::add_experts(Stream& stream, Mat x, Mat experts, std::span<const ExpertTarget> targets) {
  const uint32_t n_used = experts.cols, per_row = x.rows == experts.rows ? 1 : n_used;
  uint64_t widest = x.cols;
  bool any = false;
  for (const ExpertTarget& target : targets) {
    widest = std::max<uint64_t>(widest, target.out.cols);
    any |= changes(target.weights.front().get());
  }
  if (!any) return {};
  QUERN_CHECK(check_rows(experts.rows));
  return each_part(widest * n_used, [&](const AdapterList& adapters, Rows rows) -> Status {
    QUERN_TRY(const Mat input, gather(stream, x, rows, per_row, kInput));
    QUERN_TRY(const Mat chosen, gather(stream, experts, rows, 1, kExperts));
    for (const ExpertTarget& target : targets) {
      for (const AdapterUse& use : adapters) {
        for (const Adapter::Part& part : use.adapter->parts(target.weights.front().get())) {
          const uint32_t n = chosen.rows * n_used;
          QUERN_TRY(const Mat inner, scratch(kInner, n, part.a.front()->rows()));
          QUERN_TRY(const Mat sums, scratch(kSums, n, part.b.front()->rows()));
          const ExpertTarget first{part.a, {}, inner}, second{part.b, {}, sums};
          stream.matmul_experts(input, chosen, {&first, 1});
          stream.scale(inner, part.scale * use.scale);
          stream.matmul_experts(inner, chosen, {&second, 1});
          add_to(stream, target.out, rows, n_used, sums);
        }
      }
    }
    return {};
  });
}

Status AdapterPass::add_rows(Stream& stream, const Weight& table, std::span<const int32_t> ids, Mat out) {
  if (!changes(&table)) return {};
  QUERN_CHECK(check_rows(out.rows));
  return each_part(out.cols, [&](const AdapterList& adapters, Rows rows) -> Status {
    std::vector<int32_t> tokens;
    for (const uint32_t row : rows) tokens.push_back(ids[row]);
    for (const AdapterUse& use : adapters) {
      for (const Adapter::Part& part : use.adapter->parts(&table)) {
        const auto n = static_cast<uint32_t>(rows.size());
        const Weight &a = *part.a.front(), &b = *part.b.front();
        QUERN_TRY(const Mat inner, scratch(kInner, n, a.cols()));
        QUERN_TRY(const Mat sums, scratch(kSums, n, b.rows()));
        stream.embed(a, tokens, inner);
        stream.scale(inner, part.scale * use.scale);
        stream.matmul(inner, b, sums);
        add_to(stream, out, rows, 1, sums);
      }
    }
    return {};
  });
}

}  // namespace quern::model
