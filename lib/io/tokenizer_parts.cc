#include "lib/io/tokenizer_parts.h"

#include <algorithm>
#include <array>

#include "lib/io/gguf.h"
#include "lib/io/names.h"

namespace quern::io {
namespace {

using text::TokenType;

constexpr int64_t kMaxTokens = int64_t{1} << 22;
constexpr size_t kMaxTokenBytes = size_t{64} << 10;
// How many ids in a row may be without a token: a small file must not ask for much memory. Models round their
// vocabularies up to multiples of some hundreds or thousands.
constexpr int64_t kMaxHole = int64_t{1} << 16;

constexpr float kPadScore = -10000;

template <class T>
std::vector<int64_t> widen(const std::vector<T>& values) {
  std::vector<int64_t> out;
  out.reserve(values.size());
  for (const T value : values) out.push_back(static_cast<int64_t>(value));
  return out;
}

// Collects entries; the first error stays.
class KeyWriter {
 public:
  explicit KeyWriter(std::string file) : meta_(std::move(file)) {}

  void add(std::string key, MetaValue value, ValueType type) {
    if (!status_.has_value()) return;
    status_ = meta_.add({std::move(key), std::move(value), static_cast<uint32_t>(type)});
  }
  void text(std::string_view key, std::string value) { add(std::string(key), std::move(value), ValueType::string); }
  void flag(std::string_view key, const std::optional<bool>& value) {
    if (value) add(std::string(key), *value, ValueType::boolean);
  }
  void set_flag(std::string_view key, bool value) {
    if (value) add(std::string(key), true, ValueType::boolean);
  }
  void ids(std::string_view key, const std::vector<int32_t>& values) {
    if (!values.empty()) add(std::string(key), widen(values), ValueType::i32);
  }
  Result<MetaTable> finish() {
    QUERN_CHECK(std::move(status_));
    return std::move(meta_);
  }

