#define PCRE2_CODE_UNIT_WIDTH 8
#include "lib/text/regex.h"

#include <pcre2.h>

namespace quern::text {

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

namespace {

// A search that backtracks more often than this gives up; the words of pre-tokenizers never come near.
constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kDepthLimit = 10'000;
constexpr uint32_t kHeapLimitKib = 64 * 1024;

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

PCRE2_SPTR bytes(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

struct RegexScratch::Impl {
  std::unique_ptr<pcre2_match_data, Free> data;
};

RegexScratch::RegexScratch() {
  auto impl = std::make_unique<Impl>();
  impl->data.reset(pcre2_match_data_create(1, nullptr));
  if (impl->data) impl_ = std::move(impl);
}
RegexScratch::RegexScratch(RegexScratch&&) noexcept = default;
RegexScratch& RegexScratch::operator=(RegexScratch&&) noexcept = default;
RegexScratch::~RegexScratch() = default;

struct Regex::Impl {
  std::unique_ptr<pcre2_code, Free> code;
  std::unique_ptr<pcre2_match_context, Free> context;
};

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view expression) {
  auto impl = std::make_unique<Impl>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  impl->code.reset(pcre2_compile(bytes(expression), expression.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE, &error, &offset,
                                 nullptr));
  if (!impl->code) {
    PCRE2_UCHAR text[256] = {};
    pcre2_get_error_message(error, text, sizeof text);
    return fail(Errc::argument, "the regular expression '", expression,
                "' does not compile: ", reinterpret_cast<const char*>(text), " at byte ", offset);
  }
  pcre2_jit_compile(impl->code.get(), PCRE2_JIT_COMPLETE);  // where this fails, the interpreter does the work
  impl->context.reset(pcre2_match_context_create(nullptr));
  QUERN_ENSURE(impl->context != nullptr, Errc::memory, "no memory for the regular expression '", expression, "'");
  pcre2_set_match_limit(impl->context.get(), kMatchLimit);
  pcre2_set_depth_limit(impl->context.get(), kDepthLimit);
  pcre2_set_heap_limit(impl->context.get(), kHeapLimitKib);
  return Regex(std::move(impl));
}

std::optional<Regex::Match> Regex::find(std::string_view text, size_t from, RegexScratch& scratch) const {
  pcre2_match_data* data = scratch.impl_->data.get();
  const int found = pcre2_match(impl_->code.get(), bytes(text), text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                                data, impl_->context.get());
  if (found < 0) return std::nullopt;
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data);
  return Match{bounds[0], bounds[1]};
}

bool Regex::matches(std::string_view text) const {
  const RegexScratch scratch;
  return scratch && pcre2_match(impl_->code.get(), bytes(text), text.size(), 0, 0, scratch.impl_->data.get(),
                                impl_->context.get()) >= 0;
}

}  // namespace quern::text
