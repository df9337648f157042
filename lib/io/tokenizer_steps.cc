#include "lib/io/tokenizer_steps.h"

#include <algorithm>

#include "lib/io/base64.h"
#include "lib/io/names.h"
#include "lib/text/pretokenizer_match.h"

namespace quern::io {
namespace {

constexpr std::string_view kUnderline = "\xE2\x96\x81";  // U+2581

Error unsupported(const JsonAt& at, std::string_view what) {
  return fail(Errc::unsupported, at.place(), ": ", what, " is not supported");
}

Result<bool> flag(const JsonAt& step, std::string_view name, bool fallback) {
  QUERN_TRY(const auto value, step[name].boolean());
  return value.value_or(fallback);
}

// A handler of each type of step, found by its name.
using Handler = Status (*)(const JsonAt& step, TextSteps& out);
struct StepType {
  std::string_view name;
  Handler handle;
};

template <size_t N>
Status run_step(const JsonAt& step, const StepType (&types)[N], std::string_view list_name, TextSteps& out) {
  if (!step.present()) return {};
  QUERN_TRY(const std::string type, step["type"].need_text());
  if (type == "Sequence") {
    const JsonAt list = step[list_name];
    QUERN_CHECK(list.need_array());
    for (size_t i = 0; i < list.size(); ++i) QUERN_CHECK(run_step(list[i], types, list_name, out));
    return {};
  }
  for (const StepType& known : types) {
    if (known.name == type) return known.handle(step, out);
  }
  return unsupported(step, cat("the step ", quoted(type)));
}

// The pattern of a Replace or Split step: {"String": s} or {"Regex": r}.
struct Pattern {
  std::string text;
  bool is_regex;
};

Result<Pattern> read_pattern(const JsonAt& step) {
  const JsonAt pattern = step["pattern"];
  if (pattern["Regex"].present()) {
    QUERN_TRY(std::string text, pattern["Regex"].need_text());
    return Pattern{std::move(text), true};
  }
  QUERN_TRY(std::string text, pattern["String"].need_text());
  return Pattern{std::move(text), false};
}

// Normalizers.

Status use_nfc(const JsonAt&, TextSteps& out) {
  out.nfc = true;
  return {};
}

Status use_prepend(const JsonAt& step, TextSteps& out) {
  if (!step["prepend"].is(kUnderline)) return unsupported(step["prepend"], "anything but U+2581");
  out.prefix = SpacePrefix::always;
  return {};
}

Status use_replace(const JsonAt& step, TextSteps& out) {
  QUERN_TRY(const Pattern pattern, read_pattern(step));
  QUERN_TRY(const std::string content, step["content"].need_text());
  const bool to_space = content == " " || content == kUnderline;
  if (!pattern.is_regex && pattern.text == " " && content == kUnderline) {
    out.underlines = true;
  } else if (pattern.is_regex && pattern.text == " {2,}" && to_space) {
    out.collapse_spaces = true;
  } else {
    return unsupported(step, cat("replacing ", quoted(pattern.text), " by ", quoted(content)));
  }
  return {};
}

Status use_charsmap(const JsonAt& step, TextSteps& out) {
  const JsonAt at = step["precompiled_charsmap"];
  QUERN_TRY(const std::string* const encoded, at.text());
  if (encoded == nullptr || encoded->empty()) return {};
  auto bytes = decode_base64(*encoded);
  QUERN_ENSURE(bytes, Errc::format, at.place(), ": is not base64");
  out.charsmap = std::move(*bytes);
  return {};
}

// Spaces at the ends: SentencePiece removes them where it collapses runs of them.
Status use_strip(const JsonAt& step, TextSteps& out) {
  QUERN_TRY(const bool right, flag(step, "strip_right", true));
  if (right) out.collapse_spaces = true;
  return {};
}

Status use_bert_normalizer(const JsonAt& step, TextSteps& out) {
  QUERN_TRY(const bool clean, flag(step, "clean_text", true));
  if (!clean) return unsupported(step["clean_text"], "false");
  QUERN_TRY(const bool chinese, flag(step, "handle_chinese_chars", true));
  if (!chinese) return unsupported(step["handle_chinese_chars"], "false");
  QUERN_TRY(out.lowercase, flag(step, "lowercase", true));
  QUERN_TRY(out.strip_accents, flag(step, "strip_accents", out.lowercase));
  out.bert_normalizer = true;
  return {};
}

constexpr StepType kNormalizers[] = {{"NFC", use_nfc},         {"Prepend", use_prepend},
                                     {"Replace", use_replace}, {"Precompiled", use_charsmap},
                                     {"Strip", use_strip},     {"BertNormalizer", use_bert_normalizer}};

// Pre-tokenizers.

Status use_byte_level(const JsonAt& step, TextSteps& out) {
  QUERN_TRY(const bool prefix, flag(step, "add_prefix_space", true));
  if (prefix) return unsupported(step["add_prefix_space"], "true");
  QUERN_TRY(const bool use_regex, flag(step, "use_regex", true));
  if (use_regex) out.expressions.emplace_back(text::kGpt2Expression);
  out.byte_level = true;
  return {};
}

Status use_split(const JsonAt& step, TextSteps& out) {
  QUERN_TRY(const Pattern pattern, read_pattern(step));
  QUERN_TRY(const bool invert, flag(step, "invert", false));
  const JsonAt behavior = step["behavior"];
  // Cut at spaces of which the normalizer has left none.
  if (!pattern.is_regex && pattern.text == " " && out.underlines) return {};
  if (!pattern.is_regex) return unsupported(step, cat("cutting at the string ", quoted(pattern.text)));
  // "Removed" with invert keeps the matches and drops what lies between. Nothing does where the expression matches any
  // text, as all do that consist of one.
  const bool keeps_all = behavior.is("Isolated") || (behavior.is("Removed") && invert && out.expressions.empty());
  if (!keeps_all) return unsupported(behavior, "this behavior");
  out.expressions.push_back(pattern.text);
  return {};
}

Status use_digits(const JsonAt& step, TextSteps& out) {
  QUERN_TRY(const bool individual, flag(step, "individual_digits", false));
  out.expressions.emplace_back(individual ? text::kEachDigitExpression : text::kDigitsExpression);
  return {};
}

Status use_punctuation(const JsonAt& step, TextSteps& out) {
  if (!step["behavior"].is("Contiguous")) return unsupported(step["behavior"], "anything but 'Contiguous'");
  out.expressions.emplace_back(text::kPunctuationExpression);
  return {};
}

Status use_metaspace(const JsonAt& step, TextSteps& out) {
  const JsonAt replacement = step["replacement"];
  if (replacement.present() && !replacement.is(kUnderline)) return unsupported(replacement, "anything but U+2581");
  out.underlines = true;
  QUERN_TRY(out.cut_at_underlines, flag(step, "split", true));
  const JsonAt scheme = step["prepend_scheme"];
  if (!scheme.present()) {  // files from before there were schemes
    QUERN_TRY(const bool prefix, flag(step, "add_prefix_space", true));
    if (prefix) out.prefix = SpacePrefix::if_missing;
  } else if (scheme.is("always")) {
    out.prefix = SpacePrefix::if_missing;
  } else if (scheme.is("first")) {
    out.prefix = SpacePrefix::first;
  } else if (!scheme.is("never")) {
    return unsupported(scheme, "this scheme");
  }
  return {};
}

// Words between white space, each of which Metaspace then gives its U+2581: that is what collapsing spaces does.
Status use_whitespace_split(const JsonAt&, TextSteps& out) {
  out.collapse_spaces = true;
  return {};
}

Status use_bert_words(const JsonAt&, TextSteps& out) {
  out.bert_words = true;
  return {};
}

constexpr StepType kPreTokenizers[] = {
    {"ByteLevel", use_byte_level},       {"Split", use_split},         {"Digits", use_digits},
    {"Punctuation", use_punctuation},    {"Metaspace", use_metaspace}, {"WhitespaceSplit", use_whitespace_split},
    {"BertPreTokenizer", use_bert_words}};

// Post-processors.

Status set_once(const JsonAt& at, std::optional<std::string>& target, const std::string& text) {
  if (target && *target != text)
    return unsupported(at, cat("a second token ", quoted(text), " beside ", quoted(*target)));
  target = text;
  return {};
}

Status read_template(const JsonAt& step, Surround& out) {
  const JsonAt list = step["single"];
  QUERN_CHECK(list.need_array());
  bool text_seen = false;
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i]["Sequence"].present()) {
      text_seen = true;
      continue;
    }
    QUERN_TRY(const std::string token, list[i]["SpecialToken"]["id"].need_text());
    QUERN_CHECK(set_once(list[i], text_seen ? out.after : out.before, token));
  }
  return {};
}

