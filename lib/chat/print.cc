#include "lib/chat/print.h"

#include <algorithm>
#include <cmath>

#include "lib/chat/machine.h"
#include "lib/chat/unicode.h"

namespace quern::chat {

namespace {

using Kind = Value::Kind;

constexpr char kHex[] = "0123456789abcdef";

void append_hex(std::string& out, uint32_t c, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out.push_back(kHex[c >> shift & 15]);
}

void append_quoted(std::string_view text, std::string& out) {
  const bool double_quotes = text.find('\'') != text.npos && text.find('"') == text.npos;
  const char quote = double_quotes ? '"' : '\'';
  out.push_back(quote);
  while (!text.empty()) {
    const uint32_t c = char_at(text);
    const size_t size = char_size(text);
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out.append(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
    } else if (is_printable(c)) {
      out.append(text.substr(0, size));
    } else if (c < 0x100) {
      out.append("\\x");
      append_hex(out, c, 2);
    } else if (c < 0x10000) {
      out.append("\\u");
      append_hex(out, c, 4);
    } else {
      out.append("\\U");
      append_hex(out, c, 8);
    }
    text.remove_prefix(size);
  }
  out.push_back(quote);
}

// Writes nested values. The depth of containers is bounded by their construction, that of namespaces by `depth`; a
// value that holds one part many times over is bounded by the steps and the memory.
class ReprWriter {
 public:
  ReprWriter(Work& work, std::string& out) : work_(work), out_(out) {}

  Status write(const Value& value, uint32_t depth) {
    QUERN_ENSURE(depth <= kMaxValueDepth, Errc::memory, "a value is nested deeper than ", kMaxValueDepth);
    QUERN_CHECK(work_.spend(1));
    switch (value.kind()) {
      case Kind::undefined:
        out_.append("Undefined");
        break;
      case Kind::none:
        out_.append("None");
        break;
      case Kind::boolean:
        out_.append(value.as_boolean() ? "True" : "False");
        break;
      case Kind::integer:
        out_.append(cat(value.as_integer()));
        break;
      case Kind::real:
        out_.append(float_text(value.as_real()));
        break;
      case Kind::string:
        QUERN_CHECK(work_.spend_bytes(value.as_string().size()));
        append_quoted(value.as_string(), out_);
        break;
      case Kind::list:
      case Kind::tuple:
        return write_items(value, depth);
      case Kind::object:
        return write_object(value.as_object(), depth);
      case Kind::space:
        return write_space(*value.as_space(), depth);
      case Kind::method:
        out_.append("<method>");
        break;
      case Kind::function:
        out_.append("<function>");
        break;
      case Kind::macro:
        out_.append(cat("<Macro '", value.as_macro()->code->name, "'>"));
        break;
      case Kind::loop:
        out_.append("<LoopContext>");
        break;
    }
    return work_.room(out_.size());
  }

 private:
  Status write_items(const Value& value, uint32_t depth) {
    const bool tuple = value.is(Kind::tuple);
    out_.push_back(tuple ? '(' : '[');
    bool first = true;
    for (const Value& item : value.items()) {
      if (!first) out_.append(", ");
      first = false;
      QUERN_CHECK(write(item, depth + 1));
    }
    if (tuple && value.items().size() == 1) out_.push_back(',');
    out_.push_back(tuple ? ')' : ']');
    return {};
  }

  Status write_object(const Value::Object& object, uint32_t depth) {
    out_.push_back('{');
    bool first = true;
    for (const auto& [key, item] : object.entries()) {
      if (!first) out_.append(", ");
      first = false;
      QUERN_CHECK(write(key, depth + 1));
      out_.append(": ");
      QUERN_CHECK(write(item, depth + 1));
    }
    out_.push_back('}');
    return {};
  }

  Status write_space(const Namespace& space, uint32_t depth) {
    out_.append("<Namespace {");
    bool first = true;
    for (const auto& [name, item] : space.attributes) {
      if (!first) out_.append(", ");
      first = false;
      append_quoted(name, out_);
      out_.append(": ");
      QUERN_CHECK(write(item, depth + 1));
    }
    out_.append("}>");
    return {};
  }

  Work& work_;
  std::string& out_;
};

class JsonWriter {
 public:
  JsonWriter(Work& work, const JsonStyle& style) : work_(work), style_(style) {}

  Status write(const Value& value, uint32_t level) {
    QUERN_CHECK(work_.spend(1));
    switch (value.kind()) {
      case Kind::none:
        out_.append("null");
        break;
      case Kind::boolean:
        out_.append(value.as_boolean() ? "true" : "false");
        break;
      case Kind::integer:
        out_.append(cat(value.as_integer()));
        break;
      case Kind::real:
        out_.append(number(value.as_real()));
        break;
      case Kind::string:
        QUERN_CHECK(quoted(value.as_string()));
        break;
      case Kind::list:
      case Kind::tuple:
        QUERN_CHECK(write_items(value, level));
        break;
      case Kind::object:
        QUERN_CHECK(write_object(value.as_object(), level));
        break;
      case Kind::undefined:
        return fail(Errc::format, "tojson: '", value.undefined_name(), "' is undefined");
      default:
        return fail(Errc::format, "tojson: a ", value.type_name(), " has no JSON form");
    }
    return work_.room(out_.size());
  }

