// SentencePiece models (tokenizer.model, spiece.model): a message of Protocol Buffers with the pieces, how they were
// trained and how text is normalized.
//
//   ModelProto:     1 pieces {1 text, 2 score (float), 3 type}   2 trainer_spec   3 normalizer_spec
//   TrainerSpec:    3 model_type (1 unigram, 2 BPE)   24 treat_whitespace_as_suffix   35 byte_fallback
//                   40 to 43 ids of <unk>, <s>, </s>, <pad>, -1 for none
//   NormalizerSpec: 2 precompiled_charsmap   3 add_dummy_prefix   4 remove_extra_whitespaces   5 escape_whitespaces
//
// Types of pieces have the numbers of GGUF's token types. Absent fields have the defaults of the schema.
// Source: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
#pragma once

#include <span>
#include <string>

#include "lib/io/tokenizer_parts.h"

namespace quern::io {

/// Whether the bytes begin as such a model does: with a piece.
bool looks_like_sentencepiece(std::span<const std::byte> bytes);

/// BPE models become "llama", unigram models "t5". Errors name `file` and the piece or field. What the families cannot
/// do (a normalizer of a BPE model, whitespace as a suffix, word and character models) is refused.
Result<TokenizerParts> parse_sentencepiece(std::span<const std::byte> bytes, const std::string& file);

}  // namespace quern::io
