// From template source to tokens, with jinja2's white space control.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/chat/template.h"

namespace quern::chat {

struct Token {
  enum class Kind : uint8_t {
    text,         ///< literal output
    open_output,  ///< {{
    close_output,
    open_tag,  ///< {%
    close_tag,
    name,
    string,
    integer,
    real,
    symbol,  ///< an operator or a bracket: its characters are the text
    end,
  };
  Kind kind = Kind::end;
  uint32_t position = 0;  ///< byte in the source
  std::string text;       ///< of text, name, symbol; of string: unescaped; of numbers: without underscores
};

/// The source as the lexer reads it: line ends are \n, and the last one is gone unless kept.
std::string normalize_source(std::string_view source, const WhitespaceOptions& whitespace);

/// Tokens of a normalized source, an `end` token last. On failure `position` is where.
Result<std::vector<Token>> lex(std::string_view source, const WhitespaceOptions& whitespace, uint32_t& position);

}  // namespace quern::chat
