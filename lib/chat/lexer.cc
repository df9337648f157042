// The rules are those of jinja2's lexer: outside of tags text runs up to the next "{{", "{%" or "{#"; a '-' beside a
// delimiter takes the white space on its side, a '+' keeps it against trim_blocks and lstrip_blocks.
#include "lib/chat/lexer.h"

#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

using Kind = Token::Kind;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(std::string_view text) {
  const uint32_t c = char_at(text);
  return c == '_' || (c != 0xFFFD && is_letter(c));
}
bool is_name_char(std::string_view text) { return is_digit(text[0]) || is_name_start(text); }

class Lexer {
 public:
  Lexer(std::string_view source, const WhitespaceOptions& whitespace) : source_(source), whitespace_(whitespace) {}

  Status run() {
    while (at_ < source_.size()) {
      const size_t open = next_opening(at_);
      if (open == source_.npos) {
        push_text(source_.substr(at_));
        at_ = source_.size();
        break;
      }
      const char kind = source_[open + 1];
      const char sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
      push_text(before_tag(source_.substr(at_, open - at_), kind, sign));
      at_ = open + 2 + (sign == '-' || sign == '+');
      if (kind == '#') {
        QUERN_CHECK(comment(open));
      } else if (kind == '%' && at_raw()) {
        QUERN_CHECK(raw(open));
      } else {
        push(kind == '{' ? Kind::open_output : Kind::open_tag, open);
        QUERN_CHECK(inside(kind == '{', open));
      }
      line_start_ = source_[at_ - 1] == '\n';
    }
    push(Kind::end, source_.size());
    return {};
  }

  std::vector<Token> take() { return std::move(tokens_); }
  size_t position() const { return at_; }

