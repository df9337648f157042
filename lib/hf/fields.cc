#include "lib/hf/fields.h"

#include <charconv>
#include <cmath>

#include "lib/io/names.h"

namespace quern::hf {
namespace {

constexpr std::string_view kOperators = "+-*/";

io::JsonAt below(io::JsonAt place, std::string_view path) {
  for (const std::string_view name : pieces(path, '.')) place = place[name];
  return place;
}

double apply(char op, double a, double b) { return op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b; }

}  // namespace

std::vector<std::string_view> pieces(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != separator) continue;
    out.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  return out;
}

io::JsonAt Fields::at(std::string_view path) const {
  if (io::JsonAt own = below(text_, path); own.present()) return own;
  return below(root_, path);
}

io::JsonAt Fields::first(std::string_view paths) const {
  for (const std::string_view path : pieces(paths, '|')) {
    if (io::JsonAt value = at(path); value.present()) return value;
  }
  return at(pieces(paths, '|').front());
}

Result<std::optional<double>> Fields::term(std::string_view term) const {
  double out = 0;
  if (const auto [end, error] = std::from_chars(term.data(), term.data() + term.size(), out);
      error == std::errc() && end == term.data() + term.size())
    return std::optional<double>(out);
  const io::JsonAt field = at(term);
  if (!field.present()) return std::optional<double>();
  if (const auto* flag = field.get<bool>()) return std::optional<double>(*flag ? 1 : 0);
  if (const auto* integer = field.get<int64_t>()) return std::optional<double>(static_cast<double>(*integer));
  if (const auto* real = field.get<double>()) return std::optional<double>(*real);
  return field.mismatch("a number");
}

Result<std::optional<double>> Fields::way(std::string_view way) const {
  double out = 0;
  char op = '+';
  while (true) {
    const size_t end = std::min(way.find_first_of(kOperators), way.size());
    QUERN_TRY(const auto value, term(way.substr(0, end)));
    if (!value) return std::optional<double>();
    if (op == '/' && *value == 0) return at(way.substr(0, end)).mismatch("a number other than 0");
    out = apply(op, out, *value);
    if (end == way.size()) return std::optional<double>(out);
    op = way[end];
    way.remove_prefix(end + 1);
  }
}

Result<std::optional<double>> Fields::number(std::string_view ways) const {
  for (const std::string_view one : pieces(ways, '|')) {
    QUERN_TRY(const auto value, way(one));
    if (value) return value;
  }
  return std::optional<double>();
}

}  // namespace quern::hf
