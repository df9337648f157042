// What quantizing and converting share: plans become targets and lines of a result.
#pragma once

#include <quern/quantize.h>

#include <optional>
#include <string>
#include <vector>

#include "lib/convert/imatrix.h"
#include "lib/convert/quantize.h"
#include "lib/convert/recipe.h"
#include "lib/io/reader.h"

namespace quern::engine {

using OptionalImatrix = std::optional<convert::Imatrix>;

/// Targets for plans, with the importance of their inputs where it is known.
Result<std::vector<convert::TensorTarget>> targets_for(const std::vector<convert::TensorPlan>& plans,
                                                       const OptionalImatrix& imatrix);

/// Fills the tensors and sums of `result`.
void describe(const std::vector<convert::TensorPlan>& plans, const std::vector<convert::TensorTarget>& targets,
              QuantizeResult& result);

/// The metadata that differs from the source's. `file_type` is general.file_type, or convert::kKeepFileType.
Result<std::vector<io::MetaTable::Entry>> metadata_changes(uint32_t file_type, const OptionalImatrix& imatrix,
                                                           const std::string& imatrix_path,
                                                           const std::vector<std::string>& override_kv);

}  // namespace quern::engine
