#include "lib/chat/operators.h"

#include <cmath>
#include <limits>

#include "lib/chat/format.h"
#include "lib/chat/machine.h"
#include "lib/chat/methods.h"
#include "lib/chat/text_tools.h"
#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

using Kind = Value::Kind;

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};

Error bad_operands(std::string_view op, const Value& a, const Value& b) {
  return fail(Errc::format, "unsupported operands of ", op, ": ", a.type_name(), " and ", b.type_name());
}

Error overflow(std::string_view op) { return fail(Errc::format, "the result of ", op, " does not fit in 64 bits"); }

Result<Value> integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    QUERN_ENSURE(base != 0, Errc::format, "0 cannot be raised to a negative power");
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t out = 1;
  if (base == 0 || base == 1) return Value::integer(exponent == 0 ? 1 : base);
  if (base == -1) return Value::integer(exponent % 2 ? -1 : 1);
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(out, base, &out)) return overflow("**");
  }
  return Value::integer(out);
}

Result<Value> integer_division(Binary op, int64_t a, int64_t b) {
  QUERN_ENSURE(b != 0, Errc::format, "division by zero");
  if (op == Binary::divide) return Value::real(static_cast<double>(a) / static_cast<double>(b));
  if (b == -1) {
    if (op == Binary::modulo) return Value::integer(0);
    if (a == std::numeric_limits<int64_t>::min()) return overflow("//");
    return Value::integer(-a);
  }
  // Python rounds the quotient down, and the remainder has the divisor's sign.
  const int64_t quotient = a / b, remainder = a % b;
  const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
  if (op == Binary::floor_divide) return Value::integer(adjust ? quotient - 1 : quotient);
  return Value::integer(adjust ? remainder + b : remainder);
}

Result<Value> integers(Binary op, int64_t a, int64_t b) {
  int64_t out = 0;
  switch (op) {
    case Binary::add:
      if (__builtin_add_overflow(a, b, &out)) return overflow("+");
      return Value::integer(out);
    case Binary::subtract:
      if (__builtin_sub_overflow(a, b, &out)) return overflow("-");
      return Value::integer(out);
    case Binary::multiply:
      if (__builtin_mul_overflow(a, b, &out)) return overflow("*");
      return Value::integer(out);
    case Binary::power:
      return integer_power(a, b);
    default:
      return integer_division(op, a, b);
  }
}

Result<Value> reals(Binary op, double a, double b) {
  switch (op) {
    case Binary::add:
      return Value::real(a + b);
    case Binary::subtract:
      return Value::real(a - b);
    case Binary::multiply:
      return Value::real(a * b);
    case Binary::power:
      return Value::real(std::pow(a, b));
    default:
      break;
  }
  QUERN_ENSURE(b != 0, Errc::format, "division by zero");
  if (op == Binary::divide) return Value::real(a / b);
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) remainder += b;
  if (op == Binary::modulo) return Value::real(remainder);
  return Value::real(std::floor((a - remainder) / b + 0.5));
}

Result<Value> repeat(Work& work, const Value& value, int64_t times) {
  const uint64_t n = times < 0 ? 0 : static_cast<uint64_t>(times);
  const uint64_t unit = value.is_string() ? value.as_string().size() : value.items().size() * sizeof(Value);
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(n, unit, &bytes)) bytes = std::numeric_limits<uint64_t>::max();
  QUERN_CHECK(work.spend_bytes(bytes));
  if (value.is_string()) {
    std::string out;
    out.reserve(bytes);
    for (uint64_t i = 0; i < n && unit > 0; ++i) out.append(value.as_string());
    return work.string(std::move(out));
  }
  std::vector<Value> out;
  out.reserve(bytes / sizeof(Value));
  for (uint64_t i = 0; i < n && unit > 0; ++i) out.insert(out.end(), value.items().begin(), value.items().end());
  return value.is(Kind::tuple) ? work.tuple(std::move(out)) : work.list(std::move(out));
}

