#include "lib/chat/tests.h"

#include "lib/chat/filters.h"
#include "lib/chat/operators.h"
#include "lib/chat/print.h"
#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

using Kind = Value::Kind;

// Tests that look at the value alone.
bool is_boolean(const Value& v) { return v.is(Kind::boolean); }
bool is_callable(const Value& v) { return v.is_callable(); }
bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_false(const Value& v) { return v.is(Kind::boolean) && !v.as_boolean(); }
bool is_true(const Value& v) { return v.is(Kind::boolean) && v.as_boolean(); }
bool is_float(const Value& v) { return v.is(Kind::real); }
bool is_integer(const Value& v) { return v.is(Kind::integer); }
bool is_mapping(const Value& v) { return v.is_object(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.is_string(); }
bool is_escaped(const Value& v) { return v.is_safe(); }
// An undefined value is an empty sequence, as in jinja2.
bool is_sequence(const Value& v) { return v.is_sequence() || v.is_string() || v.is_object() || v.is_undefined(); }

template <bool (*kTest)(const Value&)>
Result<bool> plain(Work&, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("the test", {}));
  return kTest(input);
}

template <Compare kOp>
Result<bool> compared(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("the test", {"other"}));
  return compare(work, kOp, input, a[0]);
}

template <int kDivisor, int kRemainder>
Result<bool> remainder_is(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("the test", {"num"}));
  const Value divisor = kDivisor ? Value::integer(kDivisor) : a[0];
  QUERN_TRY(const Value remainder, binary(work, Binary::modulo, input, divisor));
  return equal(work, remainder, Value::integer(kRemainder));
}

template <bool kLower>
Result<bool> in_case(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("the test", {}));
  QUERN_TRY(const std::string text, str(work, input));
  const std::string other = kLower ? upper(text) : lower(text), same = kLower ? lower(text) : upper(text);
  return text == same && text != other;
}

Result<bool> same_as(Work&, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("sameas", {"other"}));
  return input.same_as(a[0]);
}

Result<bool> is_filter(Work&, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("filter", {}));
  return input.is_string() && find_filter(input.as_string()).has_value();
}

Result<bool> is_test(Work&, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("test", {}));
  return input.is_string() && find_test(input.as_string()).has_value();
}

constexpr struct {
  std::string_view name;
  Result<bool> (*test)(Work&, const Value&, const Arguments&);
} kTests[] = {
    {"boolean", plain<is_boolean>},
    {"callable", plain<is_callable>},
    {"defined", plain<is_defined>},
    {"undefined", plain<is_undefined>},
    {"false", plain<is_false>},
    {"true", plain<is_true>},
    {"float", plain<is_float>},
    {"integer", plain<is_integer>},
    {"mapping", plain<is_mapping>},
    {"none", plain<is_none>},
    {"number", plain<is_number>},
    {"string", plain<is_string>},
    {"sequence", plain<is_sequence>},
    {"iterable", plain<is_sequence>},
    {"escaped", plain<is_escaped>},
    {"divisibleby", remainder_is<0, 0>},
    {"even", remainder_is<2, 0>},
    {"odd", remainder_is<2, 1>},
    {"eq", compared<Compare::equal>},
    {"equalto", compared<Compare::equal>},
    {"==", compared<Compare::equal>},
    {"ne", compared<Compare::not_equal>},
    {"!=", compared<Compare::not_equal>},
    {"lt", compared<Compare::less>},
    {"lessthan", compared<Compare::less>},
    {"<", compared<Compare::less>},
    {"le", compared<Compare::less_equal>},
    {"<=", compared<Compare::less_equal>},
    {"gt", compared<Compare::greater>},
    {"greaterthan", compared<Compare::greater>},
    {">", compared<Compare::greater>},
    {"ge", compared<Compare::greater_equal>},
    {">=", compared<Compare::greater_equal>},
    {"in", compared<Compare::in>},
    {"lower", in_case<true>},
    {"upper", in_case<false>},
    {"sameas", same_as},
    {"filter", is_filter},
    {"test", is_test},
};

}  // namespace

std::optional<uint32_t> find_test(std::string_view name) {
  for (uint32_t i = 0; i < std::size(kTests); ++i) {
    if (kTests[i].name == name) return i;
  }
  return std::nullopt;
}

Result<bool> call_test(Work& work, uint32_t number, const Value& input, const Arguments& arguments) {
  return kTests[number].test(work, input, arguments);
}

}  // namespace quern::chat
