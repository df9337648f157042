// A tokenizer's data out of a model file's metadata: the tokenizer.ggml.* keys of GGUF.
#pragma once

#include "lib/io/reader.h"
#include "lib/text/vocab.h"

namespace quern::model {

/// Reads the vocabulary. The families are "llama" (SentencePiece BPE), "gpt2" (byte-level BPE), "bert" (WordPiece),
/// "t5" (SentencePiece unigram), "gemma4" and "whitespace" (BPE of characters), "rwkv" (longest token), "none" and
/// "no_vocab" (ids without texts); others are refused by name. A "gpt2" whose pre-tokenizer is one of characters is
/// read as such.
///
/// Keys that are absent get the family's defaults:
///   add_bos_token     true for "llama" and "bert", for BPE as its pre-tokenizer implies (true for Llama 3 and its kin)
///   add_eos_token     true for "t5"
///   add_sep_token     true for "bert"
///   add_space_prefix  true for "llama" and "t5"; remove_extra_whitespaces for "t5"
///   normalizer.lowercase      true for "bert"; normalizer.strip_accents as lowercase
///   ignore_merges     as the pre-tokenizer implies
///   scores            zeros
///   token_type        from the texts: <0xNN> is a byte; bos, eos, sep, mask and unknown are what they are; all else is
///                     normal
///   bos, eos, ...     1, 2 and 0 for "llama" where these tokens are <s>, </s> and <unk>; likewise for "bert" and "t5"
///   eot, eom          the token that models use for it by its text, such as <|im_end|>
/// A special token id of -1 (in any width) means that there is none; other ids outside the vocabulary are errors.
/// The result has yet to pass text::Tokenizer::build.
Result<text::Vocab> vocab_from_meta(const io::MetaTable& meta);

}  // namespace quern::model
