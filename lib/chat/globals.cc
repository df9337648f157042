#include "lib/chat/globals.h"

#include <algorithm>

#include "lib/chat/operators.h"
#include "lib/chat/print.h"

namespace quern::chat {

namespace {

// The longest range that jinja2's sandbox makes, and so the longest that templates can rely on.
constexpr uint64_t kMaxRange = 100'000;

Result<Value> range(Work& work, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("range", {"start", "stop", "step"}));
  const size_t n = arguments.positional.size();
  QUERN_ENSURE(n >= 1 && arguments.named.empty(), Errc::format, "range takes 1 to 3 integers");
  for (size_t i = 0; i < n; ++i) {
    if (a[i].is_undefined()) return undefined_error(a[i]);
    QUERN_ENSURE(a[i].is_integral(), Errc::format, "range takes integers, found ", a[i].type_name());
  }
  const int64_t start = n == 1 ? 0 : a[0].as_integer(), stop = a[n == 1 ? 0 : 1].as_integer();
  const int64_t by = n == 3 ? a[2].as_integer() : 1;
  QUERN_ENSURE(by != 0, Errc::format, "the step of a range cannot be 0");
  // Distances are taken without sign, where they always fit.
  const bool any = by > 0 ? start < stop : start > stop;
  const uint64_t distance = by > 0 ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                   : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
  const uint64_t stride = by > 0 ? static_cast<uint64_t>(by) : 0 - static_cast<uint64_t>(by);
  const uint64_t count = any ? (distance - 1) / stride + 1 : 0;
  QUERN_ENSURE(count <= kMaxRange, Errc::memory, "a range of ", count, " numbers: the most is ", kMaxRange);
  QUERN_CHECK(work.spend(count / 16));
  QUERN_CHECK(work.room(count * sizeof(Value)));
  std::vector<Value> out;
  out.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    out.push_back(Value::integer(static_cast<int64_t>(static_cast<uint64_t>(start) + i * static_cast<uint64_t>(by))));
  }
  return work.list(std::move(out));
}

