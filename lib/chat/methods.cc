// As in the sandbox that chat templates are rendered in elsewhere, methods that would change a list or a dict are
// refused.
#include "lib/chat/methods.h"

#include <algorithm>
#include <limits>

#include "lib/chat/format.h"
#include "lib/chat/machine.h"
#include "lib/chat/operators.h"
#include "lib/chat/print.h"
#include "lib/chat/text_tools.h"
#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

using Kind = Value::Kind;
using Call = Result<Value> (*)(Work&, const Value& self, const Arguments&);

struct MethodInfo {
  Kind kind;  ///< list stands for tuple too
  std::string_view name;
  Call call;
};

Result<std::string_view> need_text(std::string_view what, const Value& value) {
  if (value.is_undefined()) return undefined_error(value);
  QUERN_ENSURE(value.is_string(), Errc::format, what, " needs a string, found ", value.type_name());
  return value.as_string();
}

// ---- str ----

template <std::string (*kMap)(std::string_view)>
Result<Value> mapped(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("the method", {}));
  QUERN_CHECK(work.spend_bytes(self.as_string().size() * 2));
  return work.string(kMap(self.as_string()));
}

template <Strip kSides>
Result<Value> stripped(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("strip", {"chars"}));
  if (a[0].is_none() || a[0].is_undefined()) {
    QUERN_CHECK(work.spend_bytes(self.as_string().size()));
    return work.string(strip(self.as_string(), kSides));
  }
  QUERN_TRY(const std::string_view set, need_text("strip", a[0]));
  QUERN_CHECK(work.spend((self.as_string().size() + 1) * (set.size() + 1) / 64));
  return work.string(strip(self.as_string(), kSides, &set));
}

template <bool kFront>
Result<Value> affixed(Work& work, const Value& self, const Arguments& arguments) {
  const std::string_view name = kFront ? "startswith" : "endswith";
  QUERN_TRY(const auto a, arguments.bind(name, {"prefix", "start", "end"}));
  QUERN_TRY(const Value part, slice(work, self, a[1], a[2], Value()));
  const std::string_view text = part.as_string();
  const auto fits = [&](const Value& affix) -> Result<bool> {
    QUERN_TRY(const std::string_view wanted, need_text(name, affix));
    return kFront ? text.starts_with(wanted) : text.ends_with(wanted);
  };
  if (!a[0].is(Kind::tuple)) {
    QUERN_TRY(const bool yes, fits(a[0]));
    return Value::boolean(yes);
  }
  for (const Value& affix : a[0].items()) {
    QUERN_TRY(const bool yes, fits(affix));
    if (yes) return Value::boolean(true);
  }
  return Value::boolean(false);
}

template <bool kFromRight>
Result<Value> split_text(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("split", {"sep", "maxsplit"}));
  QUERN_ENSURE(a[1].is_undefined() || a[1].is_integral(), Errc::format, "split: maxsplit is an integer");
  const int64_t most = a[1].is_undefined() ? -1 : a[1].as_integer();
  const uint64_t n = most < 0 ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(most);
  const std::string_view text = self.as_string();
  std::vector<std::string_view> parts;
  QUERN_CHECK(work.spend_bytes(text.size()));
  if (a[0].is_none() || a[0].is_undefined()) {
    parts = kFromRight ? rsplit_spaces(text, n) : split_spaces(text, n);
  } else {
    QUERN_TRY(const std::string_view separator, need_text("split", a[0]));
    QUERN_ENSURE(!separator.empty(), Errc::format, "split: the separator is empty");
    parts = kFromRight ? rsplit(text, separator, n) : split(text, separator, n);
  }
  return string_list(work, parts);
}

Result<Value> splitlines(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("splitlines", {"keepends"}));
  QUERN_CHECK(work.spend_bytes(self.as_string().size()));
  return string_list(work, split_lines(self.as_string(), truthy(a[0])));
}

Result<Value> replace(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("replace", {"old", "new", "count"}));
  QUERN_TRY(const std::string_view old, need_text("replace", a[0]));
  QUERN_TRY(const std::string_view fresh, need_text("replace", a[1]));
  const int64_t most = a[2].is_integral() ? a[2].as_integer() : -1;
  QUERN_TRY(std::string out, replace_text(work, self.as_string(), old, fresh, most));
  return work.string(std::move(out));
}

