// A model's chat template: Jinja source compiled once, rendered for a conversation.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/chat/value.h"

namespace quern::chat {

/// Limits of one rendering: a template is data from a file, so it may not take the host's time or memory.
struct RenderLimits {
  uint64_t steps = 1'000'000;            ///< statements, expressions and loop turns evaluated
  uint64_t output_bytes = 8u << 20;
  uint64_t memory_bytes = 64u << 20;     ///< of values alive at once, approximately
  uint32_t depth = 64;                   ///< nested macro calls
};

/// Immutable after compile(): safe to render from many threads.
class Template {
 public:
  /// Parses; an error names line and column. Sources over 1 MiB or nested deeper than 256 are refused.
  static Result<Template> compile(std::string_view source);

  /// Renders with these variables (an object). Jinja as transformers sets it up: trim_blocks, lstrip_blocks, loop
  /// controls, raise_exception(), strftime_now(), tojson.
  Result<std::string> render(const Value& variables, const RenderLimits& limits = {}) const;

  struct Program;

 private:
  std::shared_ptr<const Program> program_;
};

}  // namespace quern::chat
