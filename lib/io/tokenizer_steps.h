// What a tokenizer.json does to text before and after its model: normalizer, pre_tokenizer and post_processor. Each is
// a step or a sequence of steps; a step that Quern cannot do exactly is an error that names it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "lib/io/json.h"

namespace quern::io {

/// Where U+2581 is put before a text that a special token or nothing precedes.
enum class SpacePrefix : uint8_t {
  none,
  always,      ///< before every stretch between special tokens, even if it begins with a space
  if_missing,  ///< before every stretch that does not begin with a space
  first,       ///< before the text, where it begins neither with a space nor with a special token
};

struct TextSteps {
  bool nfc = false;
  bool byte_level = false;         ///< bytes in GPT-2's alphabet
  bool underlines = false;         ///< U+2581 for a space
  bool bert_words = false;         ///< cut as BERT does
  bool cut_at_underlines = false;  ///< no token reaches over a U+2581
  bool collapse_spaces = false;    ///< runs of spaces become one, and those at the ends go
  bool bert_normalizer = false;    ///< and its options:
  bool lowercase = false, strip_accents = false;
  SpacePrefix prefix = SpacePrefix::none;
  std::string charsmap;                  ///< SentencePiece's precompiled normalizer
  std::vector<std::string> expressions;  ///< that cut text, one after another
};

/// Reads normalizer and pre_tokenizer of a tokenizer.json.
Result<TextSteps> read_text_steps(const JsonAt& root);

/// The special tokens that the post_processor puts around a text, by their texts; at most one on each side.
struct Surround {
  std::optional<std::string> before, after;
};
Result<Surround> read_post_processor(const JsonAt& root);

}  // namespace quern::io
