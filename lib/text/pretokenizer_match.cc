#include "lib/text/pretokenizer_match.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "lib/text/utf8.h"

namespace quern::text {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::string out;
  std::string_view rest = text;
  for (size_t i; (i = rest.find(from)) != std::string_view::npos; rest.remove_prefix(i + from.size())) {
    out.append(rest.substr(0, i));
    out.append(to);
  }
  out.append(rest);
  text = std::move(out);
}

// \x{4e00} as the character itself, where it is no ASCII character, which might have a meaning in an expression.
std::string with_plain_characters(std::string_view expression) {
  std::string out;
  while (!expression.empty()) {
    const size_t end = expression.starts_with("\\x{") ? expression.find('}') : std::string_view::npos;
    if (end != std::string_view::npos) {
      uint32_t c = 0;
      const char *first = expression.data() + 3, *last = expression.data() + end;
      const auto [stop, error] = std::from_chars(first, last, c, 16);
      if (error == std::errc() && stop == last && c >= 0x80 && c <= 0x10FFFF) {
        append_utf8(out, c);
        expression.remove_prefix(end + 1);
        continue;
      }
    }
    out.push_back(expression.front());
    expression.remove_prefix(1);
  }
  return out;
}

// One spelling for expressions that mean the same. Case-insensitive contractions are taken to be of ASCII letters, as
// the expressions of the table are.
std::string canonical(std::string_view expression) {
  constexpr std::string_view kSpelled = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
  constexpr std::array<std::string_view, 3> kContractions = {
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?i:'s|'t|'re|'ve|'m|'ll|'d|'S|'T|'RE|'VE|'M|'LL|'D)",
      "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"};
  const std::string optional = cat("(?:", kSpelled, ")?");
  std::string out = with_plain_characters(expression);
  for (const std::string_view contractions : kContractions) replace_all(out, cat(contractions, "?"), "\x01");
  for (const std::string_view contractions : kContractions) replace_all(out, contractions, kSpelled);
  replace_all(out, "\x01", optional);
  // BLOOM's files write the punctuation as a set within the set, as the library that runs them allows.
  if (constexpr std::string_view kNested = "[^(\\s|[.,!?"; out.find(kNested) != std::string::npos) {
    replace_all(out, kNested, "[^(\\s|.,!?");
    replace_all(out, "])]+", ")]+");
  }
  return out;
}

// Of names with equal expressions, these come first.
constexpr std::array<std::string_view, 12> kBestKnown = {"gpt-2",  "llama-bpe", "dbrx",        "qwen2",
                                                         "qwen35", "starcoder", "deepseek-v3", "deepseek-coder",
                                                         "gpt-4o", "tekken",    "bloom",       "falcon"};

bool same(const PreTokenizerSpec& spec, std::span<const std::string> expressions) {
  return spec.characters == Characters::bytes &&
         std::equal(spec.expressions.begin(), spec.expressions.end(), expressions.begin(), expressions.end(),
                    [](const char* a, const std::string& b) { return canonical(a) == b; });
}

}  // namespace

const PreTokenizerSpec* match_pretokenizer(std::span<const std::string> expressions, bool ignore_merges) {
  std::vector<std::string> wanted;
  for (const std::string& expression : expressions) wanted.push_back(canonical(expression));
  const auto rank = [&](const PreTokenizerSpec& spec) {
    const auto known = std::find(kBestKnown.begin(), kBestKnown.end(), spec.name) - kBestKnown.begin();
    return known + (spec.ignore_merges == ignore_merges ? 0 : std::ssize(kBestKnown) + 1);
  };
  const PreTokenizerSpec* best = nullptr;
  for (const PreTokenizerSpec& spec : pretokenizer_specs()) {
    if (same(spec, wanted) && (best == nullptr || rank(spec) < rank(*best))) best = &spec;
  }
  return best;
}

}  // namespace quern::text
