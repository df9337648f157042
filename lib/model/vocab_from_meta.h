// A tokenizer's data out of a model file's metadata: the tokenizer.ggml.* keys of GGUF.
#pragma once

#include "lib/io/reader.h"
#include "lib/text/vocab.h"

namespace quern::model {

/// Reads the vocabulary. Families other than "llama" (SentencePiece BPE) and "gpt2" (byte-level BPE) are refused by
/// name.
///
/// Keys that are absent get the family's defaults:
///   add_bos_token     true for "llama", for "gpt2" as its pre-tokenizer implies (true for Llama 3 and its kin)
///   add_eos_token     false
///   add_space_prefix  true for "llama", false for "gpt2"
///   ignore_merges     as the pre-tokenizer implies
///   scores            zeros
///   token_type        from the texts: <0xNN> is a byte; bos, eos and unknown are what they are; all else is normal
///   bos, eos, unknown 1, 2 and 0 for "llama" where these tokens are <s>, </s> and <unk>
///   eot, eom          the token that models use for it by its text, such as <|im_end|>
/// A special token id of -1 (in any width) means that there is none; other ids outside the vocabulary are errors.
/// The result has yet to pass text::Tokenizer::build.
Result<text::Vocab> vocab_from_meta(const io::MetaTable& meta);

}  // namespace quern::model
