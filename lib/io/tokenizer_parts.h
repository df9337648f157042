// What the files of a tokenizer say, in whatever format they are, on the way to the keys of GGUF.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/io/reader.h"
#include "lib/text/vocab.h"

namespace quern::io {

/// Keys that GGUF has no name for, which readers that do not know them pass over. Each is written only where it is
/// needed.
inline constexpr char kStripLeftKey[] = "tokenizer.quern.strip_left";    ///< i32[]: tokens that swallow whitespace
inline constexpr char kStripRightKey[] = "tokenizer.quern.strip_right";  ///< before, and after them
inline constexpr char kNfcKey[] = "tokenizer.quern.normalizer_nfc";      ///< bool: text is put into NFC first
inline constexpr char kPrefixOnceKey[] =
    "tokenizer.quern.space_prefix_once";  ///< bool: the space prefix goes before the text, not after special tokens too
inline constexpr char kPrefixIfMissingKey[] =
    "tokenizer.quern.space_prefix_if_missing";  ///< bool: no prefix where the text begins with a space
inline constexpr char kEndIdsKey[] = "tokenizer.ggml.eos_token_ids";  ///< i32[]: all that end a generation

/// A token that a file adds to those of the model proper.
struct AddedToken {
  int64_t id = 0;
  std::string text;
  bool special = false;  ///< a control token
  bool strip_left = false, strip_right = false;
};

struct TokenizerParts {
  std::string file;   ///< where the tokens come from, for messages
  std::string model;  ///< tokenizer.ggml.model
  std::string pre = "default";

  std::vector<std::string> tokens;
  std::vector<text::TokenType> types;
  std::vector<float> scores;  ///< one per token, or none at all
  std::vector<std::string> merges;
  std::string charsmap;

  std::map<std::string, int32_t, std::less<>> ids;  ///< by the name in GGUF's keys: "bos", "seperator", ...
  std::vector<int32_t> end_ids;                     ///< further tokens that end a generation
  std::vector<int32_t> strip_left, strip_right;

  std::optional<bool> add_bos, add_eos, add_sep, add_space_prefix, remove_extra_whitespaces, ignore_merges;
  std::optional<bool> lowercase, strip_accents;  ///< of the normalizer of WordPiece
  bool nfc = false, prefix_once = false, prefix_if_missing = false;

  std::string chat_template;
  std::vector<std::pair<std::string, std::string>> named_templates;

  /// Puts a token at its id, and "[PADi]" of type unused at the ids before it that nothing has taken yet. Errors: an id
  /// below zero, far beyond all others, or taken by another text.
  Status place(int64_t id, std::string_view text, text::TokenType type, float score);
  /// An added token: placed, or given its type where it has its place already.
  Status add(const AddedToken& token);
  /// "[PADi]" up to `n` tokens.
  Status pad_to(int64_t n);
  /// The id of a token by its text, or -1. Slow: for the few special ones.
  int32_t find(std::string_view text) const;
};

/// Whether an added token is a control token by its look, as converters have it: "<|...|>", "<unused7>", "<pad>", ...
bool looks_special(std::string_view text);

/// As the keys tokenizer.ggml.* and tokenizer.chat_template*.
Result<MetaTable> to_meta(TokenizerParts parts);

}  // namespace quern::io
