#define PCRE2_CODE_UNIT_WIDTH 8
#include "lib/text/pretokenize.h"

#include <pcre2.h>

#include <string>

#include "lib/text/utf8.h"

namespace quern::text {
namespace {

// A call of the matcher that backtracks more often than this gives up; the words of the tables never come near.
constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kDepthLimit = 10'000;
constexpr uint32_t kHeapLimitKib = 64 * 1024;

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using Code = std::unique_ptr<pcre2_code, FreeCode>;
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

Result<Code> compile(const char* expression, std::string_view where) {
  const std::string expanded = with_unicode_spaces(expression);
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expanded.data()), expanded.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE, &error, &offset,
                          nullptr));
  if (!code) {
    PCRE2_UCHAR text[256] = {};
    pcre2_get_error_message(error, text, sizeof text);
    return fail(Errc::internal, where, ": the pre-tokenizer's expression '", expression,
                "' does not compile: ", reinterpret_cast<const char*>(text), " at byte ", offset);
  }
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where this fails, the interpreter does the work
  return code;
}

// Appends the matches of one expression in `text`, and the stretches between them. `text` is valid UTF-8.
void cut(const pcre2_code* code, std::string_view text, pcre2_match_data* data, pcre2_match_context* context,
         Words& out) {
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data);
  size_t begin = 0;
  while (begin < text.size()) {
    const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin,
                                  PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, data, context);
    if (found < 0) break;  // no match, or a limit: the rest is one word
    if (bounds[0] > begin) out.push_back(text.substr(begin, bounds[0] - begin));
    out.push_back(text.substr(bounds[0], bounds[1] - bounds[0]));
    begin = bounds[1];
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
}

}  // namespace

struct PreTokenizer::Impl {
  std::vector<Code> codes;
  std::unique_ptr<pcre2_match_context, FreeContext> context;
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
    QUERN_TRY(Code code, compile(expression, where));
    impl->codes.push_back(std::move(code));
  }
  impl->context.reset(pcre2_match_context_create(nullptr));
  QUERN_ENSURE(impl->context != nullptr, Errc::memory, where, ": no memory for the pre-tokenizer");
  pcre2_set_match_limit(impl->context.get(), kMatchLimit);
  pcre2_set_depth_limit(impl->context.get(), kDepthLimit);
  pcre2_set_heap_limit(impl->context.get(), kHeapLimitKib);
  return PreTokenizer(std::move(impl));
}

void PreTokenizer::split_valid(std::string_view text, void* data, Words& out) const {
  Words pieces{text}, next;
  for (const Code& code : impl_->codes) {
    next.clear();
    for (const std::string_view piece : pieces) {
      cut(code.get(), piece, static_cast<pcre2_match_data*>(data), impl_->context.get(), next);
    }
    pieces.swap(next);
  }
  out.insert(out.end(), pieces.begin(), pieces.end());
}

Words PreTokenizer::split(std::string_view text) const {
  Words words;
  const std::unique_ptr<pcre2_match_data, FreeData> data(pcre2_match_data_create(1, nullptr));
  size_t begin = 0;  // of the valid stretch
  const auto close = [&](size_t end) {
    if (end > begin && data) split_valid(text.substr(begin, end - begin), data.get(), words);
    if (end > begin && !data) words.push_back(text.substr(begin, end - begin));
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
