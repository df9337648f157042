// From a checkpoint's arrays to the tensors that the GGUF would have, by arch::HfTensor.
#pragma once

#include <memory>
#include <vector>

#include "lib/arch/hf.h"
#include "lib/base/status.h"
#include "lib/hf/checkpoint.h"
#include "lib/io/reader.h"

namespace quern::hf {

struct Tensors {
  io::TensorTable table;
  std::vector<std::shared_ptr<const void>> keep;  ///< what views point to besides the checkpoint's files
};

/// `meta` has the keys that read_config made. Errors name the array: one that nothing takes, or whose extents do not
/// fit.
Result<Tensors> read_tensors(const Checkpoint& checkpoint, const arch::HfArch& table, const io::MetaTable& meta);

}  // namespace quern::hf
