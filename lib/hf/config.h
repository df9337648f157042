// From config.json to the keys that the GGUF would have.
#pragma once

#include "lib/arch/hf.h"
#include "lib/base/status.h"
#include "lib/hf/checkpoint.h"
#include "lib/io/reader.h"

namespace quern::hf {

/// The table of the class that config.json names. Errors name the class and those that come near.
Result<const arch::HfArch*> find_class(const Checkpoint& checkpoint);

/// The keys "{architecture}....", general.architecture and general.name among them, but not those of the tokenizer.
/// Errors name the field: one that is needed and missing, of another kind, or whose value makes it another model.
Result<io::MetaTable> read_config(const Checkpoint& checkpoint, const arch::HfArch& table);

}  // namespace quern::hf
