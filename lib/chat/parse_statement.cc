#include "lib/chat/parser.h"

namespace quern::chat {

Parser::Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

// ---- tokens ----

bool Parser::is_symbol(std::string_view text, size_t ahead) const {
  return peek(ahead).kind == Token::Kind::symbol && peek(ahead).text == text;
}

bool Parser::is_name(std::string_view text, size_t ahead) const {
  return peek(ahead).kind == Token::Kind::name && peek(ahead).text == text;
}

bool Parser::take_symbol(std::string_view text) {
  const bool yes = is_symbol(text);
  at_ += yes;
  return yes;
}

bool Parser::take_name(std::string_view text) {
  const bool yes = is_name(text);
  at_ += yes;
  return yes;
}

Error Parser::unexpected(std::string_view wanted) const {
  const Token& token = peek();
  switch (token.kind) {
    case Token::Kind::end:
      return fail(Errc::format, "expected ", wanted, ", found the end of the template");
    case Token::Kind::close_output:
      return fail(Errc::format, "expected ", wanted, ", found '}}'");
    case Token::Kind::close_tag:
      return fail(Errc::format, "expected ", wanted, ", found '%}'");
    default:
      return fail(Errc::format, "expected ", wanted, ", found '", token.text.substr(0, 40), "'");
  }
}

Status Parser::expect_symbol(std::string_view text) {
  if (!take_symbol(text)) return unexpected(cat("'", text, "'"));
  return {};
}

Status Parser::expect_name(std::string_view text) {
  if (!take_name(text)) return unexpected(cat("'", text, "'"));
  return {};
}

Result<std::string> Parser::expect_any_name(std::string_view what) {
  if (peek().kind != Token::Kind::name) return unexpected(cat("the name of ", what));
  return tokens_[at_++].text;
}

Status Parser::expect_kind(Token::Kind kind, std::string_view what) {
  if (peek().kind != kind) return unexpected(what);
  ++at_;
  return {};
}

// ---- statements ----

Result<std::shared_ptr<const Template::Program>> Parser::run(std::string source) {
  Template::Program& program = emit_.program();
  program.source = std::move(source);
  program.name_loop = emit_.name("loop");
  program.name_caller = emit_.name("caller");
  program.name_varargs = emit_.name("varargs");
  program.name_kwargs = emit_.name("kwargs");
  const Status status = body({});
  if (!status) {
    return fail(status.error().code, describe_position(program.source, peek().position), ": ", status.error().message);
  }
  emit_.emit(Op::stop);
  return emit_.finish();
}

// Text, outputs and statements up to a tag that begins with one of `ends`, or to the end where there are none. The tag
// is opened, its name not yet taken.
Status Parser::body(std::initializer_list<std::string_view> ends) {
  const Level level(*this);
  QUERN_CHECK(level.check());
  while (true) {
    const Token& token = peek();
    emit_.at(token.position);
    switch (token.kind) {
      case Token::Kind::text:
        emit_.emit(Op::text, static_cast<int32_t>(emit_.constant(Value::string(token.text))));
        ++at_;
        break;
      case Token::Kind::open_output:
        ++at_;
        QUERN_CHECK(tuple(true, false));
        QUERN_CHECK(expect_kind(Token::Kind::close_output, "'}}'"));
        emit_.at(token.position);
        emit_.emit(Op::output);
        break;
      case Token::Kind::open_tag:
        ++at_;
        for (const std::string_view end : ends) {
          if (is_name(end)) return {};
        }
        QUERN_CHECK(statement());
        QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
        break;
      default:
        if (ends.size() == 0 && token.kind == Token::Kind::end) return {};
        return unexpected(ends.size() ? cat("'", *(ends.end() - 1), "'") : std::string("a statement"));
    }
  }
}

// One statement, from its name up to the end of its last tag, which is not yet closed.
Status Parser::statement() {
  const uint32_t position = peek().position;
  emit_.at(position);
  if (take_name("if")) return if_statement();
  if (take_name("for")) return for_statement();
  if (take_name("set")) return set_statement();
  if (take_name("macro")) return macro_statement();
  if (take_name("call")) return call_statement();
  if (take_name("filter")) return filter_statement();
  if (take_name("with")) return with_statement();
  if (take_name("break")) return loop_control(true);
  if (take_name("continue")) return loop_control(false);
  if (take_name("generation")) {
    QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
    return scoped_body("endgeneration");
  }
  if (peek().kind != Token::Kind::name) return unexpected("a statement");
  return fail(Errc::format, "unknown statement '", peek().text.substr(0, 40), "'");
}

Status Parser::if_statement() {
  std::vector<size_t> to_end;
  while (true) {
    QUERN_CHECK(tuple(false, false));
    const size_t otherwise = emit_.emit(Op::jump_if_false);
    QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
    QUERN_CHECK(body({"elif", "else", "endif"}));
    if (!is_name("endif")) to_end.push_back(emit_.emit(Op::jump));
    emit_.land(otherwise);
    if (take_name("elif")) continue;
    if (take_name("else")) {
      QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
      QUERN_CHECK(body({"endif"}));
    }
    break;
  }
  for (const size_t jump : to_end) emit_.land(jump);
  return expect_name("endif");
}

// for targets in iterable [if condition] [recursive]
Status Parser::for_statement() {
  Targets targets;
  QUERN_CHECK(target(targets, false, "in"));
  QUERN_CHECK(expect_name("in"));
  QUERN_CHECK(tuple(false, false, "recursive"));
  // What a call loop(...) goes through is, too, what the condition lets pass.
  const size_t entry = emit_.here();
  if (take_name("if")) {
    emit_.emit(Op::loop_begin, 0, 0, 1);
    const size_t next = emit_.emit(Op::loop_next);
    store(targets);
    QUERN_CHECK(expression());
    emit_.emit(Op::loop_keep);
    emit_.emit_back(Op::jump, next);
    emit_.land(next);
    emit_.emit(Op::loop_kept);
  }
  const bool recursive = take_name("recursive");
  QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
  const size_t begin = emit_.emit(Op::loop_begin, 0, 0, recursive ? 2 : 0);
  emit_[begin].a = static_cast<int32_t>(static_cast<int64_t>(entry) - static_cast<int64_t>(begin));
  open_loops_.push_back({emit_.emit(Op::loop_next), {}});
  store(targets);
  QUERN_CHECK(body({"else", "endfor"}));
  const OpenLoop loop = std::move(open_loops_.back());
  open_loops_.pop_back();
  emit_.emit_back(Op::jump, loop.next);
  emit_.land(loop.next);
  const bool has_else = take_name("else");
  // A break leaves the loop without its else.
  const size_t end = emit_.emit(Op::loop_end, 0, 0, has_else);
  if (has_else) {
    QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
    const size_t skip = emit_.emit(Op::jump_if_false);
    QUERN_CHECK(body({"endfor"}));
    emit_.land(skip);
  }
  for (const size_t place : loop.breaks) {
    emit_[place].a = static_cast<int32_t>(static_cast<int64_t>(end) - static_cast<int64_t>(place));
  }
  if (recursive) {
    const size_t place = emit_.emit(Op::loop_return);
    emit_[place].a = static_cast<int32_t>(static_cast<int64_t>(entry) - static_cast<int64_t>(place));
  }
  return expect_name("endfor");
}

Status Parser::loop_control(bool is_break) {
  QUERN_ENSURE(!open_loops_.empty(), Errc::format, "'", is_break ? "break" : "continue", "' outside of a loop");
  OpenLoop& loop = open_loops_.back();
  if (is_break) {
    loop.breaks.push_back(emit_.emit(Op::jump));
  } else {
    emit_.emit_back(Op::jump, loop.next);
  }
  return {};
}

Status Parser::set_statement() {
  Targets targets;
  QUERN_CHECK(target(targets, true, {}));
  if (take_symbol("=")) {
    QUERN_CHECK(tuple(true, false));
    store(targets);
    return {};
  }
  // {% set x | filter %} ... {% endset %}
  const size_t start = emit_.here();
  while (take_symbol("|")) QUERN_CHECK(filter_tail());
  const Emitter::Code filters = emit_.cut(start);
  QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'=', '|' or '%}'"));
  emit_.emit(Op::begin_capture);
  QUERN_CHECK(scoped_body("endset"));
  emit_.emit(Op::end_capture);
  emit_.paste(filters);
  store(targets);
  return {};
}

Status Parser::filter_statement() {
  const size_t start = emit_.here();
  do QUERN_CHECK(filter_tail());
  while (take_symbol("|"));
  const Emitter::Code filters = emit_.cut(start);
  QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
  emit_.emit(Op::begin_capture);
  QUERN_CHECK(scoped_body("endfilter"));
  emit_.emit(Op::end_capture);
  emit_.paste(filters);
  emit_.emit(Op::output);
  return {};
}

// with a = 1, b = 2
Status Parser::with_statement() {
  std::vector<Targets> all;
  while (peek().kind != Token::Kind::close_tag) {
    if (!all.empty()) QUERN_CHECK(expect_symbol(","));
    Targets targets;
    QUERN_CHECK(target_item(targets, false));
    QUERN_CHECK(expect_symbol("="));
    QUERN_CHECK(expression());
    all.push_back(std::move(targets));
  }
  ++at_;
  emit_.emit(Op::push_scope);
  for (auto targets = all.rbegin(); targets != all.rend(); ++targets) store(*targets);
  QUERN_CHECK(body({"endwith"}));
  emit_.emit(Op::pop_scope);
  return expect_name("endwith");
}

Status Parser::scoped_body(std::string_view end) {
  emit_.emit(Op::push_scope);
  QUERN_CHECK(body({end}));
  emit_.emit(Op::pop_scope);
  return expect_name(end);
}

Status Parser::macro_statement() {
  MacroCode macro;
  QUERN_TRY(macro.name, expect_any_name("a macro"));
  const auto name = static_cast<int32_t>(emit_.name(macro.name));
  Emitter::Code defaults;
  QUERN_CHECK(parameters(macro, defaults));
  QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
  QUERN_CHECK(macro_body(std::move(macro), defaults, "endmacro"));
  emit_.emit(Op::store, name);
  return {};
}

// call(parameters) macro(arguments): the body goes to the macro as `caller`.
Status Parser::call_statement() {
  MacroCode macro;
  macro.name = "caller";
  Emitter::Code defaults;
  if (is_symbol("(")) QUERN_CHECK(parameters(macro, defaults));
  const size_t start = emit_.here();
  QUERN_CHECK(primary());
  QUERN_CHECK(postfix());
  QUERN_ENSURE(emit_.here() > start && emit_[emit_.here() - 1].op == Op::call, Errc::format, "expected a call");
  Instruction call = emit_[emit_.here() - 1];
  Emitter::Code callee = emit_.cut(start);
  callee.pop_back();
  QUERN_CHECK(expect_kind(Token::Kind::close_tag, "'%}'"));
  emit_.paste(callee);
  QUERN_CHECK(macro_body(std::move(macro), defaults, "endcall"));
  CallShape shape = emit_.program().calls[call.b];
  shape.arguments.push_back({CallShape::Kind::named, emit_.text("caller")});
  emit_.at(call.position);
  emit_.emit(Op::call, 0, emit_.call(std::move(shape)));
  emit_.emit(Op::output);
  return {};
}

// (a, b = 1): the code that gives parameters their defaults goes to `defaults`.
Status Parser::parameters(MacroCode& macro, Emitter::Code& defaults) {
  const size_t start = emit_.here();
  bool has_default = false;
  QUERN_CHECK(expect_symbol("("));
  while (!take_symbol(")")) {
    if (!macro.parameters.empty()) QUERN_CHECK(expect_symbol(","));
    if (take_symbol(")")) break;
    QUERN_TRY(const std::string name, expect_any_name("a parameter"));
    macro.parameters.push_back(emit_.name(name));
    if (take_symbol("=")) {
      has_default = true;
      const size_t skip = emit_.emit(Op::default_value, 0, macro.parameters.back());
      QUERN_CHECK(expression());
      emit_.emit(Op::store, static_cast<int32_t>(macro.parameters.back()));
      emit_.land(skip);
    } else {
      QUERN_ENSURE(!has_default, Errc::format, "the parameter '", name, "' needs a default, as the one before has one");
    }
  }
  defaults = emit_.cut(start);
  return {};
}

// Leaves the macro on the stack.
Status Parser::macro_body(MacroCode macro, const Emitter::Code& defaults, std::string_view end) {
  const size_t skip = emit_.emit(Op::jump);
  const size_t entry = emit_.here();
  emit_.paste(defaults);
  open_macros_.push_back({});
  std::vector<OpenLoop> outer_loops;
  std::swap(outer_loops, open_loops_);
  QUERN_CHECK(body({end}));
  std::swap(outer_loops, open_loops_);
  QUERN_CHECK(expect_name(end));
  emit_.emit(Op::macro_return);
  emit_.land(skip);
  macro.takes_caller = open_macros_.back().caller;
  macro.takes_varargs = open_macros_.back().varargs;
  macro.takes_kwargs = open_macros_.back().kwargs;
  open_macros_.pop_back();
  macro.entry = static_cast<uint32_t>(emit_.here() - entry);  // back from the instruction that makes the macro
  emit_.program().macros.push_back(std::move(macro));
  emit_.emit(Op::macro, static_cast<int32_t>(emit_.program().macros.size() - 1));
  return {};
}

// ---- targets of assignments ----

Status Parser::target(Targets& out, bool with_attributes, std::string_view stop_name) {
  const size_t start = out.size();
  int32_t n = 0;
  bool comma = false;
  do {
    if (n > 0 && (is_symbol("=") || is_symbol(")") || (!stop_name.empty() && is_name(stop_name)))) break;
    QUERN_CHECK(target_item(out, with_attributes));
    ++n;
    comma = take_symbol(",");
  } while (comma);
  if (n > 1 || comma) out.insert(out.begin() + static_cast<std::ptrdiff_t>(start), Target{Op::unpack, n});
  return {};
}

Status Parser::target_item(Targets& out, bool with_attributes) {
  const Level level(*this);
  QUERN_CHECK(level.check());
  if (take_symbol("(")) {
    QUERN_CHECK(target(out, with_attributes, {}));
    return expect_symbol(")");
  }
  QUERN_TRY(const std::string name, expect_any_name("a variable"));
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    QUERN_ENSURE(name != constant, Errc::format, "cannot assign to '", name, "'");
  }
  const auto variable = static_cast<int32_t>(emit_.name(name));
  if (with_attributes && take_symbol(".")) {
    QUERN_TRY(const std::string attribute, expect_any_name("an attribute"));
    out.push_back({Op::store_attribute, variable, emit_.text(attribute)});
  } else {
    out.push_back({Op::store, variable});
  }
  return {};
}

void Parser::store(const Targets& targets) {
  for (const Target& target : targets) emit_.emit(target.op, target.a, target.b);
}

}  // namespace quern::chat
