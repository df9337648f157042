// Filters that jinja2 makes generators of (map, select, ...) give lists here.
#include <algorithm>

#include "lib/chat/filters.h"
#include "lib/chat/operators.h"
#include "lib/chat/print.h"
#include "lib/chat/tests.h"
#include "lib/chat/text_tools.h"
#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

using Kind = Value::Kind;

// ---- attributes by path: 'a.b.0' ----

Result<Value> by_path(Work& work, Value value, const Value& path) {
  if (!path.is_string()) return item(work, value, path);
  QUERN_CHECK(work.spend_bytes(path.as_string().size()));
  for (const std::string_view part : split(path.as_string(), ".", path.as_string().size())) {
    int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number =
        !part.empty() && part[0] != '-' && parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
    QUERN_TRY(value, item(work, value, number ? Value::integer(index) : work.string(part)));
  }
  return value;
}

// What values are compared by: an attribute, or they themselves, without regard to case if wanted.
Result<Value> sort_key(Work& work, const Value& value, const Value& path, bool case_sensitive) {
  Value key = value;
  if (!path.is_none() && !path.is_undefined()) {
    QUERN_TRY(key, by_path(work, value, path));
  }
  if (case_sensitive || !key.is_string()) return key;
  QUERN_CHECK(work.spend_bytes(key.as_string().size()));
  return work.string(lower(key.as_string()));
}

struct Keyed {
  Value key, value;
};

// A stable merge sort, as a comparison can fail.
Status sort_keyed(Work& work, std::vector<Keyed>& items, bool reverse) {
  std::vector<Keyed> from(items.size());
  for (size_t width = 1; width < items.size(); width *= 2) {
    std::swap(from, items);
    for (size_t start = 0; start < from.size(); start += 2 * width) {
      const size_t middle = std::min(start + width, from.size()), end = std::min(start + 2 * width, from.size());
      size_t left = start, right = middle;
      for (size_t out = start; out < end; ++out) {
        bool take_right = left == middle;
        if (!take_right && right < end) {
          QUERN_TRY(take_right, reverse ? less(work, from[left].key, from[right].key)
                                        : less(work, from[right].key, from[left].key));
        }
        items[out] = std::move(from[take_right ? right++ : left++]);
      }
    }
  }
  // Even a single value must be one that can be ordered; that is not checked, as Python does not.
  return {};
}

Result<Value> sorted_values(Work& work, std::vector<Keyed> items, bool reverse) {
  QUERN_CHECK(sort_keyed(work, items, reverse));
  std::vector<Value> out;
  out.reserve(items.size());
  for (Keyed& entry : items) out.push_back(std::move(entry.value));
  return work.list(std::move(out));
}

Result<Value> sort(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("sort", {"reverse", "case_sensitive", "attribute"}));
  QUERN_TRY(const auto items, iterate(work, input));
  std::vector<Value> paths;
  if (a[2].is_string()) {
    for (const std::string_view path : split(a[2].as_string(), ",", a[2].as_string().size())) {
      paths.push_back(work.string(path));
    }
  } else {
    paths.push_back(a[2]);
  }
  std::vector<Keyed> keyed;
  for (const Value& value : items) {
    std::vector<Value> keys;
    for (const Value& path : paths) {
      QUERN_TRY(Value key, sort_key(work, value, path, truthy(a[1])));
      keys.push_back(std::move(key));
    }
    Value key = keys[0];
    if (keys.size() > 1) {
      QUERN_TRY(key, work.list(std::move(keys)));
    }
    keyed.push_back({std::move(key), value});
  }
  // Python's sort orders values of which none is less than another in place, undefined and none among them only if
  // alone.
  const bool all_same =
      std::all_of(keyed.begin(), keyed.end(), [](const Keyed& k) { return k.key.is_undefined() || k.key.is_none(); });
  if (all_same) return work.list(items);
  return sorted_values(work, std::move(keyed), truthy(a[0]));
}

Result<Value> dictsort(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("dictsort", {"case_sensitive", "by", "reverse"}));
  if (input.is_undefined()) return undefined_error(input);
  QUERN_ENSURE(input.is_object(), Errc::format, "dictsort needs a dict, found ", input.type_name());
  const std::string_view by = a[1].is_string() ? a[1].as_string() : std::string_view("key");
  QUERN_ENSURE(by == "key" || by == "value", Errc::format, "dictsort: by is 'key' or 'value'");
  QUERN_TRY(const Value pairs, object_items(work, input.as_object()));
  std::vector<Keyed> keyed;
  for (const Value& pair : pairs.items()) {
    QUERN_TRY(Value key, sort_key(work, pair.items()[by == "value"], Value(), truthy(a[0])));
    keyed.push_back({std::move(key), pair});
  }
  return sorted_values(work, std::move(keyed), truthy(a[2]));
}

