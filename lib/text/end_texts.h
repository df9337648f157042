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

}  // namespace quern::text
