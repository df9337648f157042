// A model file made from another one: its metadata with some keys changed, its tensors as targets say.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/convert/quantize.h"
#include "lib/io/reader.h"

namespace quern::convert {

/// "key=type:value" (type int, float, bool or str), as llama.cpp's --override-kv spells it. Errc::argument otherwise.
Result<io::MetaTable::Entry> parse_override(const std::string& text);

/// How many files a model becomes: one, where all is as it is here.
struct Split {
  bool as_source = false;    ///< one for each part of the source
  uint64_t max_bytes = 0;    ///< at most so many bytes of tensors in each; a larger tensor has one for itself
  uint64_t max_tensors = 0;  ///< at most so many tensors in each
  bool any() const { return as_source || max_bytes > 0 || max_tensors > 0; }
};

/// Writes the file or files. `changes` replace entries of the source that have the same keys, or are added. Returns the
/// paths written. Each file appears whole or not at all. `review` (see io::GgufWriter) is for one file only.
Result<std::vector<std::string>> write_model(const io::ModelFile& source, std::span<const TensorTarget> targets,
                                             const std::vector<io::MetaTable::Entry>& changes, const std::string& path,
                                             const Split& split, Quantizer& quantizer, const io::Review& review = {});

/// The scale of the whole tensor that a copied target leaves out, as GGUF holds it: the tensor "X.scale" of "X.weight".
/// nullptr where there is none.
std::unique_ptr<io::TensorEntry> companion_scale(const TensorTarget& target);

}  // namespace quern::convert
