#include "lib/chat/format.h"

#include <cmath>

#include "lib/chat/operators.h"
#include "lib/chat/print.h"
#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

constexpr int64_t kMaxWidth = 100'000, kMaxPrecision = 300;

struct Spec {
  std::string fill = " ";
  char align = 0;  ///< '<', '>', '^', '=' or 0 for the type's own
  char sign = '-';
  bool alternate = false, zero = false, comma = false;
  int64_t width = 0, precision = -1;
  char type = 0;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads digits at `at`; -1 where there are none, and past every limit where there are too many.
int64_t read_number(std::string_view text, size_t& at) {
  if (at >= text.size() || !is_digit(text[at])) return -1;
  int64_t out = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) out = out > kMaxWidth ? out : out * 10 + (text[at] - '0');
  return out;
}

std::string to_base(uint64_t magnitude, unsigned base, bool upper_case) {
  const char* const digits = upper_case ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  do {
    out.insert(out.begin(), digits[magnitude % base]);
    magnitude /= base;
  } while (magnitude);
  return out;
}

std::string grouped(std::string digits) {
  const size_t point = std::min(digits.find('.'), digits.size());
  for (size_t at = point; at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string float_digits(double magnitude, char type, int digits) {
  const auto style = type == 'e' || type == 'E'   ? std::chars_format::scientific
                     : type == 'g' || type == 'G' ? std::chars_format::general
                                                  : std::chars_format::fixed;
  char buffer[800];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, magnitude, style, digits).ptr;
  std::string out(buffer, end);
  return type == 'E' || type == 'G' ? upper(out) : out;
}

std::string pad(const Spec& spec, std::string_view sign, std::string body, char own_align) {
  const size_t used = count_chars(body) + sign.size();
  const size_t width = static_cast<size_t>(spec.width);
  const size_t missing = width > used ? width - used : 0;
  const char align = spec.align ? spec.align : spec.zero ? '=' : own_align;
  const std::string fill = spec.zero && !spec.align ? "0" : spec.fill;
  const size_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  std::string out;
  if (align == '=') out.append(sign);
  for (size_t i = 0; i < before; ++i) out.append(fill);
  if (align != '=') out.append(sign);
  out.append(body);
  for (size_t i = before; i < missing; ++i) out.append(fill);
  return out;
}

Result<std::string> format_number(const Spec& spec, const Value& value) {
  const bool real_type = spec.type && std::string_view("fFeEgG%").find(spec.type) != std::string_view::npos;
  bool negative = false;
  std::string body;
  if (real_type || value.is(Value::Kind::real)) {
    double d = value.as_real() * (spec.type == '%' ? 100 : 1);
    negative = std::signbit(d) && !std::isnan(d);
    d = std::fabs(d);
    if (!std::isfinite(d)) {
      body = float_text(d);
    } else if (!spec.type && spec.precision < 0) {
      body = float_text(d);
    } else {
      const int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
      body = float_digits(d, spec.type ? spec.type == '%' ? 'f' : spec.type : 'g', precision);
    }
    if (spec.type == '%') body.push_back('%');
  } else {
    const int64_t i = value.as_integer();
    negative = i < 0;
    const uint64_t magnitude = negative ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i);
    const unsigned base = spec.type == 'x' || spec.type == 'X' ? 16 : spec.type == 'o' ? 8 : spec.type == 'b' ? 2 : 10;
    body = to_base(magnitude, base, spec.type == 'X');
    if (spec.alternate && base != 10) body.insert(0, std::string("0") + spec.type);
  }
  if (spec.comma) body = grouped(std::move(body));
  const std::string_view sign = negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  return pad(spec, sign, std::move(body), '>');
}

std::string first_chars(std::string text, int64_t n) {
  if (n < 0) return text;
  const auto offsets = char_offsets(text);
  if (static_cast<uint64_t>(n) < offsets.size()) text.resize(offsets[static_cast<size_t>(n)]);
  return text;
}

Status check_limits(Work& work, const Spec& spec) {
  QUERN_ENSURE(spec.width <= kMaxWidth && spec.precision <= kMaxPrecision, Errc::memory,
               "a format asks for a width over ", kMaxWidth, " or a precision over ", kMaxPrecision);
  return work.spend_bytes(static_cast<uint64_t>(spec.width) * spec.fill.size());
}

// ---- the operator % ----

class Percent {
 public:
  Percent(Work& work, std::string_view format, const Value& values) : work_(work), format_(format), values_(values) {}