Result<Value> join(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("join", {"iterable"}));
  QUERN_TRY(const auto items, iterate(work, a[0]));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    QUERN_TRY(const std::string_view piece, need_text("join", items[i]));
    QUERN_CHECK(work.spend(1 + (piece.size() + self.as_string().size()) / 256));
    QUERN_CHECK(work.room(out.size() + piece.size() + self.as_string().size()));
    if (i > 0) out.append(self.as_string());
    out.append(piece);
  }
  return work.string(std::move(out));
}

// find, index, rfind, rindex: positions count characters.
template <bool kFromRight, bool kMust>
Result<Value> find(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("find", {"sub", "start", "end"}));
  QUERN_TRY(const std::string_view wanted, need_text("find", a[0]));
  QUERN_TRY(const Value part, slice(work, self, a[1], a[2], Value()));
  QUERN_CHECK(work.spend_bytes(self.as_string().size()));
  const std::string_view text = part.as_string();
  const size_t at = kFromRight ? rfind_text(text, wanted) : find_text(text, wanted);
  if (at == text.npos) {
    QUERN_ENSURE(!kMust, Errc::format, "index: the substring is not there");
    return Value::integer(-1);
  }
  int64_t start = a[1].is_integral() ? a[1].as_integer() : 0;
  if (start < 0) start = std::max<int64_t>(0, start + static_cast<int64_t>(count_chars(self.as_string())));
  return Value::integer(start + static_cast<int64_t>(count_chars(text.substr(0, at))));
}

Result<Value> count_text(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("count", {"sub"}));
  QUERN_TRY(const std::string_view wanted, need_text("count", a[0]));
  QUERN_CHECK(work.spend_bytes(self.as_string().size()));
  if (wanted.empty()) return Value::integer(static_cast<int64_t>(count_chars(self.as_string())) + 1);
  const std::string_view text = self.as_string();
  const auto n = static_cast<int64_t>(split(text, wanted, text.size()).size()) - 1;
  return Value::integer(n);
}

template <bool kFromRight>
Result<Value> partition(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("partition", {"sep"}));
  QUERN_TRY(const std::string_view separator, need_text("partition", a[0]));
  QUERN_ENSURE(!separator.empty(), Errc::format, "partition: the separator is empty");
  const std::string_view text = self.as_string();
  QUERN_CHECK(work.spend_bytes(text.size()));
  const size_t at = kFromRight ? rfind_text(text, separator) : find_text(text, separator);
  std::vector<Value> out;
  if (at == text.npos) {
    out = {work.string(kFromRight ? "" : text), work.string(""), work.string(kFromRight ? text : "")};
  } else {
    out = {work.string(text.substr(0, at)), a[0], work.string(text.substr(at + separator.size()))};
  }
  return work.tuple(std::move(out));
}

template <bool kFront>
Result<Value> remove_affix(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind(kFront ? "removeprefix" : "removesuffix", {"affix"}));
  QUERN_TRY(const std::string_view affix, need_text("removeprefix", a[0]));
  std::string_view text = self.as_string();
  QUERN_CHECK(work.spend_bytes(text.size()));
  if (kFront && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!kFront && text.ends_with(affix)) text.remove_suffix(affix.size());
  return work.string(text);
}

template <char kAlign>
Result<Value> justify(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("the method", {"width", "fillchar"}));
  QUERN_ENSURE(a[0].is_integral(), Errc::format, "the width is an integer");
  QUERN_ENSURE(a[1].is_undefined() || (a[1].is_string() && count_chars(a[1].as_string()) == 1), Errc::format,
               "the fill is one character");
  const std::string_view fill = a[1].is_undefined() ? std::string_view(" ") : a[1].as_string();
  QUERN_TRY(std::string out, justified(work, self.as_string(), a[0].as_integer(), fill, kAlign));
  return work.string(std::move(out));
}

