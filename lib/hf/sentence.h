// What a folder of sentence-transformers has beside the model: modules.json, and the folders that it names.
#pragma once

#include "lib/base/status.h"
#include "lib/hf/checkpoint.h"

namespace quern::hf {

/// Puts the settings of the modules into the checkpoint's config, as "sentence.FOLDER", those of the pooling as
/// "sentence.pooling" too; and the arrays of projections behind the pooling into its arrays, as "FOLDER.linear.weight".
/// Nothing happens where there is no modules.json. Errors name file and value.
Status add_sentence_modules(Checkpoint& checkpoint, bool use_mmap);

}  // namespace quern::hf
