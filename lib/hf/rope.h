// Scaling of rotary embedding, as config.json has it: rope_scaling, or rope_parameters of newer ones.
#pragma once

#include <string>
#include <vector>

#include "lib/arch/hf.h"
#include "lib/base/status.h"
#include "lib/hf/fields.h"
#include "lib/io/reader.h"

namespace quern::hf {

struct RopeKey {
  std::string name;  ///< after "{architecture}."
  io::MetaValue value;
};
/// The keys rope.scaling.*. Kinds that would be run wrongly are errors.
Result<std::vector<RopeKey>> rope_keys(const Fields& fields, const arch::HfArch& table);

/// Divisors of frequencies.
struct RopeTensor {
  std::string name;
  std::vector<float> elements;
};
/// `base` and `n_rot` (elements of a head that are turned) are those of the keys.
Result<std::vector<RopeTensor>> rope_tensors(const Fields& fields, const arch::HfArch& table, double base,
                                             uint64_t n_rot);

}  // namespace quern::hf