Result<Value> join_two(Work& work, const Value& a, const Value& b) {
  if (a.is_safe() || b.is_safe()) {
    QUERN_TRY(std::string left, escaped(work, a));
    QUERN_TRY(const std::string right, escaped(work, b));
    return work.safe_string(std::move(left.append(right)));
  }
  if (a.is_string()) {
    QUERN_CHECK(work.spend_bytes(a.as_string().size() + b.as_string().size()));
    std::string out;
    out.reserve(a.as_string().size() + b.as_string().size());
    return work.string(std::move(out.append(a.as_string()).append(b.as_string())));
  }
  QUERN_CHECK(work.spend_bytes((a.items().size() + b.items().size()) * sizeof(Value)));
  std::vector<Value> out(a.items().begin(), a.items().end());
  out.insert(out.end(), b.items().begin(), b.items().end());
  return a.is(Kind::tuple) ? work.tuple(std::move(out)) : work.list(std::move(out));
}

Result<bool> equal_objects(Work& work, const Value::Object& a, const Value::Object& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* const other = b.find(key);
    if (!other) return false;
    QUERN_TRY(const bool same, equal(work, value, *other));
    if (!same) return false;
  }
  return true;
}

Result<bool> contains(Work& work, const Value& needle, const Value& where) {
  if (where.is_string()) {
    if (needle.is_undefined()) return undefined_error(needle);
    QUERN_ENSURE(needle.is_string(), Errc::format, "'in' a string needs a string on its left, found ",
                 needle.type_name());
    QUERN_CHECK(work.spend_bytes(where.as_string().size()));
    return find_text(where.as_string(), needle.as_string()) != std::string_view::npos;
  }
  if (where.is_object()) {
    QUERN_ENSURE(needle.hashable() || needle.is_undefined(), Errc::format, "a ", needle.type_name(),
                 " cannot be the key of a dict");
    return where.as_object().find(needle) != nullptr;
  }
  if (where.is_undefined()) return false;
  QUERN_ENSURE(where.is_sequence(), Errc::format, "a ", where.type_name(), " has no members to look among");
  for (const Value& member : where.items()) {
    QUERN_TRY(const bool same, equal(work, needle, member));
    if (same) return true;
  }
  return false;
}

// The index that Python's slice bound means, within [low, high].
int64_t bound(const Value& value, int64_t fallback, int64_t size, int64_t low, int64_t high) {
  if (value.is_none() || value.is_undefined()) return fallback;
  int64_t at = value.as_integer();
  if (at < 0) at += size;
  return std::min(std::max(at, low), high);
}

Result<Value> element(Work& work, const Value& object, int64_t index) {
  if (object.is_sequence()) {
    const auto size = static_cast<int64_t>(object.items().size());
    if (index < 0) index += size;
    if (index >= 0 && index < size) return object.items()[static_cast<size_t>(index)];
    return Value();
  }
  const std::string_view text = object.as_string();
  QUERN_CHECK(work.spend_bytes(text.size()));
  const auto offsets = char_offsets(text);
  const auto size = static_cast<int64_t>(offsets.size()) - 1;
  if (index < 0) index += size;
  if (index < 0 || index >= size) return Value();
  const auto at = static_cast<size_t>(index);
  return work.string(text.substr(offsets[at], offsets[at + 1] - offsets[at]));
}

}  // namespace

Error undefined_error(const Value& value) {
  const std::string_view name = value.undefined_name();
  if (name.empty()) return fail(Errc::format, "an undefined value is used");
  return fail(Errc::format, "'", name, "' is undefined");
}

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
    case Kind::integer:
      return value.as_integer() != 0;
    case Kind::real:
      return value.as_real() != 0;
    case Kind::string:
      return !value.as_string().empty();
    case Kind::list:
    case Kind::tuple:
      return !value.items().empty();
    case Kind::object:
      return value.as_object().size() != 0;
    default:
      return true;
  }
}

