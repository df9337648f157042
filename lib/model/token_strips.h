// Tokens that swallow the whitespace beside them.
#pragma once

#include "lib/base/status.h"
#include "lib/io/reader.h"
#include "lib/text/vocab.h"

namespace quern::model {

/// Sets strip_left and strip_right of a vocabulary whose tokens are read. GGUF has no key for them: the names in the
/// metadata tell, by a table.
Status read_strips(const io::MetaTable& meta, text::Vocab& vocab);

}  // namespace quern::model