  Result<Value> run() {
    QUERN_CHECK(work_.spend_bytes(format_.size()));
    while (at_ < format_.size()) {
      const size_t percent = std::min(format_.find('%', at_), format_.size());
      out_.append(format_.substr(at_, percent - at_));
      at_ = percent + 1;
      if (percent < format_.size()) QUERN_CHECK(conversion());
      QUERN_CHECK(work_.room(out_.size()));
    }
    const bool all_used = !values_.is(Value::Kind::tuple) ? used_ > 0 || values_.is_object() || values_.is_sequence()
                                                          : used_ == values_.items().size();
    QUERN_ENSURE(all_used, Errc::format, "not all values are used by the format");
    return work_.string(std::move(out_));
  }

 private:
  Result<Value> next_value() {
    if (values_.is(Value::Kind::tuple)) {
      QUERN_ENSURE(used_ < values_.items().size(), Errc::format, "the format has more conversions than values");
      return values_.items()[used_++];
    }
    QUERN_ENSURE(used_++ == 0, Errc::format, "the format has more conversions than values");
    return values_;
  }

  Status conversion() {
    Spec spec;
    Value value;
    bool named = false;
    if (at_ < format_.size() && format_[at_] == '(') {
      const size_t close = format_.find(')', at_);
      QUERN_ENSURE(close != format_.npos && values_.is_object(), Errc::format, "the format needs a dict of values");
      const std::string_view key = format_.substr(at_ + 1, close - at_ - 1);
      const Value* const found = values_.as_object().find(key);
      QUERN_ENSURE(found, Errc::format, "the format names '", key, "', which the dict does not have");
      value = *found;
      named = true;
      at_ = close + 1;
    }
    for (; at_ < format_.size() && std::string_view("-+ #0").find(format_[at_]) != std::string_view::npos; ++at_) {
      const char flag = format_[at_];
      if (flag == '-') spec.align = '<';
      if (flag == '+' || (flag == ' ' && spec.sign != '+')) spec.sign = flag;
      if (flag == '#') spec.alternate = true;
      if (flag == '0') spec.zero = true;
    }
    spec.width = std::max<int64_t>(0, read_number(format_, at_));
    if (at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      spec.precision = std::max<int64_t>(0, read_number(format_, at_));
    }
    QUERN_CHECK(check_limits(work_, spec));
    QUERN_ENSURE(at_ < format_.size(), Errc::format, "the format ends inside a conversion");
    spec.type = format_[at_++];
    if (spec.type == '%') {
      out_.push_back('%');
      return {};
    }
    if (!named) {
      QUERN_TRY(value, next_value());
    }
    return convert(spec, value);
  }

  Status convert(Spec spec, const Value& value) {
    if (value.is_undefined() && spec.type != 's' && spec.type != 'r') return undefined_error(value);
    switch (spec.type) {
      case 's':
      case 'r': {
        std::string text;
        if (spec.type == 's') {
          QUERN_TRY(text, str(work_, value));
        } else {
          QUERN_CHECK(append_repr(work_, value, text));
        }
        spec.zero = false;
        out_.append(pad(spec, "", first_chars(std::move(text), spec.precision), '>'));
        return {};
      }
      case 'c':
        QUERN_ENSURE(value.is_string() || value.is_integral(), Errc::format, "%c needs a character");
        if (value.is_string()) {
          out_.append(pad(spec, "", std::string(value.as_string()), '>'));
        } else {
          QUERN_ENSURE(value.as_integer() >= 0 && value.as_integer() < 0x110000, Errc::format, "%c: no such character");
          append_char(out_, static_cast<uint32_t>(value.as_integer()));
        }
        return {};
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
      case 'f':
      case 'F':
      case 'e':
      case 'E':
      case 'g':
      case 'G':
        break;
      default:
        return fail(Errc::format, "unknown conversion '%", spec.type, "' in a format");
    }
    QUERN_ENSURE(value.is_number(), Errc::format, "%", spec.type, " needs a number, found ", value.type_name());
    Value number = value;
    if (std::string_view("diu").find(spec.type) != std::string_view::npos) {
      if (value.is(Value::Kind::real)) {
        QUERN_ENSURE(std::fabs(value.as_real()) < 9.2e18, Errc::format, "%d: the number does not fit in 64 bits");
        number = Value::integer(static_cast<int64_t>(value.as_real()));
      }
      spec.type = 'd';
    }
    if (spec.zero && spec.align == '<') spec.zero = false;
    QUERN_TRY(std::string text, format_number(spec, number));
    out_.append(text);
    return {};
  }

  Work& work_;
  std::string_view format_;
  const Value& values_;
  std::string out_;
  size_t at_ = 0, used_ = 0;
};

// ---- str.format ----

