// A model's chat template: Jinja source compiled once, rendered for a conversation.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/status.h"
#include "lib/chat/value.h"

namespace quern::chat {

/// Limits of one rendering: a template is data from a file, so it may not take the host's time or memory.
struct RenderLimits {
  uint64_t steps = 1'000'000;  ///< instructions run, loop turns, and per some hundred bytes of text handled
  uint64_t output_bytes = 8u << 20;
  uint64_t memory_bytes = 64u << 20;  ///< of values alive at once, approximately
  uint32_t depth = 64;                ///< nested macro calls and recursive loops
};

/// What a clock on the wall shows, for strftime_now(). The library never reads the clock itself.
struct LocalTime {
  int32_t year = 1970;
  uint32_t month = 1, day = 1;  ///< from 1
  uint32_t hour = 0, minute = 0, second = 0;

  /// `unix_seconds` as seen in a zone that is `utc_offset_seconds` east of UTC.
  static LocalTime at(int64_t unix_seconds, int32_t utc_offset_seconds = 0);
};

struct RenderOptions {
  RenderLimits limits;
  std::optional<LocalTime> now;  ///< without it strftime_now() is an error
};

/// How a template's white space is read. The defaults are those that chat templates are written for.
struct WhitespaceOptions {
  bool trim_blocks = true;             ///< the newline after a tag goes
  bool lstrip_blocks = true;           ///< blanks from the start of the line to a tag go
  bool keep_trailing_newline = false;  ///< of the source
};

/// Immutable after compile(): safe to render from many threads.
class Template {
 public:
  /// Parses; an error names line and column. Sources over 1 MiB or nested deeper than 256 are refused.
  static Result<Template> compile(std::string_view source, const WhitespaceOptions& whitespace = {});

  /// Renders with these variables (an object). Jinja as transformers sets it up: trim_blocks, lstrip_blocks, loop
  /// controls, raise_exception(), strftime_now(), tojson. Errc::argument where the template itself refused the
  /// conversation by raise_exception(), Errc::memory over a limit, else Errc::format.
  Result<std::string> render(const Value& variables, const RenderOptions& options = {}) const;

  struct Program;

 private:
  std::shared_ptr<const Program> program_;
};

}  // namespace quern::chat
