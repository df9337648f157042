// Regular expressions over UTF-8, run by PCRE2 with Unicode properties and bounded work.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/status.h"

namespace quern::text {

/// An expression with \s and \S (outside of classes) as Unicode's White_Space property: PCRE2's own \s also holds
/// U+180E, which left that property in Unicode 6.3.
std::string with_unicode_spaces(std::string_view expression);

/// The memory that searches work in. One thread at a time; serves any Regex.
class RegexScratch {
 public:
  RegexScratch();
  RegexScratch(RegexScratch&&) noexcept;
  RegexScratch& operator=(RegexScratch&&) noexcept;
  ~RegexScratch();
  /// False where there was no memory for it.
  explicit operator bool() const { return impl_ != nullptr; }

 private:
  friend class Regex;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A compiled expression. Immutable: safe to use from many threads.
class Regex {
 public:
  /// PCRE2 syntax. Errc::argument quotes the expression and says what is wrong and where.
  static Result<Regex> compile(std::string_view expression);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  struct Match {
    size_t begin = 0, end = 0;  ///< begin < end
  };
  /// The first non-empty match that starts at byte `from` or later; nullopt also where the search would take too long.
  /// `text` is valid UTF-8.
  std::optional<Match> find(std::string_view text, size_t from, RegexScratch& scratch) const;

  /// Whether the expression matches anywhere in `text`, also if by nothing. False for a text that is no valid UTF-8.
  bool matches(std::string_view text) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern::text
