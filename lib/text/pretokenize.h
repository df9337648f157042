// Pre-tokenizers: how a byte-level BPE vocabulary cuts text into words before it merges.
//
// A pre-tokenizer is a list of regular expressions, applied one after another: each cuts every piece that the ones
// before left into its matches and the stretches between them. Its name (tokenizer.ggml.pre) leads to the list: see
// pretokenizer_table.cc. The expressions run in PCRE2; a look-ahead sees the end of the piece, not beyond.
//
// Expressions that group digits by three from the right would look at the rest of a run for each group; they are known
// by their text and done in one pass.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/status.h"

namespace quern::text {

/// How a vocabulary spells text.
enum class Characters : uint8_t {
  bytes,                ///< GPT-2's byte alphabet (bpe.h)
  marked,               ///< characters as they are, U+2581 for a space (raw_bpe.h)
  marked_newline_runs,  ///< the same, and a run of newlines that is a token is taken whole
  plain,                ///< characters as they are, white space is left out
};

/// What a pre-tokenizer's name implies.
struct PreTokenizerSpec {
  std::string_view name;
  std::span<const char* const> expressions;  ///< PCRE2 syntax; matched as UTF-8, with Unicode properties
  bool ignore_merges = false;                ///< vocabularies of this name take whole words as they are
  bool add_bos = false;                      ///< and begin with BOS unless they say otherwise
  Characters characters = Characters::bytes;
};

// Digits in groups of three, counted from the right, as the models' files spell it.
/// Every group is a word.
inline constexpr const char* kDigitsByThree = R"(\d{1,3}(?=(?:\d{3})*\b))";
/// Every group but one at the front begins a word. Matches are empty.
inline constexpr const char* kBeforeThreeDigits = R"((?=(\d{3})+(?!\d)))";
/// As kDigitsByThree, but whatever follows the run.
inline constexpr const char* kAllDigitsByThree = R"(\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd})))";

/// All that are known, sorted by name.
std::span<const PreTokenizerSpec> pretokenizer_specs();

/// nullptr where the name is unknown. The empty name is "default".
const PreTokenizerSpec* find_pretokenizer(std::string_view name);

/// The compiled expressions of one pre-tokenizer. Immutable: safe to use from many threads.
class PreTokenizer {
 public:
  /// An unknown name is an error. A vocabulary that names none (an empty name) gets "default", as files from before the
  /// key existed need it.
  static Result<PreTokenizer> create(std::string_view name, std::string_view where);
  /// From expressions; for tests and other file formats.
  static Result<PreTokenizer> create(std::span<const char* const> expressions, std::string_view where);

  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;
  ~PreTokenizer();

  /// The words of a text in valid UTF-8, in order and without gaps, none empty.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  struct Impl;
  explicit PreTokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern::text
