#include <cmath>
#include <limits>

#include "lib/chat/filters.h"
#include "lib/chat/format.h"
#include "lib/chat/operators.h"
#include "lib/chat/print.h"
#include "lib/chat/text_tools.h"
#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

using Kind = Value::Kind;

// Text made of a safe string is safe.
Value like(Work& work, const Value& input, std::string text) {
  return input.is_safe() ? work.safe_string(std::move(text)) : work.string(std::move(text));
}

template <std::string (*kMap)(std::string_view)>
Result<Value> mapped(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("the filter", {}));
  QUERN_TRY(const std::string text, str(work, input));
  QUERN_CHECK(work.spend_bytes(text.size() * 2));
  return like(work, input, kMap(text));
}

Result<Value> escape(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("escape", {}));
  if (input.is_safe()) return input;
  QUERN_TRY(const std::string text, str(work, input));
  QUERN_CHECK(work.spend_bytes(text.size() * 5));
  return work.safe_string(escape_html(text));
}

Result<Value> forceescape(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const std::string text, str(work, input));
  return escape(work, work.string(text), arguments);
}

Result<Value> safe(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("safe", {}));
  QUERN_TRY(std::string text, str(work, input));
  return work.safe_string(std::move(text));
}

// jinja2's filter raises the first letter of each word, words being parted by white space, '-' and opening brackets.
std::string title_words(std::string_view text) {
  std::string out;
  bool start = true;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, char_size(text));
    out.append(start ? upper(one) : lower(one));
    start = is_space(char_at(one)) || std::string_view("-({[<").find(one) != std::string_view::npos;
    text.remove_prefix(one.size());
  }
  return out;
}

std::string url_quote(std::string_view text) {
  static constexpr std::string_view kSafe = "_.-~/", kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || kSafe.find(c) != kSafe.npos) {
      out.push_back(c);
    } else {
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

Result<Value> trim(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("trim", {"chars"}));
  QUERN_TRY(const std::string text, str(work, input));
  if (!a[0].is_string()) return like(work, input, std::string(strip(text, Strip::both)));
  const std::string_view set = a[0].as_string();
  QUERN_CHECK(work.spend((text.size() + 1) * (set.size() + 1) / 64));
  return like(work, input, std::string(strip(text, Strip::both, &set)));
}

Result<Value> to_string(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("string", {}));
  if (input.is_string()) return input;
  QUERN_TRY(std::string text, str(work, input));
  return work.string(std::move(text));
}

Result<Value> replace(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("replace", {"old", "new", "count"}));
  QUERN_TRY(const std::string text, str(work, input));
  QUERN_TRY(const std::string old, str(work, a[0]));
  QUERN_TRY(const std::string fresh, str(work, a[1]));
  QUERN_TRY(const int64_t most, integer_or("replace: count", a[2], -1));
  QUERN_TRY(std::string out, replace_text(work, text, old, fresh, most));
  return work.string(std::move(out));
}

Result<Value> indent(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("indent", {"width", "first", "blank"}));
  QUERN_TRY(const std::string text, str(work, input));
  std::string margin;
  if (a[0].is_string()) {
    margin = a[0].as_string();
  } else {
    QUERN_TRY(const int64_t width, integer_or("indent: width", a[0], 4));
    QUERN_CHECK(work.spend_bytes(width > 0 ? static_cast<uint64_t>(width) : 0));
    margin.assign(width > 0 ? static_cast<size_t>(width) : 0, ' ');
  }
  const bool first = truthy(a[1]), blank = truthy(a[2]);
  // A newline is put at the end and taken off again, so that text ending in one keeps it.
  const std::string padded = text + "\n";
  const auto lines = split_lines(padded, false);
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    QUERN_CHECK(work.spend((lines[i].size() + margin.size()) / 256));
    QUERN_CHECK(work.room(out.size() + lines[i].size() + margin.size() + 1));
    if (i > 0) out.push_back('\n');
    if (i == 0 ? first : blank || !lines[i].empty()) out.append(margin);
    out.append(lines[i]);
  }
  return like(work, input, std::move(out));
}