// BertProcessing and RobertaProcessing: "sep": [text, id], "cls": [text, id].
Status read_cls_sep(const JsonAt& step, Surround& out) {
  QUERN_TRY(const std::string cls, step["cls"][size_t{0}].need_text());
  QUERN_TRY(const std::string sep, step["sep"][size_t{0}].need_text());
  QUERN_CHECK(set_once(step, out.before, cls));
  return set_once(step, out.after, sep);
}

Status run_post_processor(const JsonAt& step, Surround& out) {
  if (!step.present()) return {};
  QUERN_TRY(const std::string type, step["type"].need_text());
  if (type == "ByteLevel") return {};  // about offsets only
  if (type == "TemplateProcessing") return read_template(step, out);
  if (type == "BertProcessing" || type == "RobertaProcessing") return read_cls_sep(step, out);
  if (type != "Sequence") return unsupported(step, cat("the step ", quoted(type)));
  const JsonAt list = step["processors"];
  QUERN_CHECK(list.need_array());
  for (size_t i = 0; i < list.size(); ++i) QUERN_CHECK(run_post_processor(list[i], out));
  return {};
}

}  // namespace

Result<TextSteps> read_text_steps(const JsonAt& root) {
  TextSteps out;
  QUERN_CHECK(run_step(root["normalizer"], kNormalizers, "normalizers", out));
  QUERN_CHECK(run_step(root["pre_tokenizer"], kPreTokenizers, "pretokenizers", out));
  return out;
}

Result<Surround> read_post_processor(const JsonAt& root) {
  Surround out;
  QUERN_CHECK(run_post_processor(root["post_processor"], out));
  return out;
}

}  // namespace quern::io
