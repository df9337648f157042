// TensorTable: the tensors of a file by name.
#include "lib/io/names.h"
#include "lib/io/reader.h"

namespace quern::io {

Status TensorTable::add(TensorEntry entry) {
  const auto [place, is_new] = index_.try_emplace(entry.name, entries_.size());
  QUERN_ENSURE(is_new, Errc::format, "tensor ", quoted(entry.name), " appears twice");
  entries_.push_back(std::move(entry));
  return {};
}

const TensorEntry* TensorTable::find(std::string_view name) const {
  const auto place = index_.find(name);
  return place == index_.end() ? nullptr : &entries_[place->second];
}

void ModelFile::release(const TensorEntry& entry, const tensor::TensorView& part) const {
  if (part.source != nullptr) return part.source->release(part.first_row, part.first_row + part.shape.rows());
  if (entry.file_index < parts.size()) parts[entry.file_index].release({part.data, part.size_bytes()});
}

}  // namespace quern::io