Result<Value> center(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("center", {"width"}));
  QUERN_TRY(const std::string text, str(work, input));
  QUERN_TRY(const int64_t width, integer_or("center: width", a[0], 80));
  QUERN_TRY(std::string out, justified(work, text, width, " ", '^'));
  return work.string(std::move(out));
}

Result<Value> truncate(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("truncate", {"length", "killwords", "end", "leeway"}));
  QUERN_TRY(const std::string text, str(work, input));
  QUERN_TRY(const int64_t length, integer_or("truncate: length", a[0], 255));
  QUERN_TRY(const int64_t leeway, integer_or("truncate: leeway", a[3], 5));
  const std::string_view end = a[2].is_string() ? a[2].as_string() : std::string_view("...");
  const auto end_size = static_cast<int64_t>(count_chars(end));
  QUERN_ENSURE(length >= end_size && leeway >= 0 && leeway < (int64_t{1} << 40) && length < (int64_t{1} << 40),
               Errc::format, "truncate: the length ", length, " leaves no room for the end mark");
  QUERN_CHECK(work.spend_bytes(text.size() * 8));
  const auto offsets = char_offsets(text);
  if (static_cast<int64_t>(offsets.size()) - 1 <= length + leeway) return work.string(text);
  std::string_view head = std::string_view(text).substr(0, offsets[static_cast<size_t>(length - end_size)]);
  if (!truthy(a[1])) head = head.substr(0, head.rfind(' '));
  return work.string(std::string(head).append(end));
}

Result<Value> wordcount(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("wordcount", {}));
  QUERN_TRY(const std::string text, str(work, input));
  int64_t words = 0;
  bool inside = false;
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(char_size(rest))) {
    const uint32_t c = char_at(rest);
    const bool word = c == '_' || (c >= '0' && c <= '9') || is_letter(c);
    words += word && !inside;
    inside = word;
  }
  return Value::integer(words);
}

Result<Value> tojson(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.ensure_ascii = truthy(a[0]);
  style.sort_keys = truthy(a[3]);
  if (a[1].is_string()) {
    style.indent = std::string(a[1].as_string());
  } else if (a[1].is_integral()) {
    QUERN_CHECK(work.spend_bytes(a[1].as_integer() > 0 ? static_cast<uint64_t>(a[1].as_integer()) : 0));
    style.indent = std::string(static_cast<size_t>(std::max<int64_t>(0, a[1].as_integer())), ' ');
  }
  if (style.indent) style.item_separator = ",";
  if (a[2].is_sequence()) {
    const auto parts = a[2].items();
    QUERN_ENSURE(parts.size() == 2 && parts[0].is_string() && parts[1].is_string(), Errc::format,
                 "tojson: separators are two strings");
    style.item_separator = parts[0].as_string();
    style.key_separator = parts[1].as_string();
  }
  QUERN_TRY(std::string text, to_json(work, input, style));
  return work.string(std::move(text));
}

Result<Value> format(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const std::string text, str(work, input));
  if (!arguments.named.empty()) {
    std::vector<Value::Entry> entries;
    for (const auto& [name, value] : arguments.named) entries.emplace_back(work.string(name), value);
    QUERN_TRY(const Value values, work.object(std::move(entries)));
    return percent_format(work, text, values);
  }
  QUERN_TRY(const Value values, work.tuple(arguments.positional));
  return percent_format(work, text, values);
}

// ---- numbers ----

// Python's int(text, base) and float(text): white space around is allowed, and underscores between digits.
std::optional<int64_t> parse_integer(std::string_view text, int base) {
  std::string digits(strip(text, Strip::both));
  const bool negative = !digits.empty() && digits[0] == '-';
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.erase(0, 1);
  const char letter = digits.size() > 2 && digits[0] == '0' ? static_cast<char>(digits[1] | 32) : '\0';
  if ((base == 16 && letter == 'x') || (base == 8 && letter == 'o') || (base == 2 && letter == 'b')) digits.erase(0, 2);
  std::erase(digits, '_');
  uint64_t magnitude = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  constexpr uint64_t kTop = uint64_t{1} << 63;
  if (magnitude > kTop - (negative ? 0 : 1)) return std::nullopt;
  return static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
}

