// tokenizer.json, the file of Hugging Face's tokenizers library: model (vocabulary and merges), added tokens, and the
// steps around them (tokenizer_steps.h).
//
//   model BPE with ByteLevel              "gpt2": pre-tokenizer told by its expressions (lib/text/pretokenizer_match.h)
//   model BPE with U+2581 for spaces      "llama": the rank of a token's merge, negated, is its score, so that merging
//   by
//                                         scores goes as merging by ranks; checked, because it does not for all merges.
//                                         Else, where no space prefix is asked for, "gemma4": the merges as they are
//   model WordPiece                       "bert": "##x" becomes "x", any other piece gets U+2581 before it
//   model Unigram                         "t5"
//
// Sources: https://github.com/huggingface/tokenizers; the GGUF keys as llama.cpp's converter writes them.
#pragma once

#include <string>

#include "lib/io/json.h"
#include "lib/io/tokenizer_parts.h"

namespace quern::io {

/// Whether this is the file that holds a tokenizer: it has a model with a vocabulary.
bool looks_like_tokenizer_json(const Json& root);

/// Errors name `file`, the key and the value; so does what cannot be done exactly. The special tokens' roles (bos, eos)
/// are known only as far as the post-processor says them.
Result<TokenizerParts> parse_tokenizer_json(const Json& root, const std::string& file);

}  // namespace quern::io