Result<Value> binary(Work& work, Binary op, const Value& a, const Value& b) {
  if (a.is_undefined()) return undefined_error(a);
  if (a.is_string() && op == Binary::modulo) return percent_format(work, a.as_string(), b);
  if (b.is_undefined()) return undefined_error(b);
  if (a.is_integral() && b.is_integral()) return integers(op, a.as_integer(), b.as_integer());
  if (a.is_number() && b.is_number()) return reals(op, a.as_real(), b.as_real());
  const bool text_or_list = a.is_string() || a.is_sequence();
  if (op == Binary::add && text_or_list && a.kind() == b.kind()) return join_two(work, a, b);
  if (op == Binary::multiply && text_or_list && b.is_integral()) return repeat(work, a, b.as_integer());
  if (op == Binary::multiply && a.is_integral() && (b.is_string() || b.is_sequence())) {
    return repeat(work, b, a.as_integer());
  }
  return bad_operands(kSymbols[static_cast<size_t>(op)], a, b);
}

Result<Value> negate(const Value& value) {
  if (value.is_undefined()) return undefined_error(value);
  if (value.is(Kind::real)) return Value::real(-value.as_real());
  QUERN_ENSURE(value.is_integral(), Errc::format, "a ", value.type_name(), " has no sign to change");
  if (value.as_integer() == std::numeric_limits<int64_t>::min()) return overflow("-");
  return Value::integer(-value.as_integer());
}

Result<bool> equal(Work& work, const Value& a, const Value& b) {
  QUERN_CHECK(work.spend(1));
  if (a.is_integral() && b.is_integral()) return a.as_integer() == b.as_integer();
  if (a.is_number() && b.is_number()) return a.as_real() == b.as_real();
  if (a.kind() != b.kind()) return false;
  if (a.is_string()) {
    QUERN_CHECK(work.spend(std::min(a.as_string().size(), b.as_string().size()) / 1024));
    return a.as_string() == b.as_string();
  }
  if (a.is_object()) return equal_objects(work, a.as_object(), b.as_object());
  if (!a.is_sequence()) return a.same_as(b);
  if (a.items().size() != b.items().size()) return false;
  for (size_t i = 0; i < a.items().size(); ++i) {
    QUERN_TRY(const bool same, equal(work, a.items()[i], b.items()[i]));
    if (!same) return false;
  }
  return true;
}

Result<bool> less(Work& work, const Value& a, const Value& b) {
  QUERN_CHECK(work.spend(1));
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  if (a.is_integral() && b.is_integral()) return a.as_integer() < b.as_integer();
  if (a.is_number() && b.is_number()) return a.as_real() < b.as_real();
  if (a.is_string() && b.is_string()) {
    QUERN_CHECK(work.spend(std::min(a.as_string().size(), b.as_string().size()) / 1024));
    return a.as_string() < b.as_string();  // the order of UTF-8 bytes is that of code points
  }
  if (!a.is_sequence() || a.kind() != b.kind()) return bad_operands("<", a, b);
  for (size_t i = 0; i < std::min(a.items().size(), b.items().size()); ++i) {
    QUERN_TRY(const bool same, equal(work, a.items()[i], b.items()[i]));
    if (!same) return less(work, a.items()[i], b.items()[i]);
  }
  return a.items().size() < b.items().size();
}

Result<bool> compare(Work& work, Compare op, const Value& a, const Value& b) {
  switch (op) {
    case Compare::equal:
      return equal(work, a, b);
    case Compare::not_equal: {
      QUERN_TRY(const bool same, equal(work, a, b));
      return !same;
    }
    case Compare::less:
      return less(work, a, b);
    case Compare::greater:
      return less(work, b, a);
    case Compare::in:
      return contains(work, a, b);
    case Compare::not_in: {
      QUERN_TRY(const bool found, contains(work, a, b));
      return !found;
    }
    case Compare::less_equal:
    case Compare::greater_equal:
      break;
  }
  const bool up = op == Compare::less_equal;
  QUERN_TRY(const bool before, less(work, up ? a : b, up ? b : a));
  if (before) return true;
  return equal(work, a, b);
}

Result<Value> attribute(Work& work, const Value& object, const Value& name) {
  if (object.is_undefined()) return undefined_error(object);
  const std::string_view text = name.as_string();
  if (object.is(Kind::space)) {
    const Value* const found = object.as_space()->find(text);
    return found ? *found : Value::undefined(name);
  }
  if (object.is(Kind::loop)) return loop_attribute(work, object, name);
  if (object.is(Kind::macro) && text == "name") return work.string(object.as_macro()->code->name);
  if (const auto number = find_method(object.kind(), text)) return work.method(object, *number);
  if (object.is_object()) {
    if (const Value* const found = object.as_object().find(text)) return *found;
  }
  return Value::undefined(name);
}