 private:
  MetaTable meta_;
  Status status_;
};

void write_templates(KeyWriter& keys, TokenizerParts& parts) {
  if (!parts.chat_template.empty()) keys.text("tokenizer.chat_template", std::move(parts.chat_template));
  if (parts.named_templates.empty()) return;
  std::vector<std::string> names;
  for (auto& [name, source] : parts.named_templates) {
    keys.text(cat("tokenizer.chat_template.", name), std::move(source));
    names.push_back(name);
  }
  keys.add("tokenizer.chat_templates", std::move(names), ValueType::string);
}

}  // namespace

bool looks_special(std::string_view text) {
  constexpr std::string_view kWide = "\xEF\xBD\x9C";  // U+FF5C, as in DeepSeek's
  const auto between = [&](std::string_view head, std::string_view tail) {
    return text.size() > head.size() + tail.size() && text.starts_with(head) && text.ends_with(tail);
  };
  constexpr std::array<std::string_view, 4> kNames = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
  return between("<|", "|>") || between(cat("<", kWide), cat(kWide, ">")) || between("<unused", ">") ||
         std::find(kNames.begin(), kNames.end(), text) != kNames.end();
}

Status TokenizerParts::place(int64_t id, std::string_view text, TokenType type, float score) {
  const auto n = static_cast<int64_t>(tokens.size());
  QUERN_ENSURE(id >= 0 && id < kMaxTokens, Errc::format, file, ": the token ", quoted(text), " has the id ", id,
               ", expected 0 to ", kMaxTokens - 1);
  QUERN_ENSURE(id - n < kMaxHole, Errc::format, file, ": the token ", quoted(text), " has the id ", id, ", but only ",
               n, " tokens come before it");
  QUERN_ENSURE(text.size() <= kMaxTokenBytes, Errc::unsupported, file, ": the token ", id, " has ", text.size(),
               " bytes, at most ", kMaxTokenBytes, " are supported");
  if (id >= n) QUERN_CHECK(pad_to(id + 1));
  const auto at = static_cast<size_t>(id);
  QUERN_ENSURE(types[at] == TokenType::unused || tokens[at] == text, Errc::format, file, ": the id ", id,
               " is that of the token ", quoted(tokens[at]), " and of the token ", quoted(text));
  tokens[at] = text;
  types[at] = type;
  scores[at] = score;
  return {};
}

Status TokenizerParts::add(const AddedToken& token) {
  const bool control = token.special || looks_special(token.text);
  std::string spelled = token.text;
  if (!control) {  // a user-defined token is matched in text, where spaces are spaces
    constexpr std::string_view kUnderline = "\xE2\x96\x81";
    for (size_t i; (i = spelled.find(kUnderline)) != std::string::npos;) spelled.replace(i, kUnderline.size(), " ");
  }
  TokenType type = control ? TokenType::control : TokenType::user_defined;
  const bool placed = token.id >= 0 && token.id < static_cast<int64_t>(tokens.size()) &&
                      types[static_cast<size_t>(token.id)] != TokenType::unused;
  float score = -1000;
  if (placed) {
    const auto at = static_cast<size_t>(token.id);
    score = scores[at];
    if (types[at] == TokenType::unknown || types[at] == TokenType::byte) type = types[at];
    if (tokens[at] == token.text) tokens[at] = spelled;
  }
  QUERN_CHECK(place(token.id, spelled, type, score));
  if (token.strip_left) strip_left.push_back(static_cast<int32_t>(token.id));
  if (token.strip_right) strip_right.push_back(static_cast<int32_t>(token.id));
  return {};
}

Status TokenizerParts::pad_to(int64_t n) {
  QUERN_ENSURE(n <= kMaxTokens && n - static_cast<int64_t>(tokens.size()) <= kMaxHole, Errc::format, file,
               ": a vocabulary of ", n, " is asked for, but there are only ", tokens.size(), " tokens");
  for (int64_t i = static_cast<int64_t>(tokens.size()); i < n; ++i) {
    tokens.push_back(cat("[PAD", i, "]"));
    types.push_back(TokenType::unused);
    scores.push_back(kPadScore);
  }
  return {};
}

int32_t TokenizerParts::find(std::string_view text) const {
  const auto found = std::find(tokens.begin(), tokens.end(), text);
  return found == tokens.end() ? -1 : static_cast<int32_t>(found - tokens.begin());
}

Result<MetaTable> to_meta(TokenizerParts parts) {
  KeyWriter keys(parts.file);
  keys.text("tokenizer.ggml.model", parts.model);
  keys.text("tokenizer.ggml.pre", parts.pre);
  keys.add("tokenizer.ggml.tokens", std::move(parts.tokens), ValueType::string);
  if (parts.model == "llama" || parts.model == "t5")
    keys.add("tokenizer.ggml.scores", std::vector<double>(parts.scores.begin(), parts.scores.end()), ValueType::f32);
  keys.add("tokenizer.ggml.token_type", widen(parts.types), ValueType::i32);
  if (!parts.merges.empty()) keys.add("tokenizer.ggml.merges", std::move(parts.merges), ValueType::string);
  for (const std::string_view name : {"bos", "eos", "eot", "eom", "unknown", "seperator", "padding", "cls", "mask"}) {
    const auto id = parts.ids.find(name);
    if (id == parts.ids.end()) continue;
    keys.add(cat("tokenizer.ggml.", name, "_token_id"), static_cast<uint64_t>(id->second), ValueType::u32);
  }
  keys.ids(kEndIdsKey, parts.end_ids);
  keys.flag("tokenizer.ggml.add_bos_token", parts.add_bos);
  keys.flag("tokenizer.ggml.add_eos_token", parts.add_eos);
  keys.flag("tokenizer.ggml.add_sep_token", parts.add_sep);
  keys.flag("tokenizer.ggml.add_space_prefix", parts.add_space_prefix);
  keys.flag("tokenizer.ggml.remove_extra_whitespaces", parts.remove_extra_whitespaces);
  keys.flag("tokenizer.ggml.ignore_merges", parts.ignore_merges);
  keys.flag("tokenizer.ggml.normalizer.lowercase", parts.lowercase);
  keys.flag("tokenizer.ggml.normalizer.strip_accents", parts.strip_accents);
  if (!parts.charsmap.empty()) {
    std::vector<uint64_t> bytes;
    bytes.reserve(parts.charsmap.size());
    for (const char c : parts.charsmap) bytes.push_back(static_cast<uint8_t>(c));
    keys.add("tokenizer.ggml.precompiled_charsmap", std::move(bytes), ValueType::u8);
  }
  keys.ids(kStripLeftKey, parts.strip_left);
  keys.ids(kStripRightKey, parts.strip_right);
  keys.set_flag(kNfcKey, parts.nfc);
  keys.set_flag(kPrefixOnceKey, parts.prefix_once);
  keys.set_flag(kPrefixIfMissingKey, parts.prefix_if_missing);
  write_templates(keys, parts);
  return keys.finish();
}

}  // namespace quern::io
