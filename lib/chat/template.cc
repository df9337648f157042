#include "lib/chat/template.h"

#include "lib/chat/machine.h"
#include "lib/chat/parser.h"
#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {
constexpr size_t kMaxSourceBytes = 1u << 20;
}

std::string describe_position(std::string_view source, uint32_t position) {
  const std::string_view before = source.substr(0, position);
  size_t line = 1;
  for (const char c : before) line += c == '\n';
  const size_t start = before.rfind('\n') + 1;  // 0 where there is none
  return cat("template, line ", line, ", column ", count_chars(before.substr(start)) + 1);
}

Result<std::shared_ptr<const Template::Program>> compile_program(std::string_view source,
                                                                 const WhitespaceOptions& whitespace) {
  std::string normal = normalize_source(source, whitespace);
  uint32_t position = 0;
  auto tokens = lex(normal, whitespace, position);
  if (!tokens) {
    return fail(tokens.error().code, describe_position(normal, position), ": ", tokens.error().message);
  }
  Parser parser(std::move(*tokens));
  auto program = parser.run(std::move(normal));
  return program;
}

Result<Template> Template::compile(std::string_view source, const WhitespaceOptions& whitespace) {
  QUERN_ENSURE(source.size() <= kMaxSourceBytes, Errc::format, "the template has ", source.size(),
               " bytes: the most is ", kMaxSourceBytes);
  Template out;
  QUERN_TRY(out.program_, compile_program(source, whitespace));
  return out;
}

Result<std::string> Template::render(const Value& variables, const RenderOptions& options) const {
  QUERN_ENSURE(program_, Errc::argument, "the template was not compiled");
  QUERN_ENSURE(variables.is_object(), Errc::argument, "the variables of a template are an object, found ",
               variables.type_name());
  QUERN_ENSURE(variables.depth() <= kMaxValueDepth, Errc::argument, "the variables are nested deeper than ",
               kMaxValueDepth);
  return Machine(*program_, variables, options).run();
}

}  // namespace quern::chat
