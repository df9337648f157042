#include "lib/model/fingerprint.h"

#include <algorithm>
#include <string>
#include <vector>

#include "lib/model/hash.h"

namespace quern::model {

uint64_t fingerprint(const io::ModelFile& file, std::string_view architecture, const quant::FormatInfo* quantize) {
  Hash hash;
  hash.text(architecture);
  if (quantize != nullptr) hash.text(quantize->name);
  for (const io::MetaTable::Entry& entry : file.meta.entries()) {
    if (entry.key.rfind(cat(architecture, "."), 0) != 0) continue;
    hash.text(entry.key);
    if (const auto* u = std::get_if<uint64_t>(&entry.value)) hash.number(*u);
    if (const auto* d = std::get_if<double>(&entry.value)) hash.object(*d);
    if (const auto* s = std::get_if<std::string>(&entry.value)) hash.text(*s);
  }
  constexpr uint64_t kSampleBytes = 64;  // from the start and the middle of each tensor: one page each
  for (const io::TensorEntry& entry : file.tensors.entries()) {
    hash.text(entry.name);
    hash.number(entry.type_id);
    for (const uint64_t n : entry.view.shape.ne) hash.number(n);
    const uint64_t size = entry.view.size_bytes();
    const uint64_t n = std::min(size, kSampleBytes);
    if (entry.view.source != nullptr) {
      std::vector<std::byte> row(entry.view.row_bytes);
      entry.view.source->read(entry.view.first_row, entry.view.first_row + 1, row.data());
      hash.bytes({row.data(), std::min<size_t>(row.size(), n)});
      continue;
    }
    hash.bytes({entry.view.data, n});
    hash.bytes({entry.view.data + (size - n) / 2, n});
  }
  return hash.value();
}

}  // namespace quern::model