Spec parse_spec(std::string_view text) {
  Spec spec;
  size_t at = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  if (!text.empty()) {
    const size_t first = char_size(text);
    if (first < text.size() && is_align(text[first])) {
      spec.fill = text.substr(0, first);
      spec.align = text[first];
      at = first + 1;
    } else if (is_align(text[0])) {
      spec.align = text[0];
      at = 1;
    }
  }
  if (at < text.size() && (text[at] == '+' || text[at] == '-' || text[at] == ' ')) spec.sign = text[at++];
  if (at < text.size() && text[at] == '#') spec.alternate = ++at > 0;
  if (at < text.size() && text[at] == '0') spec.zero = ++at > 0;
  spec.width = std::max<int64_t>(0, read_number(text, at));
  if (at < text.size() && text[at] == ',') spec.comma = ++at > 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    spec.precision = std::max<int64_t>(0, read_number(text, at));
  }
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size()) spec.type = '?';
  return spec;
}

Result<std::string> format_field(Work& work, const Value& value, std::string_view spec_text) {
  const Spec spec = parse_spec(spec_text);
  QUERN_CHECK(check_limits(work, spec));
  const bool as_text = spec.type == 0 || spec.type == 's';
  if (value.is_number() && spec.type != 's' && !(value.is(Value::Kind::boolean) && spec_text.empty())) {
    QUERN_ENSURE(spec.type == 0 || std::string_view("dxXobfFeEgG%").find(spec.type) != std::string_view::npos,
                 Errc::format, "unknown format specification '", spec_text, "'");
    return format_number(spec, value);
  }
  QUERN_ENSURE(as_text, Errc::format, "the format specification '", spec_text, "' is not for a ", value.type_name());
  QUERN_TRY(std::string text, str(work, value));
  return pad(spec, "", first_chars(std::move(text), spec.precision), '<');
}

Result<Value> field_value(Work& work, std::string_view path, const Arguments& arguments, size_t& next) {
  const size_t name_end = std::min(path.find_first_of(".["), path.size());
  const std::string_view name = path.substr(0, name_end);
  QUERN_ENSURE(name_end == path.size(), Errc::unsupported, "str.format: '", path, "': attributes are not supported");
  size_t at = 0;
  int64_t index = read_number(name, at);
  if (name.empty()) index = static_cast<int64_t>(next++);
  if (index >= 0) {
    QUERN_ENSURE(static_cast<uint64_t>(index) < arguments.positional.size(), Errc::format, "str.format: no argument ",
                 index);
    return arguments.positional[static_cast<size_t>(index)];
  }
  QUERN_CHECK(work.spend(arguments.named.size()));
  for (const auto& [key, value] : arguments.named) {
    if (key == name) return value;
  }
  return fail(Errc::format, "str.format: no argument '", name, "'");
}

}  // namespace

std::string fixed_text(double d, int digits) {
  if (!std::isfinite(d)) return float_text(d);
  return cat(std::signbit(d) ? "-" : "", float_digits(std::fabs(d), 'f', digits));
}

Result<Value> percent_format(Work& work, std::string_view format, const Value& values) {
  return Percent(work, format, values).run();
}

Result<Value> brace_format(Work& work, std::string_view format, const Arguments& arguments) {
  QUERN_CHECK(work.spend_bytes(format.size()));
  std::string out;
  size_t next = 0;
  for (size_t at = 0; at < format.size(); ++at) {
    const char c = format[at];
    if ((c == '{' || c == '}') && at + 1 < format.size() && format[at + 1] == c) {
      out.push_back(c);
      ++at;
      continue;
    }
    QUERN_ENSURE(c != '}', Errc::format, "str.format: a single '}'");
    if (c != '{') {
      out.push_back(c);
      continue;
    }
    const size_t close = format.find('}', at);
    QUERN_ENSURE(close != format.npos, Errc::format, "str.format: a '{' without its '}'");
    std::string_view field = format.substr(at + 1, close - at - 1), spec;
    if (const size_t colon = field.find(':'); colon != field.npos) {
      spec = field.substr(colon + 1);
      field = field.substr(0, colon);
    }
    char conversion = 0;
    if (field.size() >= 2 && field[field.size() - 2] == '!') {
      conversion = field.back();
      field.remove_suffix(2);
    }
    QUERN_TRY(Value value, field_value(work, field, arguments, next));
    if (conversion == 'r') {
      std::string text;
      QUERN_CHECK(append_repr(work, value, text));
      value = work.string(std::move(text));
    }
    QUERN_TRY(const std::string text, format_field(work, value, spec));
    out.append(text);
    QUERN_CHECK(work.room(out.size()));
    at = close;
  }
  return work.string(std::move(out));
}

}  // namespace quern::chat