Result<Value> item(Work& work, const Value& object, const Value& key) {
  if (object.is_undefined()) return undefined_error(object);
  if (object.is_object()) {
    if (const Value* const found = object.as_object().find(key)) return *found;
  }
  if ((object.is_sequence() || object.is_string()) && key.is_integral()) return element(work, object, key.as_integer());
  if (key.is_string()) return attribute(work, object, key);
  return Value();
}

Result<Value> slice(Work& work, const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.is_undefined()) return undefined_error(object);
  QUERN_ENSURE(object.is_string() || object.is_sequence(), Errc::format, "a ", object.type_name(), " cannot be sliced");
  for (const Value* part : {&start, &stop, &step}) {
    QUERN_ENSURE(part->is_integral() || part->is_none() || part->is_undefined(), Errc::format,
                 "a slice is of integers, found ", part->type_name());
  }
  const int64_t by = step.is_integral() ? step.as_integer() : 1;
  QUERN_ENSURE(by != 0, Errc::format, "the step of a slice cannot be 0");
  const bool text = object.is_string();
  if (text) QUERN_CHECK(work.spend_bytes(object.as_string().size() * 8));
  const auto offsets = text ? char_offsets(object.as_string()) : std::vector<size_t>();
  const auto size = static_cast<int64_t>(text ? offsets.size() - 1 : object.items().size());
  const int64_t first = by > 0 ? bound(start, 0, size, 0, size) : bound(start, size - 1, size, -1, size - 1);
  const int64_t last = by > 0 ? bound(stop, size, size, 0, size) : bound(stop, -1, size, -1, size - 1);
  QUERN_CHECK(work.spend_bytes(static_cast<uint64_t>(size) * (text ? 1 : sizeof(Value))));
  std::string characters;
  std::vector<Value> items;
  for (int64_t i = first; by > 0 ? i < last : i > last;) {
    const auto at = static_cast<size_t>(i);
    if (text) {
      characters.append(object.as_string().substr(offsets[at], offsets[at + 1] - offsets[at]));
    } else {
      items.push_back(object.items()[at]);
    }
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  if (text) return object.is_safe() ? work.safe_string(std::move(characters)) : work.string(std::move(characters));
  return object.is(Kind::tuple) ? work.tuple(std::move(items)) : work.list(std::move(items));
}

Result<std::vector<Value>> iterate(Work& work, const Value& value) {
  std::vector<Value> out;
  if (value.is_sequence()) {
    QUERN_CHECK(work.spend_bytes(value.items().size() * sizeof(Value)));
    out.assign(value.items().begin(), value.items().end());
  } else if (value.is_object()) {
    QUERN_CHECK(work.spend_bytes(value.as_object().size() * sizeof(Value)));
    for (const auto& [key, unused] : value.as_object().entries()) out.push_back(key);
  } else if (value.is_string()) {
    std::string_view text = value.as_string();
    QUERN_CHECK(work.spend(text.size() / 4));
    QUERN_CHECK(work.room(text.size() * 64));
    for (; !text.empty(); text.remove_prefix(char_size(text))) {
      out.push_back(work.string(text.substr(0, char_size(text))));
    }
  } else if (!value.is_undefined()) {
    return fail(Errc::format, "a ", value.type_name(), " cannot be gone over");
  }
  return out;
}

Result<std::optional<uint64_t>> length(Work& work, const Value& value) {
  if (value.is_sequence()) return std::optional<uint64_t>(value.items().size());
  if (value.is_object()) return std::optional<uint64_t>(value.as_object().size());
  if (value.is_undefined()) return std::optional<uint64_t>(0);
  if (!value.is_string()) return std::optional<uint64_t>();
  QUERN_CHECK(work.spend_bytes(value.as_string().size()));
  return std::optional<uint64_t>(count_chars(value.as_string()));
}

}  // namespace quern::chat