Result<Value> zfill(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("zfill", {"width"}));
  QUERN_ENSURE(a[0].is_integral(), Errc::format, "zfill: the width is an integer");
  std::string_view text = self.as_string();
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  QUERN_TRY(std::string digits,
            justified(work, text.substr(sign), a[0].as_integer() - (sign ? 1 : 0), std::string_view("0"), '>'));
  return work.string(std::string(text.substr(0, sign)) + digits);
}

Result<Value> format(Work& work, const Value& self, const Arguments& arguments) {
  return brace_format(work, self.as_string(), arguments);
}

enum class Class { alpha, digit, alnum, space, lower, upper, ascii };

template <Class kClass>
Result<Value> all_of_class(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("the method", {}));
  std::string_view text = self.as_string();
  QUERN_CHECK(work.spend_bytes(text.size()));
  bool cased = false;
  if (kClass == Class::ascii)
    return Value::boolean(std::all_of(text.begin(), text.end(), [](char c) { return !(c & 0x80); }));
  if (text.empty()) return Value::boolean(false);
  for (; !text.empty(); text.remove_prefix(char_size(text))) {
    const uint32_t c = char_at(text);
    const bool digit = c >= '0' && c <= '9', letter = is_letter(c);
    const bool is_lower = upper_char(c) != c || c == 0xDF, is_upper = lower_char(c) != c;
    cased |= is_lower || is_upper;
    const bool fits = kClass == Class::alpha   ? letter
                      : kClass == Class::digit ? digit
                      : kClass == Class::alnum ? digit || letter
                      : kClass == Class::space ? is_space(c)
                      : kClass == Class::lower ? !is_upper
                                               : !is_lower;
    if (!fits) return Value::boolean(false);
  }
  return Value::boolean(cased || (kClass != Class::lower && kClass != Class::upper));
}

std::string swapcase(std::string_view text) {
  std::string out;
  for (; !text.empty(); text.remove_prefix(char_size(text))) {
    const uint32_t c = char_at(text);
    append_char(out, lower_char(c) != c ? lower_char(c) : upper_char(c));
  }
  return out;
}

// ---- list and dict ----

Result<Value> list_index(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("index", {"value"}));
  for (size_t i = 0; i < self.items().size(); ++i) {
    QUERN_TRY(const bool same, equal(work, self.items()[i], a[0]));
    if (same) return Value::integer(static_cast<int64_t>(i));
  }
  return fail(Errc::format, "index: the value is not in the list");
}

Result<Value> list_count(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("count", {"value"}));
  int64_t n = 0;
  for (const Value& item : self.items()) {
    QUERN_TRY(const bool same, equal(work, item, a[0]));
    n += same;
  }
  return Value::integer(n);
}

Result<Value> itself(Work&, const Value& self, const Arguments&) { return self; }

Result<Value> refused(Work&, const Value& self, const Arguments&) {
  return fail(Errc::format, "a template may not change a ", self.type_name());
}

Result<Value> dict_get(Work&, const Value& self, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("get", {"key", "default"}));
  if (const Value* const found = self.as_object().find(a[0])) return *found;
  return arguments.positional.size() + arguments.named.size() > 1 ? a[1] : Value::none();
}

template <int kPart>
Result<Value> dict_part(Work& work, const Value& self, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("the method", {}));
  if (kPart == 2) return object_items(work, self.as_object());
  QUERN_CHECK(work.spend_bytes(self.as_object().size() * sizeof(Value)));
  std::vector<Value> out;
  for (const auto& [key, value] : self.as_object().entries()) out.push_back(kPart == 0 ? key : value);
  return work.list(std::move(out));
}

