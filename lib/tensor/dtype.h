// The element and block types of tensors. GGUF numbers its types; those numbers are the enumerators' values, and types
// of other containers start at 1000. What a type means (block size, decoding) is in lib/quant, one file per type.
#pragma once

#include <cstdint>

namespace quern::tensor {

enum class DType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41,
  q2_0 = 42,
  // Of Hugging Face checkpoints; no GGUF has them.
  nf4 = 1000,     ///< bitsandbytes
  nf4_dq = 1001,  ///< with quantized scales
  fp4 = 1002,     ///< bitsandbytes; its codes are not MXFP4's
  int2 = 1003,    ///< scales and whole zero points: GPTQ, AWQ, compressed-tensors
  int3 = 1004,
  int4 = 1005,
  int4_32 = 1006,
  int8 = 1007,  ///< the same, also LLM.int8()
  f8_e4m3 = 1008,
  f8_e5m2 = 1009,
};

}  // namespace quern::tensor
