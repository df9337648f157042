// Split models: `<prefix>-00001-of-00003.gguf` and its siblings. Each part is a GGUF file of its own with the keys
// split.no (0-based), split.count and split.tensors.count (of all parts); the first holds the model's metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/io/reader.h"

namespace quern::io {

/// The name of a part: prefix (with its folder), number from 1, count.
struct PartName {
  std::string prefix;
  uint32_t number = 1, count = 1;
};
std::optional<PartName> parse_part_name(std::string_view path);
std::string format_part_name(const PartName& name);

/// What a part says about the split; the defaults are those of a file that is not split.
struct SplitKeys {
  uint64_t index = 0, count = 1;
  std::optional<uint64_t> n_tensors;  ///< of all parts
};
Result<SplitKeys> read_split_keys(const MetaTable& meta);

/// `model` holds the first part. Where that belongs to a split, opens the others and adds their tensors. Their names
/// are derived from the first one's, in the same folder; no path is ever taken from a file's contents.
Status open_other_parts(ModelFile& model, const OpenOptions& options);

}  // namespace quern::io