Result<Value> unique(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("unique", {"case_sensitive", "attribute"}));
  QUERN_TRY(const auto items, iterate(work, input));
  std::vector<Value> out, keys;
  for (const Value& value : items) {
    QUERN_TRY(Value key, sort_key(work, value, a[1], truthy(a[0])));
    bool seen = false;
    for (size_t i = 0; i < keys.size() && !seen; ++i) {
      QUERN_TRY(seen, equal(work, keys[i], key));
    }
    if (seen) continue;
    keys.push_back(std::move(key));
    out.push_back(value);
  }
  return work.list(std::move(out));
}

template <bool kLargest>
Result<Value> extreme(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind(kLargest ? "max" : "min", {"case_sensitive", "attribute"}));
  QUERN_TRY(const auto items, iterate(work, input));
  if (items.empty()) return Value();
  Value best = items[0];
  QUERN_TRY(Value best_key, sort_key(work, best, a[1], truthy(a[0])));
  for (size_t i = 1; i < items.size(); ++i) {
    QUERN_TRY(Value key, sort_key(work, items[i], a[1], truthy(a[0])));
    QUERN_TRY(const bool better, kLargest ? less(work, best_key, key) : less(work, key, best_key));
    if (!better) continue;
    best = items[i];
    best_key = std::move(key);
  }
  return best;
}

Result<Value> sum(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("sum", {"attribute", "start"}));
  QUERN_TRY(const auto items, iterate(work, input));
  Value total = a[1].is_undefined() ? Value::integer(0) : a[1];
  QUERN_ENSURE(!total.is_string(), Errc::format, "sum does not add strings: use join");
  for (const Value& value : items) {
    Value term = value;
    if (!a[0].is_undefined() && !a[0].is_none()) {
      QUERN_TRY(term, by_path(work, value, a[0]));
    }
    QUERN_CHECK(work.spend(1));
    QUERN_TRY(total, binary(work, Binary::add, total, term));
  }
  return total;
}

// ---- parts and forms of a sequence ----

Result<Value> length_of(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("length", {}));
  QUERN_TRY(const auto n, length(work, input));
  QUERN_ENSURE(n, Errc::format, "a ", input.type_name(), " has no length");
  return Value::integer(static_cast<int64_t>(*n));
}

Result<Value> first(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("first", {}));
  if (input.is_sequence()) return input.items().empty() ? Value() : input.items().front();
  QUERN_TRY(const auto items, iterate(work, input));
  return items.empty() ? Value() : items.front();
}

Result<Value> last(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("last", {}));
  if (input.is_sequence()) return input.items().empty() ? Value() : input.items().back();
  QUERN_TRY(const auto items, iterate(work, input));
  return items.empty() ? Value() : items.back();
}

Result<Value> to_list(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("list", {}));
  QUERN_TRY(auto items, iterate(work, input));
  return work.list(std::move(items));
}

Result<Value> reverse(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("reverse", {}));
  if (input.is_string()) return slice(work, input, Value::none(), Value::none(), Value::integer(-1));
  QUERN_TRY(auto items, iterate(work, input));
  std::reverse(items.begin(), items.end());
  return work.list(std::move(items));
}

Result<Value> items_of(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_CHECK(arguments.bind("items", {}));
  if (input.is_undefined()) return work.list({});
  QUERN_ENSURE(input.is_object(), Errc::format, "items needs a dict, found ", input.type_name());
  return object_items(work, input.as_object());
}

Result<Value> join(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("join", {"d", "attribute"}));
  QUERN_TRY(const std::string separator, str(work, a[0]));
  QUERN_TRY(const auto items, iterate(work, input));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    Value value = items[i];
    if (!a[1].is_undefined() && !a[1].is_none()) {
      QUERN_TRY(value, by_path(work, value, a[1]));
    }
    QUERN_TRY(const std::string piece, str(work, value));
    QUERN_CHECK(work.spend(1 + separator.size() / 256));
    QUERN_CHECK(work.room(out.size() + separator.size() + piece.size()));
    if (i > 0) out.append(separator);
    out.append(piece);
  }
  return work.string(std::move(out));
}

Result<Value> batch(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("batch", {"linecount", "fill_with"}));
  QUERN_TRY(const int64_t size, integer_or("batch: linecount", a[0], 0));
  QUERN_ENSURE(size > 0, Errc::format, "batch: linecount is at least 1");
  QUERN_TRY(const auto items, iterate(work, input));
  std::vector<Value> out, row;
  const auto flush = [&]() -> Status {
    QUERN_TRY(Value list, work.list(std::move(row)));
    out.push_back(std::move(list));
    row.clear();
    return {};
  };
  for (const Value& value : items) {
    row.push_back(value);
    if (static_cast<int64_t>(row.size()) == size) QUERN_CHECK(flush());
  }
  if (row.empty()) return work.list(std::move(out));
  if (!a[1].is_undefined() && !a[1].is_none()) {
    QUERN_CHECK(work.spend_bytes(static_cast<uint64_t>(std::min<int64_t>(size, int64_t{1} << 40)) * sizeof(Value)));
    row.resize(static_cast<size_t>(size), a[1]);
  }
  QUERN_CHECK(flush());
  return work.list(std::move(out));
}

