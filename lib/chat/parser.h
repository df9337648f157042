// Tokens to instructions: recursive descent with a counter of depth. Expressions are in parse_expression.cc, statements
// in parse_statement.cc. The grammar and its precedences are jinja2's.
#pragma once

#include "lib/chat/emitter.h"
#include "lib/chat/lexer.h"

namespace quern::chat {

/// Levels of brackets, unary operators, conditionals and statements within each other.
inline constexpr uint32_t kMaxParseDepth = 256;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens);
  /// `source` is what the tokens were read from.
  Result<std::shared_ptr<const Template::Program>> run(std::string source);

 private:
  // One level down for as long as it lives.
  class Level {
   public:
    explicit Level(Parser& parser) : parser_(parser) { ++parser_.depth_; }
    ~Level() { --parser_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    Status check() const {
      QUERN_ENSURE(parser_.depth_ <= kMaxParseDepth, Errc::format, "nested deeper than ", kMaxParseDepth);
      return {};
    }

   private:
    Parser& parser_;
  };

  // A place that is assigned to: names, attributes of namespaces, and tuples of these, in the order of storing.
  struct Target {
    Op op;  ///< store, store_attribute or unpack
    int32_t a = 0;
    uint32_t b = 0;
  };
  using Targets = std::vector<Target>;

  // tokens
  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  bool is_symbol(std::string_view text, size_t ahead = 0) const;
  bool is_name(std::string_view text, size_t ahead = 0) const;
  bool take_symbol(std::string_view text);
  bool take_name(std::string_view text);
  Status expect_symbol(std::string_view text);
  Status expect_name(std::string_view text);
  Result<std::string> expect_any_name(std::string_view what);
  Status expect_kind(Token::Kind kind, std::string_view what);
  Error unexpected(std::string_view wanted) const;

  // expressions
  Status expression(bool with_condition = true);
  Status binary(int level);
  Status comparisons();
  Status unary(bool with_filters);
  Status primary();
  Status literal_number(const Token& token);
  Status string_literal();
  Status postfix();
  Status subscript();
  Status list_display();
  Status dict_display();
  Status tuple(bool with_condition, bool explicit_parentheses, std::string_view stop_name = {});
  Status filters_and_tests();
  Status filter_tail();
  Status test();
  Result<uint32_t> arguments();
  void note_special_name(const std::string& name);

  // statements
  Status body(std::initializer_list<std::string_view> ends);
  Status statement();
  Status if_statement();
  Status for_statement();
  Status set_statement();
  Status macro_statement();
  Status call_statement();
  Status filter_statement();
  Status with_statement();
  Status loop_control(bool is_break);
  Status scoped_body(std::string_view end);
  Status parameters(MacroCode& macro, Emitter::Code& defaults);
  Status macro_body(MacroCode macro, const Emitter::Code& defaults, std::string_view end);
  Status target(Targets& out, bool with_attributes, std::string_view stop_name);
  Status target_item(Targets& out, bool with_attributes);
  void store(const Targets& targets);

  std::vector<Token> tokens_;
  size_t at_ = 0;
  uint32_t depth_ = 0;
  Emitter emit_;
  struct OpenMacro {
    bool caller = false, varargs = false, kwargs = false;
  };
  std::vector<OpenMacro> open_macros_;  ///< what their bodies mention
  // The loops that are open in this macro: the place of loop_next, and of the breaks to land at the end.
  struct OpenLoop {
    size_t next = 0;
    std::vector<size_t> breaks;
  };
  std::vector<OpenLoop> open_loops_;
};

}  // namespace quern::chat
