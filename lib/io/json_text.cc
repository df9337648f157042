#include "lib/io/json_text.h"

#include <type_traits>

namespace quern::io {
namespace {

class Printer {
 public:
  explicit Printer(int indent) : indent_(indent) {}

  void put(const Json& value) {
    if (const auto* elements = value.get<Json::Array>()) {
      put_list(elements->size(), '[', ']', [&](size_t i) { put((*elements)[i]); });
    } else if (const auto* members = value.get<Json::Object>()) {
      put_list(members->size(), '{', '}', [&](size_t i) {
        text += json_string((*members)[i].name) + (indent_ > 0 ? ": " : ":");
        put((*members)[i].value);
      });
    } else {
      put_scalar(value);
    }
  }

  std::string text;

 private:
  template <class PutElement>
  void put_list(size_t n, char open, char close, PutElement put_element) {
    text += open;
    ++depth_;
    for (size_t i = 0; i < n; ++i) {
      if (i > 0) text += ',';
      new_line();
      put_element(i);
    }
    --depth_;
    if (n > 0) new_line();
    text += close;
  }

  void put_scalar(const Json& value) {
    if (const auto* b = value.get<bool>()) {
      text += *b ? "true" : "false";
    } else if (const auto* whole = value.get<int64_t>()) {
      text += cat(*whole);
    } else if (const auto* real = value.get<double>()) {
      const std::string digits = cat(*real);
      text += digits + (digits.find_first_of(".en") == std::string::npos ? ".0" : "");
    } else if (const auto* string = value.get<std::string>()) {
      text += json_string(*string);
    } else {
      text += "null";
    }
  }

  void new_line() {
    if (indent_ == 0) return;
    text += '\n';
    text.append(static_cast<size_t>(indent_) * depth_, ' ');
  }

  int indent_;
  size_t depth_ = 0;
};

}  // namespace

std::string json_string(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (code < 0x20) {
      out += "\\u00";
      out += kHex[code >> 4];
      out += kHex[code & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string json_text(const Json& value, int indent) {
  Printer printer(indent);
  printer.put(value);
  return std::move(printer.text);
}

}  // namespace quern::io