  std::string take() { return std::move(out_); }

 private:
  static std::string number(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d > 0 ? "Infinity" : "-Infinity";
    return float_text(d);
  }

  Status quoted(std::string_view text) {
    QUERN_CHECK(work_.spend_bytes(text.size()));
    out_.push_back('"');
    while (!text.empty()) {
      const size_t size = char_size(text);
      append_escaped(char_at(text), text.substr(0, size));
      text.remove_prefix(size);
    }
    out_.push_back('"');
    return {};
  }

  void append_escaped(uint32_t c, std::string_view bytes) {
    static constexpr std::string_view kShort = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    if (const size_t at = c < 128 ? kShort.find(static_cast<char>(c)) : kShort.npos; at != kShort.npos) {
      out_.push_back('\\');
      out_.push_back(kLetters[at]);
    } else if (c >= 0x10000 && style_.ensure_ascii) {
      append_unit(0xD800 + ((c - 0x10000) >> 10));
      append_unit(0xDC00 + ((c - 0x10000) & 0x3FF));
    } else if (c < 32 || (c > 126 && style_.ensure_ascii)) {
      append_unit(c);
    } else {
      out_.append(bytes);
    }
  }

  void append_unit(uint32_t unit) {
    out_.append("\\u");
    append_hex(out_, unit, 4);
  }

  Status new_line(uint32_t level) {
    if (!style_.indent) return {};
    QUERN_CHECK(work_.spend_bytes(level * style_.indent->size()));
    out_.push_back('\n');
    for (uint32_t i = 0; i < level; ++i) out_.append(*style_.indent);
    return work_.room(out_.size());
  }

  Status write_items(const Value& value, uint32_t level) {
    out_.push_back('[');
    bool first = true;
    for (const Value& item : value.items()) {
      if (!first) out_.append(style_.item_separator);
      first = false;
      QUERN_CHECK(new_line(level + 1));
      QUERN_CHECK(write(item, level + 1));
    }
    if (!first) QUERN_CHECK(new_line(level));
    out_.push_back(']');
    return {};
  }

  Status write_key(const Value& key) {
    if (key.is_string()) return quoted(key.as_string());
    out_.push_back('"');
    QUERN_CHECK(write(key, 0));
    out_.push_back('"');
    return {};
  }

  Status write_object(const Value::Object& object, uint32_t level) {
    std::vector<const Value::Entry*> entries;
    for (const auto& entry : object.entries()) entries.push_back(&entry);
    if (style_.sort_keys) {
      QUERN_CHECK(work_.spend(entries.size() * 4));
      for (const auto* entry : entries) {
        QUERN_ENSURE(entry->first.is_string(), Errc::format, "tojson: sort_keys needs keys that are strings");
      }
      std::stable_sort(entries.begin(), entries.end(),
                       [](auto* a, auto* b) { return a->first.as_string() < b->first.as_string(); });
    }
    out_.push_back('{');
    bool first = true;
    for (const auto* entry : entries) {
      if (!first) out_.append(style_.item_separator);
      first = false;
      QUERN_CHECK(new_line(level + 1));
      QUERN_CHECK(write_key(entry->first));
      out_.append(style_.key_separator);
      QUERN_CHECK(write(entry->second, level + 1));
    }
    if (!first) QUERN_CHECK(new_line(level));
    out_.push_back('}');
    return {};
  }

  Work& work_;
  const JsonStyle& style_;
  std::string out_;
};

}  // namespace

std::string float_text(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<size_t>(end - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  const char* from = text.data() + e + 1;
  std::from_chars(*from == '+' ? from + 1 : from, end, exponent);
  const bool negative = text[0] == '-';
  std::string digits(1, text[negative ? 1 : 0]);
  if (const size_t dot = text.find('.'); dot != text.npos) digits.append(text.substr(dot + 1, e - dot - 1));
  std::string out = negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out.push_back(digits[0]);
    if (digits.size() > 1) out.append(".").append(digits, 1);
    out.append(exponent < 0 ? "e-" : "e+");
    const int magnitude = exponent < 0 ? -exponent : exponent;
    if (magnitude < 10) out.push_back('0');
    return out.append(cat(magnitude));
  }
  if (exponent < 0) return out.append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits);
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  out.append(digits, 0, whole).append(".");
  return digits.size() > whole ? out.append(digits, whole) : out.append("0");
}

Result<std::string> str(Work& work, const Value& value) {
  if (value.is_string()) {
    QUERN_CHECK(work.spend_bytes(value.as_string().size()));
    return std::string(value.as_string());
  }
  std::string out;
  if (!value.is_undefined()) QUERN_CHECK(append_repr(work, value, out));
  return out;
}

Status append_repr(Work& work, const Value& value, std::string& out) { return ReprWriter(work, out).write(value, 0); }

Result<std::string> to_json(Work& work, const Value& value, const JsonStyle& style) {
  JsonWriter writer(work, style);
  QUERN_CHECK(writer.write(value, 0));
  return writer.take();
}

}  // namespace quern::chat
