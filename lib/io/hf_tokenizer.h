// Tokenizers in the files of a Hugging Face folder, without a GGUF: as the keys tokenizer.* that a GGUF would have, so
// that one reader (lib/model/vocab_from_meta) makes the vocabulary of either, and a conversion writes these very keys.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/status.h"
#include "lib/io/reader.h"

namespace quern::io {

/// Whether the bytes that a file begins with are those of a tokenizer file.
bool looks_like_tokenizer(std::span<const std::byte> bytes);

/// Reads a tokenizer: a folder (of the files below, the first that it has), or one such file of any name. The companion
/// files in the same folder are read with it (tokenizer_companions.h).
///
///   tokenizer.json                      tokenizer_json.h
///   tokenizer.model, spiece.model,
///   sentencepiece.bpe.model             sentencepiece.h, or tiktoken.h: told by content
///   tiktoken.model, qwen.tiktoken       tiktoken.h
///   vocab.json, with merges.txt         gpt2_files.h
///
/// Of a folder with a tokenizer.json that is run by scores and a SentencePiece model with the same pieces, the scores
/// are the model's.
Result<MetaTable> read_hf_tokenizer(const std::string& path);

}  // namespace quern::io
