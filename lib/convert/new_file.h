// A model file made from another one: its metadata with some keys changed, its tensors as targets say.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/convert/quantize.h"
#include "lib/io/reader.h"

namespace quern::convert {

/// "key=type:value" (type int, float, bool or str), as llama.cpp's --override-kv spells it. Errc::argument otherwise.
Result<io::MetaTable::Entry> parse_override(const std::string& text);

/// Writes one file, or with `keep_split` one for each part of the source. `changes` replace entries of the source that
/// have the same keys, or are added. Returns the paths written. Each file appears whole or not at all. `review` (see
/// io::GgufWriter) is for one file only.
Result<std::vector<std::string>> write_model(const io::ModelFile& source, std::span<const TensorTarget> targets,
                                             const std::vector<io::MetaTable::Entry>& changes, const std::string& path,
                                             bool keep_split, Quantizer& quantizer, const io::Review& review = {});

}  // namespace quern::convert