// ---- default, attr ----

Result<Value> default_to(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("default", {"default_value", "boolean"}));
  if (!input.is_undefined() && !(truthy(a[1]) && !truthy(input))) return input;
  const bool given = !arguments.positional.empty() || !arguments.named.empty();
  return given ? a[0] : work.string("");
}

Result<Value> attr(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(const auto a, arguments.bind("attr", {"name"}));
  QUERN_ENSURE(a[0].is_string(), Errc::format, "attr needs a name");
  if (input.is_object()) return Value::undefined(a[0]);  // attributes, not items
  return attribute(work, input, a[0]);
}

// ---- map, select, reject ----

// These take whatever is false, none too, for an empty sequence.
Result<std::vector<Value>> members(Work& work, const Value& input) {
  if (!truthy(input)) return std::vector<Value>();
  return iterate(work, input);
}

Result<Value> map(Work& work, const Value& input, const Arguments& arguments) {
  QUERN_TRY(auto items, members(work, input));
  if (arguments.positional.empty()) {
    QUERN_TRY(const auto a, arguments.bind("map", {"attribute", "default"}));
    QUERN_ENSURE(!a[0].is_undefined(), Errc::format, "map needs a filter or an attribute");
    for (Value& value : items) {
      QUERN_CHECK(work.spend(1));
      QUERN_TRY(value, by_path(work, value, a[0]));
      if (value.is_undefined() && !a[1].is_undefined()) value = a[1];
    }
    return work.list(std::move(items));
  }
  QUERN_ENSURE(arguments.positional[0].is_string(), Errc::format, "map needs the name of a filter");
  const auto number = find_filter(arguments.positional[0].as_string());
  QUERN_ENSURE(number, Errc::format, "no filter named '", arguments.positional[0].as_string(), "'");
  // A filter that is mapped may be map itself, with one argument fewer each time: the arguments bound the depth.
  QUERN_ENSURE(arguments.positional.size() <= 16, Errc::format, "map takes at most 16 arguments");
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin());
  for (Value& value : items) {
    QUERN_CHECK(work.spend(1));
    QUERN_TRY(value, call_filter(work, *number, value, rest));
  }
  return work.list(std::move(items));
}

// select, reject, selectattr, rejectattr: by a test, or by truth where none is named.
template <bool kByAttribute, bool kKeep>
Result<Value> select(Work& work, const Value& input, const Arguments& arguments) {
  Arguments rest = arguments;
  const auto take_first = [&rest]() -> Value {
    if (rest.positional.empty()) return {};
    Value out = rest.positional.front();
    rest.positional.erase(rest.positional.begin());
    return out;
  };
  const Value path = kByAttribute ? take_first() : Value();
  QUERN_ENSURE(!kByAttribute || !path.is_undefined(), Errc::format, "selectattr needs the name of an attribute");
  const Value test = take_first();
  std::optional<uint32_t> number;
  if (test.is_string()) {
    number = find_test(test.as_string());
    QUERN_ENSURE(number, Errc::format, "no test named '", test.as_string(), "'");
  }
  QUERN_TRY(const auto items, members(work, input));
  std::vector<Value> out;
  for (const Value& value : items) {
    QUERN_CHECK(work.spend(1));
    Value subject = value;
    if (kByAttribute) {
      QUERN_TRY(subject, by_path(work, value, path));
    }
    bool holds = truthy(subject);
    if (number) {
      QUERN_TRY(holds, call_test(work, *number, subject, rest));
    }
    if (holds == kKeep) out.push_back(value);
  }
  return work.list(std::move(out));
}

constexpr FilterInfo kFilters[] = {
    {"attr", attr},
    {"batch", batch},
    {"count", length_of},
    {"d", default_to},
    {"default", default_to},
    {"dictsort", dictsort},
    {"first", first},
    {"items", items_of},
    {"join", join},
    {"last", last},
    {"length", length_of},
    {"list", to_list},
    {"map", map},
    {"max", extreme<true>},
    {"min", extreme<false>},
    {"reject", select<false, false>},
    {"rejectattr", select<true, false>},
    {"reverse", reverse},
    {"select", select<false, true>},
    {"selectattr", select<true, true>},
    {"sort", sort},
    {"sum", sum},
    {"unique", unique},
};

}  // namespace

std::span<const FilterInfo> sequence_filters() { return kFilters; }

}  // namespace quern::chat
