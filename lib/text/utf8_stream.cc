#include "lib/text/utf8_stream.h"

#include "lib/text/utf8.h"

namespace quern::text {
namespace {
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
}

std::string Utf8Stream::push(std::string_view piece) {
  pending_.append(piece);
  std::string out;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Step step = read_utf8(rest);
    if (step.kind == Utf8Step::Kind::incomplete) break;
    out.append(step.kind == Utf8Step::Kind::valid ? rest.substr(0, step.size) : kReplacement);
    rest.remove_prefix(step.size);
  }
  pending_ = std::string(rest);
  return out;
}

std::string Utf8Stream::finish() {
  if (pending_.empty()) return {};
  pending_.clear();
  return std::string(kReplacement);
}

}  // namespace quern::text
