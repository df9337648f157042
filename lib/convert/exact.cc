#include "lib/convert/exact.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "lib/base/half.h"

namespace quern::convert {
namespace {

using tensor::DType;

/// Types whose blocks are a half-precision scale, in their first two bytes, and whole levels; with the GGUF type of the
/// same making.
struct Pair {
  DType from, to;
};
constexpr Pair kPairs[] = {
    {DType::int4, DType::q4_0},
    {DType::int4_32, DType::q4_0},
    {DType::int8, DType::q8_0},
};

constexpr size_t kMaxBlock = 256;

/// One block of `to`, whose elements have the values `x` and share the scale of a block of `from`.
bool repack_block(const quant::FormatInfo& to, const float* x, float scale, std::byte* out) {
  const quant::LevelAccess& access = to.level_access;
  const uint16_t half = base::f32_to_f16(scale);
  if (base::f16_to_f32(half) != scale) return false;
  int8_t levels[kMaxBlock];
  for (size_t i = 0; i < to.block_elems; ++i) {
    const float level = scale == 0 ? 0 : std::nearbyint(x[i] / scale);
    if (!(level >= static_cast<float>(access.levels.low) && level <= static_cast<float>(access.levels.high)))
      return false;
    levels[i] = static_cast<int8_t>(level);
  }
  std::fill_n(out, to.block_bytes, std::byte{0});
  quant::store(half, out);
  access.put_levels(levels, out);
  float decoded[kMaxBlock];
  to.decode(out, decoded, to.block_elems);
  return std::equal(decoded, decoded + to.block_elems, x);
}

}  // namespace

bool repack(const quant::FormatInfo& from, const quant::FormatInfo& to, const std::byte* blocks, float scale, size_t n,
            std::byte* out) {
  if (from.block_elems > kMaxBlock || from.block_elems % to.block_elems != 0) return false;
  float x[kMaxBlock];
  for (size_t i = 0; i < n; i += from.block_elems, blocks += from.block_bytes) {
    from.decode(blocks, x, from.block_elems);
    for (uint32_t k = 0; k < from.block_elems; ++k) x[k] *= scale;
    const float step = base::f16_to_f32(quant::load<uint16_t>(blocks)) * scale;
    for (uint32_t k = 0; k < from.block_elems; k += to.block_elems, out += to.block_bytes) {
      if (!repack_block(to, x + k, step, out)) return false;
    }
  }
  return true;
}

Result<std::optional<uint32_t>> exact_type(const io::TensorEntry& tensor, base::ThreadPool& pool) {
  const tensor::TensorView& view = tensor.view;
  if (view.column_order != nullptr) return std::optional<uint32_t>();
  // A scale of the whole tensor goes into a tensor of its own, see companion_scale().
  if (quant::find_type(quant::type_name(tensor.type_id)) == tensor.type_id) return std::optional(tensor.type_id);
  const auto pair = std::find_if(std::begin(kPairs), std::end(kPairs),
                                 [&](const Pair& p) { return static_cast<uint32_t>(p.from) == tensor.type_id; });
  if (pair == std::end(kPairs)) return std::optional<uint32_t>();
  QUERN_TRY(const quant::FormatInfo* from, quant::resolve_format(tensor.type_id));
  QUERN_TRY(const quant::FormatInfo* to, quant::resolve_format(static_cast<uint32_t>(pair->to)));
  const size_t cols = view.shape.cols();
  constexpr uint64_t kRows = 16;
  std::atomic<bool> exact{true};
  struct Memory {
    std::vector<std::byte> rows, out;
  };
  std::vector<Memory> memory(pool.n_threads());
  pool.run((view.shape.rows() + kRows - 1) / kRows, [&](size_t i, size_t thread) {
    if (!exact) return;
    Memory& mine = memory[thread];
    const uint64_t begin = i * kRows, end = std::min(view.shape.rows(), begin + kRows);
    mine.out.resize((end - begin) * cols / to->block_elems * to->block_bytes);
    if (!repack(*from, *to, view.rows(begin, end, mine.rows), view.scale, (end - begin) * cols, mine.out.data()))
      exact = false;
  });
  return exact ? std::optional(static_cast<uint32_t>(pair->to)) : std::nullopt;
}

}  // namespace quern::convert
