#include "examples/store/modelfile.h"

#include <algorithm>

#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

constexpr size_t kMaxBytes = size_t{16} << 20;
constexpr std::string_view kInstructions[] = {"FROM",    "PARAMETER", "TEMPLATE", "SYSTEM",
                                              "ADAPTER", "LICENSE",   "MESSAGE",  "REQUIRES"};
constexpr std::string_view kRoles[] = {"system", "user", "assistant"};

void append_utf8(std::string& out, uint32_t point) {
  const auto tail = [&out](uint32_t bits) { out += static_cast<char>(0x80 | (bits & 0x3F)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    tail(point);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | point >> 12);
    tail(point >> 6);
    tail(point);
  } else {
    out += static_cast<char>(0xF0 | point >> 18);
    tail(point >> 12);
    tail(point >> 6);
    tail(point);
  }
}

/// UTF-16 without its mark as UTF-8; a surrogate that stands alone becomes U+FFFD.
std::string from_utf16(std::string_view bytes, bool big_endian) {
  std::string out;
  const auto unit = [&](size_t i) {
    const auto a = static_cast<unsigned char>(bytes[i]), b = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<uint32_t>(big_endian ? a << 8 | b : b << 8 | a);
  };
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    uint32_t point = unit(i);
    const bool high = point >= 0xD800 && point < 0xDC00;
    const uint32_t next = high && i + 3 < bytes.size() ? unit(i + 2) : 0;
    if (next >= 0xDC00 && next < 0xE000) {
      point = 0x10000 + ((point - 0xD800) << 10) + (next - 0xDC00);
      i += 2;
    } else if (point >= 0xD800 && point < 0xE000) {
      point = 0xFFFD;
    }
    append_utf8(out, point);
  }
  return out;
}

std::string decoded(std::string_view text) {
  if (text.substr(0, 2) == "\xFF\xFE") return from_utf16(text.substr(2), false);
  if (text.substr(0, 2) == "\xFE\xFF") return from_utf16(text.substr(2), true);
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  return std::string(text);
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& name) : rest_(text), name_(name) {}

  Result<Modelfile> run() {
    while (!rest_.empty()) {
      const std::string_view line = next_line();
      const std::string_view words = trim(line);
      if (words.empty() || words[0] == '#') continue;
      QUERN_CHECK(instruction(words));
    }
    if (out_.from.empty())
      return Error{Errc::format, name_ + ": there is no FROM line: it names the model to start from"};
    return std::move(out_);
  }

 private:
  std::string_view next_line() {
    ++line_;
    const size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return line;
  }

  Error wrong(size_t line, const std::string& why) const {
    return {Errc::format, name_ + ", line " + std::to_string(line) + ": " + why};
  }

  /// Splits off the first word.
  static std::string_view first_word(std::string_view& text) {
    const size_t end = std::min(text.find_first_of(" \t"), text.size());
    const std::string_view word = text.substr(0, end);
    text = trim(text.substr(end));
    return word;
  }

  Status instruction(std::string_view text) {
    const size_t line = line_;
    const std::string_view word = first_word(text);
    std::string_view known;
    for (const auto candidate : kInstructions) {
      if (equal_ignoring_case(word, candidate)) known = candidate;
    }
    if (known.empty()) {
      return wrong(line, "unknown instruction '" + shown(word) +
                             "' (known: FROM PARAMETER TEMPLATE SYSTEM ADAPTER LICENSE MESSAGE REQUIRES)");
    }
    std::string key;
    if (known == "PARAMETER" || known == "MESSAGE") key = first_word(text);
    QUERN_TRY(std::string value, read_value(text, line));
    if (value.find('\0') != std::string::npos) return wrong(line, "the text has a NUL character");
    return store(known, key, std::move(value), line);
  }

  /// The value that begins with `text`, the rest of the line; quoted ones may go on in the next lines.
  Result<std::string> read_value(std::string_view text, size_t line) {
    if (text.empty()) return wrong(line, "a value is missing");
    if (text[0] != '"') return std::string(text);
    const std::string_view quotes = text.substr(0, 3) == "\"\"\"" ? "\"\"\"" : "\"";
    const size_t least = 2 * quotes.size();
    // The blanks at the ends of inner lines belong to the value, so the raw lines are put together.
    const char* const begin = text.data();
    while (true) {
      const std::string_view inner =
          trim(std::string_view(begin, static_cast<size_t>(text.data() + text.size() - begin)));
      if (inner.size() >= least && inner.substr(inner.size() - quotes.size()) == quotes) {
        return unix_lines(inner.substr(quotes.size(), inner.size() - least));
      }
      if (rest_.empty()) {
        return wrong(line,
                     "the text that begins here is not closed: " + std::string(quotes) + " is missing at its end");
      }
      text = next_line();
    }
  }

  static std::string unix_lines(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
      out += text[i];
    }
    return out;
  }

  Status store(std::string_view known, const std::string& key, std::string value, size_t line) {
    if (known == "FROM") {
      if (!out_.from.empty()) return wrong(line, "a second FROM: a model is made from one other");
      if (value.empty()) return wrong(line, "FROM is empty");
      out_.from = std::move(value);
    } else if (known == "ADAPTER") {
      out_.adapters.push_back(std::move(value));
    } else if (known == "TEMPLATE") {
      out_.tmpl = std::move(value);
    } else if (known == "SYSTEM") {
      out_.system = std::move(value);
    } else if (known == "LICENSE") {
      out_.licenses.push_back(std::move(value));
    } else if (known == "REQUIRES") {
      out_.requires_version = std::move(value);
    } else if (known == "MESSAGE") {
      const std::string role = lower(key);
      if (std::find(std::begin(kRoles), std::end(kRoles), role) == std::end(kRoles)) {
        return wrong(line, "MESSAGE: role '" + shown(key) + "': expected system, user or assistant");
      }
      out_.messages.push_back({role, std::move(value)});
    } else {
      return parameter(lower(key), std::move(value), line);
    }
    return {};
  }

  Status parameter(const std::string& key, std::string value, size_t line) {
    if (find_parameter(key) == nullptr) return wrong(line, "PARAMETER: unknown name '" + shown(key) + "'");
    if (key != "stop") {
      std::erase_if(out_.parameters, [&key](const auto& other) { return other.first == key; });
    }
    out_.parameters.emplace_back(key, std::move(value));
    // Its form is checked here, where the line is known.
    Modelfile alone;
    alone.parameters.push_back(out_.parameters.back());
    if (const auto json = alone.parameters_json(); !json) return wrong(line, json.error().message);
    return {};
  }

  std::string_view rest_;
  const std::string& name_;
  size_t line_ = 0;
  Modelfile out_;
};