constexpr MethodInfo kMethods[] = {
    {Kind::string, "strip", stripped<Strip::both>},
    {Kind::string, "lstrip", stripped<Strip::left>},
    {Kind::string, "rstrip", stripped<Strip::right>},
    {Kind::string, "split", split_text<false>},
    {Kind::string, "rsplit", split_text<true>},
    {Kind::string, "splitlines", splitlines},
    {Kind::string, "startswith", affixed<true>},
    {Kind::string, "endswith", affixed<false>},
    {Kind::string, "replace", replace},
    {Kind::string, "join", join},
    {Kind::string, "upper", mapped<upper>},
    {Kind::string, "lower", mapped<lower>},
    {Kind::string, "casefold", mapped<lower>},
    {Kind::string, "title", mapped<title>},
    {Kind::string, "capitalize", mapped<capitalize>},
    {Kind::string, "swapcase", mapped<swapcase>},
    {Kind::string, "find", find<false, false>},
    {Kind::string, "rfind", find<true, false>},
    {Kind::string, "index", find<false, true>},
    {Kind::string, "rindex", find<true, true>},
    {Kind::string, "count", count_text},
    {Kind::string, "format", format},
    {Kind::string, "partition", partition<false>},
    {Kind::string, "rpartition", partition<true>},
    {Kind::string, "removeprefix", remove_affix<true>},
    {Kind::string, "removesuffix", remove_affix<false>},
    {Kind::string, "ljust", justify<'<'>},
    {Kind::string, "rjust", justify<'>'>},
    {Kind::string, "center", justify<'^'>},
    {Kind::string, "zfill", zfill},
    {Kind::string, "isalpha", all_of_class<Class::alpha>},
    {Kind::string, "isdigit", all_of_class<Class::digit>},
    {Kind::string, "isnumeric", all_of_class<Class::digit>},
    {Kind::string, "isdecimal", all_of_class<Class::digit>},
    {Kind::string, "isalnum", all_of_class<Class::alnum>},
    {Kind::string, "isspace", all_of_class<Class::space>},
    {Kind::string, "islower", all_of_class<Class::lower>},
    {Kind::string, "isupper", all_of_class<Class::upper>},
    {Kind::string, "isascii", all_of_class<Class::ascii>},
    {Kind::list, "index", list_index},
    {Kind::list, "count", list_count},
    {Kind::list, "copy", itself},
    {Kind::list, "append", refused},
    {Kind::list, "extend", refused},
    {Kind::list, "insert", refused},
    {Kind::list, "pop", refused},
    {Kind::list, "remove", refused},
    {Kind::list, "clear", refused},
    {Kind::list, "reverse", refused},
    {Kind::list, "sort", refused},
    {Kind::object, "get", dict_get},
    {Kind::object, "keys", dict_part<0>},
    {Kind::object, "values", dict_part<1>},
    {Kind::object, "items", dict_part<2>},
    {Kind::object, "copy", itself},
    {Kind::object, "pop", refused},
    {Kind::object, "update", refused},
    {Kind::object, "setdefault", refused},
    {Kind::object, "popitem", refused},
    {Kind::object, "clear", refused},
    {Kind::loop, "cycle", call_loop_cycle},
    {Kind::loop, "changed", call_loop_changed},
};

}  // namespace

std::optional<uint32_t> find_method(Kind kind, std::string_view name) {
  if (kind == Kind::tuple) kind = Kind::list;
  if (kind != Kind::string && kind != Kind::list && kind != Kind::object && kind != Kind::loop) return std::nullopt;
  for (uint32_t i = 0; i < std::size(kMethods); ++i) {
    if (kMethods[i].kind == kind && kMethods[i].name == name) return i;
  }
  return std::nullopt;
}

std::string_view method_name(uint32_t number) { return kMethods[number].name; }

Result<Value> call_method(Work& work, const Value::Method& method, const Arguments& arguments) {
  const MethodInfo& info = kMethods[method.number];
  if (!method.self.is_safe()) return info.call(work, method.self, arguments);
  // A safe string stays safe: what is put into it is escaped.
  Arguments safe = arguments;
  if (info.name == "replace" || info.name == "ljust" || info.name == "rjust" || info.name == "format") {
    for (Value& value : safe.positional) {
      if (!value.is_string()) continue;
      QUERN_TRY(std::string text, escaped(work, value));
      value = work.string(std::move(text));
    }
  }
  if (info.name == "join" && safe.positional.size() == 1) {
    QUERN_TRY(auto items, iterate(work, safe.positional[0]));
    for (Value& value : items) {
      if (!value.is_string()) continue;
      QUERN_TRY(std::string text, escaped(work, value));
      value = work.string(std::move(text));
    }
    QUERN_TRY(safe.positional[0], work.list(std::move(items)));
  }
  QUERN_TRY(const Value result, info.call(work, method.self, safe));
  return mark_safe(work, result);
}

}  // namespace quern::chat