// The pairs of a positional argument (a dict, or a list of pairs), then the named ones.
Result<std::vector<Value::Entry>> pairs(Work& work, std::string_view function, const Arguments& arguments) {
  QUERN_ENSURE(arguments.positional.size() <= 1, Errc::format, function, " takes at most one positional argument");
  std::vector<Value::Entry> out;
  if (!arguments.positional.empty()) {
    const Value& from = arguments.positional[0];
    if (from.is_object()) {
      QUERN_CHECK(work.spend_bytes(from.as_object().size() * sizeof(Value::Entry)));
      out.assign(from.as_object().entries().begin(), from.as_object().entries().end());
    } else {
      QUERN_TRY(const auto items, iterate(work, from));
      for (const Value& item : items) {
        QUERN_TRY(const auto pair, iterate(work, item));
        QUERN_ENSURE(pair.size() == 2, Errc::format, function, " needs pairs, found ", pair.size(), " values");
        out.emplace_back(pair[0], pair[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) out.emplace_back(work.string(name), value);
  return out;
}

Result<Value> dict(Work& work, const Arguments& arguments) {
  QUERN_TRY(auto entries, pairs(work, "dict", arguments));
  return work.object(std::move(entries));
}

Result<Value> make_namespace(Work& work, const Arguments& arguments) {
  QUERN_TRY(const auto entries, pairs(work, "namespace", arguments));
  Namespace* const space = work.new_space();
  for (const auto& [key, value] : entries) {
    QUERN_ENSURE(key.is_string(), Errc::format, "namespace needs names that are strings");
    QUERN_CHECK(work.set_attribute(*space, key.as_string(), value));
  }
  return Value::space(space);
}

Result<Value> raise_exception(Work& work, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("raise_exception", {"message"}));
  QUERN_TRY(const std::string message, str(work, a[0]));
  return fail(Errc::argument, "the template refuses the conversation: ", message);
}

Result<Value> strftime_now(Work& work, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("strftime_now", {"format"}));
  QUERN_ENSURE(a[0].is_string(), Errc::format, "strftime_now needs a format");
  QUERN_ENSURE(work.options().now, Errc::format, "strftime_now: no clock was given");
  QUERN_CHECK(work.spend_bytes(a[0].as_string().size() * 16));
  return work.string(format_time(a[0].as_string(), *work.options().now));
}

using Call = Result<Value> (*)(Work&, const Arguments&);
constexpr struct {
  std::string_view name;
  Call call;
} kFunctions[] = {{"range", range},
                  {"dict", dict},
                  {"namespace", make_namespace},
                  {"raise_exception", raise_exception},
                  {"strftime_now", strftime_now}};

// ---- time ----

constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};

// Days since 1970-01-01 of a date of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
// algorithms").
int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400, year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

std::string digits(int64_t number, size_t width, char fill) {
  std::string out = cat(number);
  if (out.size() < width) out.insert(0, width - out.size(), fill);
  return out;
}

// What a number is written as: filled up to the width.
struct Field {
  int64_t number;
  size_t width = 2;
  char fill = '0';
};

std::optional<Field> number_field(char conversion, const LocalTime& t, int64_t weekday, int64_t year_day) {
  const int64_t hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12;
  switch (conversion) {
    case 'Y':
      return Field{t.year, 0};
    case 'y':
      return Field{((t.year % 100) + 100) % 100};
    case 'C':
      return Field{t.year / 100};
    case 'm':
      return Field{t.month};
    case 'd':
      return Field{t.day};
    case 'e':
      return Field{t.day, 2, ' '};
    case 'H':
      return Field{t.hour};
    case 'k':
      return Field{t.hour, 2, ' '};
    case 'I':
      return Field{hour12};
    case 'l':
      return Field{hour12, 2, ' '};
    case 'M':
      return Field{t.minute};
    case 'S':
      return Field{t.second};
    case 'f':
      return Field{0, 6};
    case 'j':
      return Field{year_day + 1, 3};
    case 'u':
      return Field{weekday == 0 ? 7 : weekday, 0};
    case 'w':
      return Field{weekday, 0};
    case 'U':
      return Field{(year_day + 7 - weekday) / 7};
    case 'W':
      return Field{(year_day + 7 - (weekday + 6) % 7) / 7};
    default:
      return std::nullopt;
  }
}

// Conversions that stand for others.
std::string_view expansion(char conversion) {
  switch (conversion) {
    case 'F':
      return "%Y-%m-%d";
    case 'D':
    case 'x':
      return "%m/%d/%y";
    case 'T':
    case 'X':
      return "%H:%M:%S";
    case 'R':
      return "%H:%M";
    case 'r':
      return "%I:%M:%S %p";
    case 'c':
      return "%a %b %e %H:%M:%S %Y";
    default:
      return {};
  }
}

// One conversion; nothing if it is not known. `flag` is '-', '_', '0' or 0: how numbers are filled.
std::optional<std::string> convert(char conversion, char flag, const LocalTime& t) {
  const int64_t days = days_from_civil(t.year, t.month, t.day);
  const int64_t weekday = ((days + 4) % 7 + 7) % 7, year_day = days - days_from_civil(t.year, 1, 1);
  if (const auto field = number_field(conversion, t, weekday, year_day)) {
    return digits(field->number, flag == '-' ? 0 : field->width, flag == '_' ? ' ' : flag == '0' ? '0' : field->fill);
  }
  if (const std::string_view format = expansion(conversion); !format.empty()) return format_time(format, t);
  const std::string_view day_name = kDays[weekday], month_name = kMonths[(t.month + 11) % 12];
  switch (conversion) {
    case 'p':
      return t.hour < 12 ? "AM" : "PM";
    case 'P':
      return t.hour < 12 ? "am" : "pm";
    case 'A':
      return std::string(day_name);
    case 'a':
      return std::string(day_name.substr(0, 3));
    case 'B':
      return std::string(month_name);
    case 'b':
    case 'h':
      return std::string(month_name.substr(0, 3));
    case 'n':
      return "\n";
    case 't':
      return "\t";
    case '%':
      return "%";
    case 'z':
    case 'Z':
      return "";  // the zone is not known
    default:
      return std::nullopt;
  }
}

}  // namespace

LocalTime LocalTime::at(int64_t unix_seconds, int32_t utc_offset_seconds) {
  constexpr int64_t kDay = 86400, kLimit = kDay * 365 * 100'000;  // far from any overflow
  const int64_t seconds = std::clamp(unix_seconds, -kLimit, kLimit) + utc_offset_seconds;
  int64_t days = seconds / kDay, rest = seconds % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  // Days to a date: the inverse of days_from_civil, from the same source.
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097, day_of_era = days - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted = (5 * day_of_year + 2) / 153, month = shifted < 10 ? shifted + 3 : shifted - 9;
  LocalTime out;
  out.year = static_cast<int32_t>(year_of_era + era * 400 + (month <= 2));
  out.month = static_cast<uint32_t>(month);
  out.day = static_cast<uint32_t>(day_of_year - (153 * shifted + 2) / 5 + 1);
  out.hour = static_cast<uint32_t>(rest / 3600);
  out.minute = static_cast<uint32_t>(rest / 60 % 60);
  out.second = static_cast<uint32_t>(rest % 60);
  return out;
}

std::string format_time(std::string_view format, const LocalTime& time) {
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out.push_back(format[i]);
      continue;
    }
    const bool flagged = i + 2 < format.size() && std::string_view("-_0").find(format[i + 1]) != std::string_view::npos;
    const char flag = flagged ? format[i + 1] : '\0', conversion = format[i + 1 + flagged];
    if (const auto text = convert(conversion, flag, time)) {
      out.append(*text);
      i += 1 + flagged;
    } else {
      out.push_back('%');
    }
  }
  return out;
}

std::optional<uint32_t> find_function(std::string_view name) {
  for (uint32_t i = 0; i < std::size(kFunctions); ++i) {
    if (kFunctions[i].name == name) return i;
  }
  return std::nullopt;
}

Result<Value> call_function(Work& work, uint32_t number, const Arguments& arguments) {
  return kFunctions[number].call(work, arguments);
}

}  // namespace quern::chat