/// A value as it is written: plain if that is read back the same, else in quotes.
Result<std::string> quoted(const std::string& value, const char* what) {
  if (value.find('\0') != std::string::npos)
    return Error{Errc::argument, std::string(what) + ": the text has a NUL character"};
  const bool lines = value.find_first_of("\n\r") != std::string::npos;
  const bool plain = !value.empty() && value[0] != '"' && !lines && trim(value) == value;
  if (plain) return value;
  if (value.find('"') == std::string::npos && !lines) return "\"" + value + "\"";
  // The reader takes the first line that ends in three quotes for the end.
  const bool closes_early = value.find("\"\"\"") != std::string::npos || (!value.empty() && value.back() == '"');
  if (closes_early || value.find('\r') != std::string::npos) {
    return Error{Errc::argument, std::string(what) +
                                     ": a text with three quotes in a row, a quote at its end or a "
                                     "carriage return cannot be written into a Modelfile"};
  }
  return "\"\"\"" + value + "\"\"\"";
}

}  // namespace

Result<Modelfile> Modelfile::parse(std::string_view text, const std::string& name) {
  if (text.size() > kMaxBytes) return Error{Errc::format, name + ": more than 16 MiB"};
  const std::string utf8 = decoded(text);
  return Parser(utf8, name).run();
}

Result<std::string> Modelfile::print() const {
  std::string out;
  const auto line = [&out](const std::string& instruction, const std::string& value) -> Status {
    QUERN_TRY(const std::string text, quoted(value, instruction.c_str()));
    out += instruction + " " + text + "\n";
    return {};
  };
  QUERN_CHECK(line("FROM", from));
  for (const auto& adapter : adapters) QUERN_CHECK(line("ADAPTER", adapter));
  if (!tmpl.empty()) QUERN_CHECK(line("TEMPLATE", tmpl));
  if (!system.empty()) QUERN_CHECK(line("SYSTEM", system));
  for (const auto& [name, value] : parameters) QUERN_CHECK(line("PARAMETER " + name, value));
  for (const auto& message : messages) QUERN_CHECK(line("MESSAGE " + message.role, message.content));
  if (!requires_version.empty()) QUERN_CHECK(line("REQUIRES", requires_version));
  for (const auto& license : licenses) QUERN_CHECK(line("LICENSE", license));
  return out;
}

bool is_jinja(std::string_view source) {
  if (source.find("{%") != std::string_view::npos || source.find("{#") != std::string_view::npos) return true;
  constexpr std::string_view kVariables[] = {"messages", "bos_token", "eos_token", "add_generation_prompt"};
  size_t at = 0;
  while ((at = source.find("{{", at)) != std::string_view::npos) {
    const size_t end = std::min(source.find("}}", at), source.size());
    std::string_view inside = source.substr(at + 2, end - at - 2);
    if (!inside.empty() && inside[0] == '-') inside.remove_prefix(1);
    inside = trim(inside);
    for (const auto variable : kVariables) {
      if (inside.substr(0, variable.size()) == variable) return true;
    }
    at = end;
  }
  return false;
}

}  // namespace quern::store