std::optional<double> parse_real(std::string_view text) {
  std::string digits(strip(text, Strip::both));
  std::erase(digits, '_');
  if (!digits.empty() && digits[0] == '+') digits.erase(0, 1);
  double d = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), d);
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  return d;
}

Result<Value> whole(double d, const Value& fallback) {
  if (!(std::fabs(d) < 9.2e18)) return fallback;
  return Value::integer(static_cast<int64_t>(d));
}

Result<Value> to_integer(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("int", {"default", "base"}));
  const Value fallback = a[0].is_undefined() ? Value::integer(0) : a[0];
  QUERN_TRY(const int64_t base, integer_or("int: base", a[1], 10));
  QUERN_ENSURE(base >= 2 && base <= 36, Errc::format, "int: the base is from 2 to 36, found ", base);
  if (input.is_undefined()) return undefined_error(input);
  if (input.is_integral()) return Value::integer(input.as_integer());
  if (input.is(Kind::real)) return whole(input.as_real(), fallback);
  if (!input.is_string()) return fallback;
  QUERN_CHECK(work.spend_bytes(input.as_string().size()));
  if (const auto i = parse_integer(input.as_string(), static_cast<int>(base))) return Value::integer(*i);
  if (const auto d = parse_real(input.as_string())) return whole(*d, fallback);
  return fallback;
}

Result<Value> to_real(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("float", {"default"}));
  if (input.is_undefined()) return undefined_error(input);
  if (input.is_number()) return Value::real(input.as_real());
  if (input.is_string()) {
    QUERN_CHECK(work.spend_bytes(input.as_string().size()));
    if (const auto d = parse_real(input.as_string())) return Value::real(*d);
  }
  return a[0].is_undefined() ? Value::real(0) : a[0];
}

Result<Value> absolute(Work&, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("abs", {}));
  if (input.is_undefined()) return undefined_error(input);
  QUERN_ENSURE(input.is_number(), Errc::format, "abs needs a number, found ", input.type_name());
  if (input.is(Kind::real)) return Value::real(std::fabs(input.as_real()));
  if (input.as_integer() < 0) return negate(input);
  return Value::integer(input.as_integer());
}

Result<Value> round_number(Work&, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("round", {"precision", "method"}));
  if (input.is_undefined()) return undefined_error(input);
  QUERN_ENSURE(input.is_number(), Errc::format, "round needs a number, found ", input.type_name());
  QUERN_TRY(const int64_t precision, integer_or("round: precision", a[0], 0));
  const std::string_view method = a[1].is_string() ? a[1].as_string() : std::string_view("common");
  QUERN_ENSURE(method == "common" || method == "ceil" || method == "floor", Errc::format,
               "round: the method is common, ceil or floor");
  const double d = input.as_real();
  if (precision < -300 || precision > 300 || !std::isfinite(d)) return input;
  if (method == "common" && input.is_integral() && precision >= 0) return Value::integer(input.as_integer());
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return Value::real(std::ceil(d * scale) / scale);
  if (method == "floor") return Value::real(std::floor(d * scale) / scale);
  if (precision >= 0) return Value::real(parse_real(fixed_text(d, static_cast<int>(precision))).value_or(d));
  const double rounded = std::nearbyint(d * scale) / scale;
  return input.is_integral() ? Value::integer(static_cast<int64_t>(rounded)) : Value::real(rounded);
}

constexpr FilterInfo kFilters[] = {
    {"abs", absolute},
    {"capitalize", mapped<capitalize>},
    {"center", center},
    {"e", escape},
    {"escape", escape},
    {"float", to_real},
    {"forceescape", forceescape},
    {"format", format},
    {"indent", indent},
    {"int", to_integer},
    {"lower", mapped<lower>},
    {"replace", replace},
    {"round", round_number},
    {"safe", safe},
    {"string", to_string},
    {"title", mapped<title_words>},
    {"tojson", tojson},
    {"trim", trim},
    {"truncate", truncate},
    {"upper", mapped<upper>},
    {"urlencode", mapped<url_quote>},
    {"wordcount", wordcount},
};

}  // namespace

std::span<const FilterInfo> text_filters() { return kFilters; }

}  // namespace quern::chat
