// Which rows of a checkpoint's matrices make a tensor: arch::HfRows with the numbers of a model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arch/hf.h"
#include "lib/base/status.h"
#include "lib/hf/edits.h"
#include "lib/io/reader.h"

namespace quern::hf {

/// The keys "{architecture}...." of a model that say how rows lie.
class ModelNumbers {
 public:
  ModelNumbers(const io::MetaTable& meta, std::string_view architecture);
  /// A number above 0; of per-layer arrays that of `layer`.
  Result<uint64_t> get(std::string_view key, uint32_t layer) const;
  /// Heads of a gated delta net's values, by the keys whose heads they share: entry i is the place, in the checkpoint,
  /// of head i.
  Result<std::vector<uint32_t>> delta_value_heads() const;

 private:
  const io::MetaTable& meta_;
  std::string prefix_;
};

/// The rows of a matrix of `n_rows` that `tensor` takes. `place` is for messages: its file and name.
Result<RowMap> row_map(const arch::HfTensor& tensor, uint64_t n_rows, const ModelNumbers& extents, uint32_t layer,
                       std::string_view place);

}  // namespace quern::hf
