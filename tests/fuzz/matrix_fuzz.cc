// Any bytes as a safetensors file whose metadata may hold a config.json: the matrix of every module that its names
// suggest is refused with a message, or its rows can be read.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lib/hf/matrix.h"
#include "lib/quant/rows.h"

using namespace quern;

namespace {

constexpr uint64_t kMaxElements = uint64_t{1} << 22;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_matrix(const hf::Matrix& matrix) {
  const tensor::TensorView& view = matrix.view;
  const quant::FormatInfo* const format = quant::find_format(view.type);
  require(format != nullptr && view.shape.elements() > 0);
  require(view.row_bytes == view.shape.cols() / format->block_elems * format->block_bytes);
  require((view.data != nullptr) != (view.source != nullptr));
  if (view.shape.elements() > kMaxElements) return;
  std::vector<float> floats(view.shape.elements());
  quant::RowReader reader(view, *format);
  reader.read(0, view.shape.rows(), floats.data());
  const uint64_t last = view.shape.rows() - 1;
  reader.read(last, last + 1, floats.data());
  if (view.source != nullptr) view.source->release(0, last + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  auto arrays = io::parse_safetensors(bytes, "fuzz.safetensors");
  if (!arrays) return 0;
  hf::Checkpoint checkpoint;
  checkpoint.path = "fuzz";
  checkpoint.config_path = "fuzz/config.json";
  for (const auto& [key, value] : arrays->metadata) {
    if (key != "config") continue;
    auto config = io::parse_json(std::as_bytes(std::span(value.data(), value.size())), checkpoint.config_path);
    if (config) checkpoint.config = std::move(*config);
  }
  checkpoint.arrays = std::move(*arrays);
  std::set<std::string> modules;
  for (const io::SafeTensor& array : checkpoint.arrays.entries()) {
    for (size_t at = array.name.find_first_of("._"); at != std::string::npos;
         at = array.name.find_first_of("._", at + 1))
      modules.insert(array.name.substr(0, at));
    modules.insert(array.name);
  }
  for (const std::string& module : modules) {
    const auto matrix = hf::read_matrix(checkpoint, module);
    if (!matrix) require(!matrix.error().message.empty());
    if (matrix && *matrix) check_matrix(**matrix);
  }
  return 0;
}
