#include "lib/text/pretokenize.h"

#include <algorithm>
#include <string>

#include "lib/text/regex.h"
#include "lib/text/utf8.h"

namespace quern::text {
namespace {

using Words = std::vector<std::string_view>;

enum class Cut : uint8_t {
  isolate,           // a match is a word
  by_three,          // a match is a run of digits: each group of three from the right is a word, and what is left
  before_each_three  // the same, but the first group stays with what is before the run, and what follows with the last
};

struct Step {
  Regex regex;
  Cut cut;
};

// What finds the words of an expression in linear time.
struct Linear {
  std::string_view expression, runs;
  Cut cut;
};
constexpr Linear kLinear[] = {{kDigitsByThree, R"((?<!\d)\d++\b)", Cut::by_three},
                              {kAllDigitsByThree, R"(\p{Nd}++)", Cut::by_three},
                              {kBeforeThreeDigits, R"(\d++)", Cut::before_each_three}};

Result<Step> make_step(std::string_view expression) {
  const auto* linear =
      std::find_if(std::begin(kLinear), std::end(kLinear), [&](const Linear& l) { return l.expression == expression; });
  const bool known = linear != std::end(kLinear);
  QUERN_TRY(Regex regex, Regex::compile(with_unicode_spaces(known ? linear->runs : expression)));
  return Step{std::move(regex), known ? linear->cut : Cut::isolate};
}

// Appends a run of digits, cut into threes from its right end. `begin` is where the word before the run starts, or the
// run itself. Returns where the word that is not yet complete starts.
size_t cut_digits(std::string_view text, size_t begin, Regex::Match run, bool closed, Words& out) {
  std::vector<size_t> digits;  // where each begins
  for (size_t i = run.begin; i < run.end; i += read_utf8(text.substr(i, 4)).size) digits.push_back(i);
  for (size_t i = 0; i < digits.size(); ++i) {
    if ((digits.size() - i) % 3 != 0 || digits[i] == begin) continue;
    out.push_back(text.substr(begin, digits[i] - begin));
    begin = digits[i];
  }
  if (!closed) return begin;
  out.push_back(text.substr(begin, run.end - begin));
  return run.end;
}

// Appends the matches of one expression in `text`, and the stretches between them. `text` is valid UTF-8.
void cut(const Step& step, std::string_view text, RegexScratch& scratch, Words& out) {
  size_t begin = 0;  // of the next word
  for (size_t from = 0; from < text.size();) {
    const auto match = step.regex.find(text, from, scratch);
    if (!match) break;  // the rest is one word
    from = match->end;
    if (step.cut == Cut::before_each_three) {
      begin = cut_digits(text, begin, *match, false, out);
      continue;
    }
    if (match->begin > begin) out.push_back(text.substr(begin, match->begin - begin));
    begin = match->end;
    if (step.cut == Cut::isolate) {
      out.push_back(text.substr(match->begin, match->end - match->begin));
    } else {
      cut_digits(text, match->begin, *match, true, out);
    }
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
}

}  // namespace

struct PreTokenizer::Impl {
  std::vector<Step> steps;
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
    auto step = make_step(expression);
    if (!step) {
      const Errc code = step.error().code == Errc::argument ? Errc::internal : step.error().code;
      return fail(code, where, ": the pre-tokenizer: ", step.error().message);
    }
    impl->steps.push_back(std::move(*step));
  }
  return PreTokenizer(std::move(impl));
}

Words PreTokenizer::split(std::string_view text) const {
  if (text.empty()) return {};
  Words pieces{text}, next;
  RegexScratch scratch;
  if (!scratch) return pieces;  // no memory: the text is one word
  for (const Step& step : impl_->steps) {
    next.clear();
    for (const std::string_view piece : pieces) cut(step, piece, scratch, next);
    pieces.swap(next);
  }
  return pieces;
}

}  // namespace quern::text
