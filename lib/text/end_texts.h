// Tokens that models use to end a turn or a generation, known by their text whatever a file's metadata says of them.
#pragma once

#include <array>
#include <string_view>

namespace quern::text {

inline constexpr std::array<std::string_view, 24> kEndTexts = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<turn|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<eos>",
    "</s>",
    "<end_of_utterance>",
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",  // DeepSeek
    "[e~[",                                                // MiniMax
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
};

/// Control tokens that end a turn, in order of preference; models of different families use one of them.
inline constexpr std::array<std::string_view, 10> kEndOfTurn = {
    "<|eot_id|>",      "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
    "<|end_of_text|>", "<EOT>",      "_<EOT>",  "[EOT]",         "<end_of_utterance>"};
inline constexpr std::array<std::string_view, 1> kEndOfMessage = {"<|eom_id|>"};

/// In vocabularies that have all three, a message ends with the first, but the generation goes on (gpt-oss).
inline constexpr std::string_view kMessageEnd = "<|end|>";
inline constexpr std::array<std::string_view, 2> kGenerationEnds = {"<|return|>", "<|call|>"};

/// Tokens that models use to have a gap filled or a file named, known by their text: their role and the spellings.
struct FillTexts {
  std::string_view role;  ///< as in the metadata's key, fim_pre_token_id
  std::array<std::string_view, 8> texts;
};
inline constexpr std::array<FillTexts, 6> kFillTexts = {{
    {"fim_pre",
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>",
      "<\xEF\xBD\x9C"
      "fim\xE2\x96\x81"
      "begin\xEF\xBD\x9C>",
      "<PRE>", "\xE2\x96\x81<PRE>", "<|code_prefix|>", "<|prefix|>"}},
    {"fim_suf",
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",
      "<\xEF\xBD\x9C"
      "fim\xE2\x96\x81hole\xEF\xBD\x9C>",
      "<SUF>", "\xE2\x96\x81<SUF>", "<|code_suffix|>", "<|suffix|>"}},
    {"fim_mid",
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>",
      "<\xEF\xBD\x9C"
      "fim\xE2\x96\x81"
      "end\xEF\xBD\x9C>",
      "<MID>", "\xE2\x96\x81<MID>", "<|code_middle|>", "<|middle|>"}},
    {"fim_pad", {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
    {"fim_rep", {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {"fim_sep", {"<|file_sep|>"}},
}};

}  // namespace quern::text
