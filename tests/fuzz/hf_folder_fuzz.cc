// Any config.json with any safetensors file: refused, or tensors whose rows can be read. The input is the length of the
// first (two bytes, little-endian), the first, and the second.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "lib/hf/config.h"
#include "lib/hf/names.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

using namespace quern;

namespace {

constexpr uint64_t kMaxElements = 1 << 20;  // of a tensor that is read

void require(bool condition) {
  if (!condition) std::abort();
}

/// A checkpoint whose arrays lie in the input. Arrays refer to files for messages alone: any file serves.
Result<hf::Checkpoint> make_checkpoint(std::span<const std::byte> config, std::span<const std::byte> arrays) {
  hf::Checkpoint out;
  out.path = "fuzz";
  out.config_path = "config.json";
  QUERN_TRY(out.config, io::parse_json(config, out.config_path));
  QUERN_TRY(out.arrays, io::parse_safetensors(arrays, "model.safetensors"));
  QUERN_TRY(auto file, base::FileBytes::open("/proc/self/exe", {}));
  out.files.push_back(std::move(file));
  return out;
}

Status read(std::span<const std::byte> config, std::span<const std::byte> arrays) {
  QUERN_TRY(const hf::Checkpoint checkpoint, make_checkpoint(config, arrays));
  QUERN_TRY(const arch::HfArch* const table, hf::find_class(checkpoint));
  QUERN_TRY(const io::MetaTable meta, hf::read_config(checkpoint, *table));
  QUERN_TRY(const hf::Tensors tensors, hf::read_tensors(checkpoint, *table, meta));
  for (const io::TensorEntry& entry : tensors.table.entries()) {
    const tensor::TensorView& view = entry.view;
    require(view.data != nullptr || view.source != nullptr);
    const uint64_t n = view.shape.elements();
    require(n > 0);
    if (n > kMaxElements) continue;
    std::vector<float> numbers(n);
    quant::RowReader reader(view, *quant::find_format(view.type));
    const uint64_t rows = view.shape.rows(), half = rows / 2;
    reader.read(0, half, numbers.data());
    reader.read(half, rows, numbers.data() + half * view.shape.cols());
    if (view.source != nullptr) view.source->release(0, rows);
  }
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  const size_t n = std::min<size_t>(bytes.size(), data[0] | data[1] << 8);
  const Status status = read(bytes.first(n), bytes.subspan(n));
  require(status.has_value() || !status.error().message.empty());
  return 0;
}
