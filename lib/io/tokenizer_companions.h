// The small files beside a tokenizer: which tokens begin and end a text, what ends a generation, the chat template.
//
//   tokenizer_config.json    bos_token, eos_token, ... (a text, or an object with "content"), add_bos_token,
//                            add_eos_token, chat_template; for a tokenizer that is no tokenizer.json also
//                            added_tokens_decoder, add_prefix_space, legacy
//   special_tokens_map.json  the same roles, where the first does not name them
//   added_tokens.json        {"text": id}
//   config.json              *_token_id, where no file names the text; vocab_size
//   generation_config.json   eos_token_id: one, or a list of all that end a generation
//   chat_template.jinja, chat_template.json    instead of the one in tokenizer_config.json
#pragma once

#include <string>

#include "lib/io/tokenizer_parts.h"

namespace quern::io {

/// Reads those of the files that `folder` has into `parts`. `complete`: the tokenizer's own file lists its added
/// tokens, as a tokenizer.json does; else those of the companions are added. Errors name file, key and value.
Status read_companions(const std::string& folder, bool complete, TokenizerParts& parts);

}  // namespace quern::io
