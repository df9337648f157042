#include "lib/text/pretokenize.h"

#include <string>

#include "lib/text/regex.h"
#include "lib/text/utf8.h"

namespace quern::text {
namespace {

using Words = std::vector<std::string_view>;

// \s and \S as Unicode's White_Space property: PCRE2's own \s also holds U+180E, which left that property in
// Unicode 6.3.
std::string with_unicode_spaces(std::string_view expression) {
  static constexpr std::string_view kSpaces =
      R"(\t-\r\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '\\' && i + 1 < expression.size()) {
      const char escaped = expression[++i];
      if (escaped == 's')
        out += in_class ? std::string(kSpaces) : cat('[', kSpaces, ']');
      else if (escaped == 'S' && !in_class)
        out += cat("[^", kSpaces, ']');
      else
        out.append({c, escaped});
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out.push_back(c);
  }
  return out;
}

// Appends the matches of one expression in `text`, and the stretches between them. `text` is valid UTF-8.
void cut(const Regex& regex, std::string_view text, RegexScratch& scratch, Words& out) {
  size_t begin = 0;
  while (begin < text.size()) {
    const auto match = regex.find(text, begin, scratch);
    if (!match) break;  // the rest is one word
    if (match->begin > begin) out.push_back(text.substr(begin, match->begin - begin));
    out.push_back(text.substr(match->begin, match->end - match->begin));
    begin = match->end;
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
}

}  // namespace

struct PreTokenizer::Impl {
  std::vector<Regex> expressions;
};

PreTokenizer::PreTokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

Result<PreTokenizer> PreTokenizer::create(std::string_view name, std::string_view where) {
  const PreTokenizerSpec* spec = find_pretokenizer(name);
  QUERN_ENSURE(spec != nullptr, Errc::unsupported, where, ": the pre-tokenizer '", name.substr(0, 80),
               "' is not supported");
  return create(spec->expressions, where);
}

Result<PreTokenizer> PreTokenizer::create(std::span<const char* const> expressions, std::string_view where) {
  auto impl = std::make_unique<Impl>();
  for (const char* expression : expressions) {
    auto regex = Regex::compile(with_unicode_spaces(expression));
    if (!regex) {
      const Errc code = regex.error().code == Errc::argument ? Errc::internal : regex.error().code;
      return fail(code, where, ": the pre-tokenizer: ", regex.error().message);
    }
    impl->expressions.push_back(std::move(*regex));
  }
  return PreTokenizer(std::move(impl));
}

void PreTokenizer::split_valid(std::string_view text, RegexScratch& scratch, Words& out) const {
  Words pieces{text}, next;
  for (const Regex& regex : impl_->expressions) {
    next.clear();
    for (const std::string_view piece : pieces) cut(regex, piece, scratch, next);
    pieces.swap(next);
  }
  out.insert(out.end(), pieces.begin(), pieces.end());
}

Words PreTokenizer::split(std::string_view text) const {
  Words words;
  RegexScratch scratch;
  size_t begin = 0;  // of the valid stretch
  const auto close = [&](size_t end) {
    if (end > begin && scratch) split_valid(text.substr(begin, end - begin), scratch, words);
    if (end > begin && !scratch) words.push_back(text.substr(begin, end - begin));
  };
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = read_utf8(text.substr(i, 4));
    if (step.kind != Utf8Step::Kind::valid) {
      close(i);
      words.push_back(text.substr(i, step.size));
      begin = i + step.size;
    }
    i += step.size;
  }
  close(text.size());
  return words;
}

}  // namespace quern::text