 private:
  size_t next_opening(size_t from) const {
    for (size_t at = from; (at = source_.find('{', at)) != source_.npos; ++at) {
      const char next = at + 1 < source_.size() ? source_[at + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return at;
    }
    return source_.npos;
  }

  // Text in front of a tag, without what '-' or lstrip_blocks takes away.
  std::string_view before_tag(std::string_view text, char kind, char sign) const {
    if (sign == '-') return strip(text, Strip::right);
    if (sign == '+' || kind == '{' || !whitespace_.lstrip_blocks) return text;
    const size_t line = text.rfind('\n') + 1;  // 0 where there is none
    if (line == 0 && !line_start_) return text;
    return strip(text.substr(line), Strip::left).empty() ? text.substr(0, line) : text;
  }

  // Moves past a closing delimiter of `size` bytes that starts at at_, and the white space it takes.
  void close(size_t size, char sign, bool is_output) {
    at_ += size;
    if (sign == '-') {
      at_ = source_.size() - strip(source_.substr(at_), Strip::left).size();
    } else if (sign != '+' && !is_output && whitespace_.trim_blocks && at_ < source_.size() && source_[at_] == '\n') {
      ++at_;
    }
  }

  Status comment(size_t open) {
    const size_t end = source_.find("#}", at_);
    if (end == source_.npos) at_ = open;
    QUERN_ENSURE(end != source_.npos, Errc::format, "the comment is not closed");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    at_ = end;
    close(2, sign, false);
    return {};
  }

  // Whether "raw %}" follows.
  bool at_raw() const {
    size_t at = 0;
    return match_raw(at_, "raw", at);
  }

  bool match_raw(size_t from, std::string_view word, size_t& after) const {
    std::string_view rest = strip(source_.substr(from), Strip::left);
    if (!rest.starts_with(word)) return false;
    rest = strip(rest.substr(word.size()), Strip::left);
    after = source_.size() - rest.size();
    return rest.starts_with("%}") || rest.starts_with("-%}") || (word == "endraw" && rest.starts_with("+%}"));
  }

  Status raw(size_t open) {
    size_t after = 0;
    match_raw(at_, "raw", after);
    const bool dash = source_[after] == '-';
    at_ = after;
    // The newline after {% raw %} stays.
    at_ += dash ? 3 : 2;
    if (dash) at_ = source_.size() - strip(source_.substr(at_), Strip::left).size();
    line_start_ = source_[at_ - 1] == '\n';
    for (size_t tag = at_; (tag = source_.find("{%", tag)) != source_.npos; ++tag) {
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
      const bool signed_tag = sign == '-' || sign == '+';
      if (!match_raw(tag + 2 + signed_tag, "endraw", after)) continue;
      push_text(before_tag(source_.substr(at_, tag - at_), '%', sign));
      at_ = after;
      const char end_sign = source_[after];
      close(end_sign == '%' ? 2 : 3, end_sign, false);
      return {};
    }
    at_ = open;
    return fail(Errc::format, "{% raw %} is not closed");
  }

  // The tokens of one {{ }} or {% %}.
  Status inside(bool is_output, size_t open) {
    const std::string_view closing = is_output ? "}}" : "%}";
    std::string brackets;
    while (true) {
      at_ = source_.size() - strip(source_.substr(at_), Strip::left).size();
      const std::string_view rest = source_.substr(at_);
      if (rest.empty()) {
        at_ = open;
        return fail(Errc::format, "'", is_output ? "{{" : "{%", "' is not closed");
      }
      const bool sign = rest[0] == '-' || (rest[0] == '+' && !is_output);
      if (brackets.empty() && rest.substr(sign).starts_with(closing)) {
        push(is_output ? Kind::close_output : Kind::close_tag, at_);
        close(sign ? 3 : 2, sign ? rest[0] : '\0', is_output);
        return {};
      }
      if (is_digit(rest[0])) {
        QUERN_CHECK(number());
      } else if (is_name_start(rest)) {
        size_t size = 0;
        while (size < rest.size() && is_name_char(rest.substr(size))) size += char_size(rest.substr(size));
        push(Kind::name, at_, std::string(rest.substr(0, size)));
        at_ += size;
      } else if (rest[0] == '"' || rest[0] == '\'') {
        QUERN_CHECK(string());
      } else {
        QUERN_CHECK(symbol(brackets));
      }
    }
  }

  Status symbol(std::string& brackets) {
    static constexpr std::string_view kDouble[] = {"==", "!=", "<=", ">=", "//", "**"};
    static constexpr std::string_view kSingle = "+-*/%~<>=()[]{}.,:|;";
    const std::string_view rest = source_.substr(at_);
    for (const std::string_view two : kDouble) {
      if (!rest.starts_with(two)) continue;
      push(Kind::symbol, at_, std::string(two));
      at_ += 2;
      return {};
    }
    const char c = rest[0];
    QUERN_ENSURE(kSingle.find(c) != kSingle.npos, Errc::format, "unexpected character '",
                 rest.substr(0, char_size(rest)), "'");
    if (c == '(' || c == '[' || c == '{') brackets.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    if (c == ')' || c == ']' || c == '}') {
      QUERN_ENSURE(!brackets.empty() && brackets.back() == c, Errc::format, "unexpected '", c, "'");
      brackets.pop_back();
    }
    push(Kind::symbol, at_, std::string(1, c));
    ++at_;
    return {};
  }

  Status number() {
    const std::string_view rest = source_.substr(at_);
    size_t size = 0;
    const auto digits = [&] {
      while (size < rest.size() &&
             (is_digit(rest[size]) || (rest[size] == '_' && size + 1 < rest.size() && is_digit(rest[size + 1])))) {
        ++size;
      }
    };
    const auto digit_at = [&](size_t i) { return i < rest.size() && is_digit(rest[i]); };
    digits();
    bool real = false;
    if (size < rest.size() && rest[size] == '.' && digit_at(size + 1)) {
      real = true;
      ++size;
      digits();
    }
    if (size < rest.size() && (rest[size] | 32) == 'e') {
      const size_t sign = size + 1 < rest.size() && (rest[size + 1] == '+' || rest[size + 1] == '-');
      if (digit_at(size + 1 + sign)) {
        real = true;
        size += 1 + sign;
        digits();
      }
    }
    const bool prefix =
        size == 1 && rest[0] == '0' && rest.size() > 1 && std::string_view("xXoObB").find(rest[1]) != rest.npos;
    if (prefix) {
      for (size = 2; size < rest.size() && (is_digit(rest[size]) || rest[size] == '_' ||
                                            ((rest[size] | 32) >= 'a' && (rest[size] | 32) <= 'f'));)
        ++size;
    }
    std::string text;
    for (const char c : rest.substr(0, size)) {
      if (c != '_') text.push_back(c);
    }
    push(real ? Kind::real : Kind::integer, at_, std::move(text));
    at_ += size;
    return {};
  }

  Status string() {
    const char quote = source_[at_];
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    QUERN_ENSURE(end < source_.size(), Errc::format, "the string is not closed");
    QUERN_TRY(std::string text, unescape(source_.substr(at_ + 1, end - at_ - 1)));
    push(Kind::string, at_, std::move(text));
    at_ = end + 1;
    return {};
  }

  // Python's escapes; an unknown one stays as it is.
  static Result<std::string> unescape(std::string_view text) {
    static constexpr std::string_view kLetters = "\\'\"abfnrtv", kMeant = "\\'\"\a\b\f\n\r\t\v";
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out.push_back(text[i]);
        continue;
      }
      const char c = text[++i];
      if (const size_t known = kLetters.find(c); known != kLetters.npos) {
        out.push_back(kMeant[known]);
      } else if (c == '\n') {
        continue;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        QUERN_TRY(const uint32_t code, hex(text.substr(i + 1, n), n));
        append_char(out, code);
        i += n;
      } else if (c >= '0' && c <= '7') {
        uint32_t code = 0;
        size_t n = 0;
        for (; n < 3 && i + n < text.size() && text[i + n] >= '0' && text[i + n] <= '7'; ++n) {
          code = code * 8 + static_cast<uint32_t>(text[i + n] - '0');
        }
        append_char(out, code);
        i += n - 1;
      } else {
        out.push_back('\\');
        out.push_back(c);
      }
    }
    return out;
  }

  static Result<uint32_t> hex(std::string_view digits, size_t n) {
    uint32_t code = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    QUERN_ENSURE(digits.size() == n && parsed.ptr == digits.data() + n, Errc::format, "a character escape needs ", n,
                 " hexadecimal digits");
    QUERN_ENSURE(code < 0x110000, Errc::format, "a character escape names no character");
    return code >= 0xD800 && code < 0xE000 ? 0xFFFD : code;  // a lone surrogate is not a character
  }

  void push(Kind kind, size_t position, std::string text = {}) {
    tokens_.push_back(Token{kind, static_cast<uint32_t>(position), std::move(text)});
  }
  void push_text(std::string_view text) {
    if (!text.empty()) push(Kind::text, static_cast<size_t>(text.data() - source_.data()), std::string(text));
  }

  std::string_view source_;
  const WhitespaceOptions& whitespace_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  bool line_start_ = true;  ///< whether at_ is at the start of a line, as far as lstrip_blocks goes
};

}  // namespace

std::string normalize_source(std::string_view source, const WhitespaceOptions& whitespace) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out.push_back(source[i]);
    }
  }
  if (!whitespace.keep_trailing_newline && !out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

Result<std::vector<Token>> lex(std::string_view source, const WhitespaceOptions& whitespace, uint32_t& position) {
  Lexer lexer(source, whitespace);
  const Status status = lexer.run();
  position = static_cast<uint32_t>(lexer.position());
  if (!status) return status.error();
  return lexer.take();
}

}  // namespace quern::chat
