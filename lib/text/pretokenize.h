// Pre-tokenizers: how a byte-level BPE vocabulary cuts text into words before it merges.
//
// A pre-tokenizer is a list of regular expressions, applied one after another: each cuts every piece that the ones
// before left into its matches and the stretches between them. Its name (tokenizer.ggml.pre) leads to the list: see
// pretokenizer_table.cc. The expressions run in PCRE2; a look-ahead sees the end of the piece, not beyond.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/text/regex.h"

namespace quern::text {

/// What a pre-tokenizer's name implies.
struct PreTokenizerSpec {
  std::string_view name;
  std::span<const char* const> expressions;  ///< PCRE2 syntax; matched as UTF-8, with Unicode properties
  bool ignore_merges = false;                ///< vocabularies of this name take whole words as they are
  bool add_bos = false;                      ///< and begin with BOS unless they say otherwise
};

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

  /// The words of a text, in order and without gaps, none empty. Bytes that are no valid UTF-8 form words of their own.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  struct Impl;
  explicit PreTokenizer(std::unique_ptr<Impl> impl);
  void split_valid(std::string_view text, RegexScratch& scratch, std::vector<std::string_view>& out) const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern::text
