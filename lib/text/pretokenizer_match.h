// Pre-tokenizers by their expressions: files of other formats than GGUF spell them out instead of naming them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lib/text/pretokenize.h"

namespace quern::text {

/// Expressions that steps of a tokenizer.json other than regular expressions amount to.
inline constexpr std::string_view kGpt2Expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";    ///< ByteLevel with use_regex
inline constexpr std::string_view kEachDigitExpression = R"(\p{N})";                    ///< Digits, individual
inline constexpr std::string_view kDigitsExpression = R"(\p{N}+)";                      ///< Digits
inline constexpr std::string_view kPunctuationExpression = R"([\p{P}\$\+<=>\^~\|`]+)";  ///< Punctuation, contiguous

/// The pre-tokenizer that consists of these expressions, in this order; nullptr where none does. The same expression in
/// another spelling is recognised: (?i:'s|'t) for '[sS]|'[tT], characters written as \x{...}.
/// Many names stand for the same expressions: of these, one whose vocabularies take whole words as they are
/// (`ignore_merges`) or not, as asked, the best known first; where there is none, one that differs in this.
const PreTokenizerSpec* match_pretokenizer(std::span<const std::string> expressions, bool ignore_merges);

}  // namespace quern::text
