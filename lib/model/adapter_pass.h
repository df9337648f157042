// The adapters of a pass: y += s B (A x) in the rows of the tokens whose sequences have an adapter for the weight at
// hand, right behind the product, whatever block makes it. A row's sums are its own: they depend neither on the rows
// beside it nor on what adapters these have.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/model/adapter.h"

namespace quern::model {

/// One for each stream. Keeps its working memory from pass to pass.
class AdapterPass final : public compute::MatmulAddition {
 public:
  explicit AdapterPass(compute::Backend& backend) : backend_(backend) {}

  /// A pass of so many tokens, each with its adapters; nullptr for none. Borrowed until the next pass, which begins
  /// when the stream has finished this one.
  void begin(std::span<const AdapterList* const> of_tokens);
  /// From here on the products have these of the present rows alone.
  void pick(std::span<const uint32_t> rows);
  /// The next product has the present rows [first, first + n) alone.
  void narrow(uint32_t first, uint32_t n);

  Status add(compute::Stream& stream, compute::Mat x, std::span<const compute::MatmulTarget> targets) override;
  Status add_experts(compute::Stream& stream, compute::Mat x, compute::Mat experts,
                     std::span<const compute::ExpertTarget> targets) override;
  Status add_rows(compute::Stream& stream, const compute::Weight& table, std::span<const int32_t> ids,
                  compute::Mat out) override;

 private:
  /// Rows with the same adapters.
  struct Group {
    const AdapterList* adapters = nullptr;
    std::vector<uint32_t> rows;  ///< increasing
  };
  /// Some of a group's rows, few enough for the working memory.
  using Rows = std::span<const uint32_t>;

  void make_groups(std::span<const AdapterList* const> rows);
  /// Calls f(adapters, rows) for every group, in parts whose rows of `floats` each fit the working memory.
  template <class F>
  Status each_part(uint64_t floats, F&& f);
  /// Whether anything is added to the product of this weight.
  bool changes(const compute::Weight* weight) const;
  /// These rows of x, `per_row` neighbours for each.
  Result<compute::Mat> gather(compute::Stream& stream, compute::Mat x, Rows rows, uint32_t per_row, size_t scratch);
  static void add_to(compute::Stream& stream, compute::Mat out, Rows rows, uint32_t per_row, compute::Mat sums);
  Result<compute::Mat> scratch(size_t which, uint32_t rows, uint32_t cols);

  Status check_rows(uint32_t n) const;

  enum Scratch : size_t { kInput, kExperts, kInner, kSums, kScratches };

  compute::Backend& backend_;
  std::vector<const AdapterList*> rows_;  ///< of the present rows
  std::vector<Group> groups_;             ///< those of the next product, by their adapters
  uint32_t n_rows_ = 0;                   ///< of the next product
  std::unique_ptr<compute::Buffer> scratch_[kScratches];
  std::vector<std::unique_ptr<compute::Buffer>> outgrown_;  ///< operations under way may still use these
};

}  // namespace quern::model
