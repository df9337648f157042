// Which instruction set the kernels run on.
#pragma once

namespace quern::cpu {

/// Highway's name of the target chosen for this machine, e.g. "AVX3_ZEN4". Static storage.
const char* target_name();

}  // namespace quern::cpu
