#include <algorithm>
#include <cmath>

#include "lib/chat/filters.h"
#include "lib/chat/operators.h"
#include "lib/chat/parser.h"
#include "lib/chat/tests.h"

namespace quern::chat {

namespace {

// Operators from the loosest to the tightest.
enum Precedence { kOr, kAnd, kNot, kCompare, kSum, kConcatenate, kProduct, kPower };

struct OperatorInfo {
  std::string_view symbol;
  int level;
  uint8_t op = 0;
};

template <class Op>
constexpr uint8_t code(Op op) {
  return static_cast<uint8_t>(op);
}

constexpr OperatorInfo kOperators[] = {
    {"+", kSum, code(Binary::add)},
    {"-", kSum, code(Binary::subtract)},
    {"*", kProduct, code(Binary::multiply)},
    {"/", kProduct, code(Binary::divide)},
    {"//", kProduct, code(Binary::floor_divide)},
    {"%", kProduct, code(Binary::modulo)},
    {"**", kPower, code(Binary::power)},
    {"~", kConcatenate},
    {"==", kCompare, code(Compare::equal)},
    {"!=", kCompare, code(Compare::not_equal)},
    {"<", kCompare, code(Compare::less)},
    {"<=", kCompare, code(Compare::less_equal)},
    {">", kCompare, code(Compare::greater)},
    {">=", kCompare, code(Compare::greater_equal)},
};
constexpr OperatorInfo kWords[] = {
    {"or", kOr}, {"and", kAnd}, {"in", kCompare, code(Compare::in)}, {"not", kCompare, code(Compare::not_in)}};

const OperatorInfo* find_operator(const Token& token, const Token& next) {
  if (token.kind == Token::Kind::symbol) {
    for (const OperatorInfo& info : kOperators) {
      if (info.symbol == token.text) return &info;
    }
  } else if (token.kind == Token::Kind::name) {
    if (token.text == "not" && (next.kind != Token::Kind::name || next.text != "in")) return nullptr;
    for (const OperatorInfo& info : kWords) {
      if (info.symbol == token.text) return &info;
    }
  }
  return nullptr;
}

}  // namespace

// expression: or-expression [if or-expression [else expression]]
Status Parser::expression(bool with_condition) {
  const size_t start = emit_.here();
  QUERN_CHECK(binary(kOr));
  uint32_t conditions = 0;
  while (with_condition && is_name("if")) {
    QUERN_ENSURE(++conditions < kMaxParseDepth, Errc::format, "nested deeper than ", kMaxParseDepth);
    ++at_;
    const Emitter::Code chosen = emit_.cut(start);
    QUERN_CHECK(binary(kOr));
    const size_t to_else = emit_.emit(Op::jump_if_false);
    emit_.paste(chosen);
    const size_t to_end = emit_.emit(Op::jump);
    emit_.land(to_else);
    if (take_name("else")) {
      const Level level(*this);
      QUERN_CHECK(level.check());
      QUERN_CHECK(expression());
    } else {
      emit_.emit(Op::constant, static_cast<int32_t>(emit_.constant(Value())));
    }
    emit_.land(to_end);
  }
  return {};
}

// Precedence climbing: operators of at least this level, with what they bind.
Status Parser::binary(int level) {
  const Level deeper(*this);
  QUERN_CHECK(deeper.check());
  if (level <= kNot && take_name("not")) {
    QUERN_CHECK(binary(kNot));
    emit_.emit(Op::logical_not);
  } else {
    QUERN_CHECK(unary(true));
  }
  while (true) {
    const OperatorInfo* const found = find_operator(peek(), peek(1));
    if (!found || found->level < level) return {};
    const uint32_t position = peek().position;
    if (found->level == kCompare) {
      QUERN_CHECK(comparisons());
      continue;
    }
    ++at_;
    if (found->level == kOr || found->level == kAnd) {
      const size_t jump = emit_.emit(found->level == kOr ? Op::jump_or : Op::jump_and);
      QUERN_CHECK(binary(found->level + 1));
      emit_.land(jump);
      continue;
    }
    QUERN_CHECK(binary(found->level + 1));
    if (found->level == kConcatenate) {
      int32_t parts = 2;
      for (; take_symbol("~"); ++parts) QUERN_CHECK(binary(kConcatenate + 1));
      emit_.at(position);
      emit_.emit(Op::concatenate, parts);
    } else {
      emit_.at(position);
      emit_.emit(Op::binary, 0, 0, found->op);
    }
  }
}

// From a comparison operator on. In a < b < c the second comparison is made only if the first one holds.
Status Parser::comparisons() {
  std::vector<size_t> chain;
  while (const OperatorInfo* const found = find_operator(peek(), peek(1))) {
    if (found->level != kCompare) break;
    if (!chain.empty()) emit_[chain.back()].op = Op::compare_chain;
    const uint32_t position = peek().position;
    at_ += found->symbol == "not" ? 2 : 1;
    QUERN_CHECK(binary(kCompare + 1));
    emit_.at(position);
    chain.push_back(emit_.emit(Op::compare, 0, 0, found->op));
  }
  for (const size_t place : chain) emit_.land(place);
  return {};
}

Status Parser::unary(bool with_filters) {
  const bool minus = is_symbol("-");
  if (minus || is_symbol("+")) {
    const Level level(*this);
    QUERN_CHECK(level.check());
    ++at_;
    QUERN_CHECK(unary(false));
    emit_.emit(minus ? Op::negate : Op::plus);
  } else {
    QUERN_CHECK(primary());
  }
  QUERN_CHECK(postfix());
  return with_filters ? filters_and_tests() : Status();
}

Status Parser::primary() {
  const Token& token = peek();
  emit_.at(token.position);
  switch (token.kind) {
    case Token::Kind::name: {
      ++at_;
      const std::string& name = token.text;
      const auto constant = [&](const Value& value) {
        emit_.emit(Op::constant, static_cast<int32_t>(emit_.constant(value)));
      };
      if (name == "true" || name == "True") {
        constant(Value::boolean(true));
      } else if (name == "false" || name == "False") {
        constant(Value::boolean(false));
      } else if (name == "none" || name == "None") {
        constant(Value::none());
      } else {
        note_special_name(name);
        const bool looked_into = is_symbol(".") || is_symbol("(");
        emit_.emit(Op::name, static_cast<int32_t>(emit_.name(name)), 0, looked_into);
      }
      return {};
    }
    case Token::Kind::string:
      return string_literal();
    case Token::Kind::integer:
    case Token::Kind::real:
      ++at_;
      return literal_number(token);
    default:
      break;
  }
  if (take_symbol("(")) {
    QUERN_CHECK(tuple(true, true));
    return expect_symbol(")");
  }
  if (take_symbol("[")) return list_display();
  if (take_symbol("{")) return dict_display();
  return unexpected("an expression");
}

Status Parser::literal_number(const Token& token) {
  const std::string& text = token.text;
  const char* const end = text.data() + text.size();
  Value value;
  if (token.kind == Token::Kind::real) {
    double d = 0;
    const auto parsed = std::from_chars(text.data(), end, d);
    QUERN_ENSURE(parsed.ptr == end && parsed.ec != std::errc::invalid_argument, Errc::format, "bad number ", text);
    if (parsed.ec == std::errc::result_out_of_range) d = text.find("e-") != text.npos ? 0.0 : HUGE_VAL;
    value = Value::real(d);
  } else {
    const bool prefixed = text.size() > 1 && text[1] > '9';
    const char letter = prefixed ? static_cast<char>(text[1] | 32) : '\0';
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    int64_t i = 0;
    const auto parsed = std::from_chars(text.data() + (prefixed ? 2 : 0), end, i, base);
    QUERN_ENSURE(parsed.ec == std::errc() && parsed.ptr == end, Errc::format, "the integer ", text,
                 " is malformed or does not fit in 64 bits");
    value = Value::integer(i);
  }
  emit_.emit(Op::constant, static_cast<int32_t>(emit_.constant(value)));
  return {};
}

// Strings side by side are one.
Status Parser::string_literal() {
  std::string text;
  for (; peek().kind == Token::Kind::string; ++at_) text.append(peek().text);
  emit_.emit(Op::constant, static_cast<int32_t>(emit_.text(text)));
  return {};
}

Status Parser::postfix() {
  while (true) {
    emit_.at(peek().position);
    if (take_symbol(".")) {
      const Token& token = peek();
      if (token.kind == Token::Kind::integer) {
        ++at_;
        QUERN_CHECK(literal_number(token));
        emit_.emit(Op::item);
        continue;
      }
      QUERN_TRY(const std::string name, expect_any_name("an attribute"));
      emit_.emit(Op::attribute, static_cast<int32_t>(emit_.text(name)));
    } else if (take_symbol("[")) {
      QUERN_CHECK(subscript());
    } else if (is_symbol("(")) {
      const uint32_t position = peek().position;
      QUERN_TRY(const uint32_t call, arguments());
      emit_.at(position);
      emit_.emit(Op::call, 0, call);
    } else {
      return {};
    }
  }
}

// After '[': indices between commas, which make a tuple if not just one, or a slice start:stop:step.
Status Parser::subscript() {
  const uint32_t position = peek().position;
  const auto absent = [&] { emit_.emit(Op::constant, static_cast<int32_t>(emit_.constant(Value::none()))); };
  int32_t n = 0;
  int parts = 0;
  while (!is_symbol("]")) {
    if (is_symbol(":") || is_symbol("]")) {
      absent();
    } else {
      QUERN_CHECK(expression());
    }
    for (parts = 1; parts < 3 && take_symbol(":"); ++parts) {
      if (is_symbol(":") || is_symbol("]")) {
        absent();
      } else {
        QUERN_CHECK(expression());
      }
    }
    ++n;
    if (parts > 1 || !take_symbol(",")) break;
  }
  const bool sliced = parts > 1;
  QUERN_ENSURE(!sliced || n == 1, Errc::format, "a slice among several indices");
  for (; sliced && parts < 3; ++parts) absent();
  if (n != 1) emit_.emit(Op::make_tuple, n);
  emit_.at(position);
  emit_.emit(sliced ? Op::slice : Op::item);
  return expect_symbol("]");
}

Status Parser::list_display() {
  const uint32_t position = peek().position;
  int32_t n = 0;
  while (!take_symbol("]")) {
    if (n > 0) QUERN_CHECK(expect_symbol(","));
    if (take_symbol("]")) break;
    QUERN_CHECK(expression());
    ++n;
  }
  emit_.at(position);
  emit_.emit(Op::make_list, n);
  return {};
}

Status Parser::dict_display() {
  const uint32_t position = peek().position;
  int32_t n = 0;
  while (!take_symbol("}")) {
    if (n > 0) QUERN_CHECK(expect_symbol(","));
    if (take_symbol("}")) break;
    QUERN_CHECK(expression());
    QUERN_CHECK(expect_symbol(":"));
    QUERN_CHECK(expression());
    ++n;
  }
  emit_.at(position);
  emit_.emit(Op::make_dict, n);
  return {};
}

// One expression, or several between commas, which make a tuple. `()` is the empty tuple.
Status Parser::tuple(bool with_condition, bool explicit_parentheses, std::string_view stop_name) {
  const auto ends = [&] {
    return is_symbol(")") || peek().kind == Token::Kind::close_output || peek().kind == Token::Kind::close_tag ||
           (!stop_name.empty() && is_name(stop_name));
  };
  int32_t n = 0;
  bool comma = false;
  while (!ends()) {
    QUERN_CHECK(expression(with_condition));
    ++n;
    comma = take_symbol(",");
    if (!comma) break;
  }
  if (n == 0 && !explicit_parentheses) return unexpected("an expression");
  if (n != 1 || comma) emit_.emit(Op::make_tuple, n);
  return {};
}

Status Parser::filters_and_tests() {
  while (true) {
    if (take_symbol("|")) {
      QUERN_CHECK(filter_tail());
    } else if (take_name("is")) {
      QUERN_CHECK(test());
    } else if (is_symbol("(")) {
      QUERN_CHECK(postfix());
    } else {
      return {};
    }
  }
}

// One filter, after its '|'.
Status Parser::filter_tail() {
  const uint32_t position = peek().position;
  QUERN_TRY(std::string name, expect_any_name("a filter"));
  while (take_symbol(".")) {
    QUERN_TRY(const std::string part, expect_any_name("a filter"));
    name.append(".").append(part);
  }
  uint32_t call = 0;
  if (is_symbol("(")) {
    QUERN_TRY(call, arguments());
  } else {
    call = emit_.call({});
  }
  const auto number = find_filter(name);
  emit_.at(position);
  emit_.emit(Op::filter, number ? static_cast<int32_t>(*number) : -1 - static_cast<int32_t>(emit_.text(name)), call);
  return {};
}

// After 'is'.
Status Parser::test() {
  const uint32_t position = peek().position;
  const bool negated = take_name("not");
  QUERN_TRY(const std::string name, expect_any_name("a test"));
  const Token& next = peek();
  uint32_t call = 0;
  if (is_symbol("(")) {
    QUERN_TRY(call, arguments());
  } else if (next.kind == Token::Kind::string || next.kind == Token::Kind::integer || next.kind == Token::Kind::real ||
             is_symbol("[") || is_symbol("{") ||
             (next.kind == Token::Kind::name && !is_name("else") && !is_name("or") && !is_name("and") &&
              !is_name("if") && !is_name("in") && !is_name("not"))) {
    QUERN_ENSURE(!is_name("is"), Errc::format, "tests cannot follow one another: put the first in parentheses");
    QUERN_CHECK(primary());
    QUERN_CHECK(postfix());
    call = emit_.call({{{CallShape::Kind::positional}}});
  } else {
    call = emit_.call({});
  }
  const auto number = find_test(name);
  emit_.at(position);
  emit_.emit(Op::test, number ? static_cast<int32_t>(*number) : -1 - static_cast<int32_t>(emit_.text(name)), call,
             negated);
  return {};
}

// ( a, b, name=c, *d, **e )
Result<uint32_t> Parser::arguments() {
  CallShape shape;
  QUERN_CHECK(expect_symbol("("));
  while (!take_symbol(")")) {
    if (!shape.arguments.empty()) QUERN_CHECK(expect_symbol(","));
    if (take_symbol(")")) break;
    CallShape::Argument argument{CallShape::Kind::positional};
    if (take_symbol("**")) {
      argument.kind = CallShape::Kind::dict;
    } else if (take_symbol("*")) {
      argument.kind = CallShape::Kind::list;
    } else if (peek().kind == Token::Kind::name && is_symbol("=", 1)) {
      argument = {CallShape::Kind::named, emit_.text(peek().text)};
      at_ += 2;
    } else {
      QUERN_ENSURE(shape.arguments.empty() || shape.arguments.back().kind == CallShape::Kind::positional, Errc::format,
                   "a positional argument follows a named one");
    }
    QUERN_CHECK(expression());
    shape.arguments.push_back(argument);
  }
  return emit_.call(std::move(shape));
}

// A macro takes what its body mentions: caller, varargs, kwargs.
void Parser::note_special_name(const std::string& name) {
  for (OpenMacro& macro : open_macros_) {
    macro.caller |= name == "caller";
    macro.varargs |= name == "varargs";
    macro.kwargs |= name == "kwargs";
  }
}

}  // namespace quern::chat
