#include "lib/io/tokenizer_json.h"

#include <algorithm>
#include <cmath>

#include "lib/io/bpe_scores.h"
#include "lib/io/names.h"
#include "lib/io/tokenizer_steps.h"
#include "lib/text/byte_token.h"
#include "lib/text/pretokenizer_match.h"
#include "lib/text/token_index.h"

namespace quern::io {
namespace {

using text::TokenType;

constexpr std::string_view kUnderline = "\xE2\x96\x81";  // U+2581
constexpr size_t kMaxMerges = size_t{1} << 23;

Error unsupported(const JsonAt& at, std::string_view what) {
  return fail(Errc::unsupported, at.place(), ": ", what, " is not supported");
}

Result<bool> flag(const JsonAt& object, std::string_view name) {
  QUERN_TRY(const auto value, object[name].boolean());
  return value.value_or(false);
}

/// An option that Quern has only one value of: absent, null, false, 0 or "".
Status need_unset(const JsonAt& option) {
  const Json* value = option.value();
  if (value == nullptr) return {};
  const bool* b = value->get<bool>();
  const auto* text = value->get<std::string>();
  const int64_t* i = value->get<int64_t>();
  const double* d = value->get<double>();
  const bool unset = (b && !*b) || (text && text->empty()) || (i && *i == 0) || (d && *d == 0);
  if (!unset) return unsupported(option, value->describe());
  return {};
}

// {"text": id, ...}
Status place_vocab(const JsonAt& vocab, TokenizerParts& parts) {
  QUERN_TRY(const Json::Object* const members, vocab.need_object());
  int64_t highest = -1;
  for (const JsonMember& member : *members) {
    const int64_t* id = member.value.get<int64_t>();
    QUERN_ENSURE(id, Errc::format, vocab.place(), ": the id of ", quoted(member.name), " is ", member.value.describe(),
                 ", expected an integer");
    highest = std::max(highest, *id);
  }
  // Ids come in any order: room for all of them first, so that a hole is told from one that is filled later.
  const auto n = static_cast<int64_t>(members->size());
  QUERN_ENSURE(n > 0, Errc::format, vocab.place(), ": has no tokens");
  QUERN_ENSURE(highest < n + (1 << 16), Errc::format, vocab.place(), ": has the id ", highest, ", but only ", n,
               " tokens");
  parts.tokens.reserve(static_cast<size_t>(highest + 1));
  for (int64_t filled = 0; filled <= highest; filled += 1 << 15)
    QUERN_CHECK(parts.pad_to(std::min(highest + 1, filled + (1 << 15))));
  for (const JsonMember& member : *members)
    QUERN_CHECK(parts.place(*member.value.get<int64_t>(), member.name, TokenType::normal, 0));
  return {};
}

Status place_added_tokens(const JsonAt& root, TokenizerParts& parts) {
  const JsonAt list = root["added_tokens"];
  QUERN_TRY(const Json::Array* const tokens, list.array());
  for (size_t i = 0; tokens && i < tokens->size(); ++i) {
    const JsonAt token = list[i];
    QUERN_TRY(const auto id, token["id"].integer());
    if (!id) return token["id"].mismatch("an integer");
    AddedToken added;
    added.id = *id;
    QUERN_TRY(added.text, token["content"].need_text());
    QUERN_TRY(added.special, flag(token, "special"));
    QUERN_TRY(added.strip_left, flag(token, "lstrip"));
    QUERN_TRY(added.strip_right, flag(token, "rstrip"));
    QUERN_CHECK(need_unset(token["single_word"]));
    QUERN_CHECK(parts.add(added));
  }
  return {};
}

/// The tokens that merges are made of, as the file spells them.
Result<text::TokenIndex> index_vocab(const JsonAt& vocab) {
  QUERN_TRY(const Json::Object* const members, vocab.need_object());
  text::TokenIndex index(members->size());
  for (const JsonMember& member : *members) index.add(member.name, static_cast<int32_t>(*member.value.get<int64_t>()));
  return index;
}

/// The two parts of a merge: "a b", or ["a", "b"] as newer files have it. Nothing where it is neither.
std::optional<std::pair<std::string_view, std::string_view>> read_merge(const Json& merge) {
  if (const auto* text = merge.get<std::string>()) {
    const size_t space = text->find(' ');
    const bool two = space != std::string::npos && space > 0 && space + 1 < text->size() &&
                     text->find(' ', space + 1) == std::string::npos;
    if (!two) return std::nullopt;
    return std::pair(std::string_view(*text).substr(0, space), std::string_view(*text).substr(space + 1));
  }
  const auto* parts = merge.get<Json::Array>();
  if (parts == nullptr || parts->size() != 2) return std::nullopt;
  const auto *left = (*parts)[0].get<std::string>(), *right = (*parts)[1].get<std::string>();
  if (left == nullptr || right == nullptr || left->empty() || right->empty()) return std::nullopt;
  return std::pair(std::string_view(*left), std::string_view(*right));
}

/// GGUF's spelling: a space between the parts, and U+0120 for a space inside one.
std::string spell_merge(std::string_view left, std::string_view right) {
  std::string out;
  for (const std::string_view part : {left, right}) {
    if (!out.empty()) out.push_back(' ');
    for (const char c : part) out.append(c == ' ' ? std::string_view("\xC4\xA0") : std::string_view(&c, 1));
  }
  return out;
}

/// All merges into parts.merges, and by ids. The vocabulary has been placed.
Result<std::vector<IdMerge>> read_merges(const JsonAt& model, TokenizerParts& parts) {
  QUERN_TRY(const text::TokenIndex index, index_vocab(model["vocab"]));
  const JsonAt list = model["merges"];
  QUERN_TRY(const Json::Array* const merges, list.need_array());
  QUERN_ENSURE(merges->size() <= kMaxMerges, Errc::unsupported, list.place(), ": has ", merges->size(),
               " merges, at most ", kMaxMerges, " are supported");
  std::vector<IdMerge> out;
  out.reserve(merges->size());
  parts.merges.reserve(merges->size());
  std::string merged;
  for (size_t rank = 0; rank < merges->size(); ++rank) {
    const auto halves = read_merge((*merges)[rank]);
    if (!halves) return list[rank].mismatch("two parts with a space between them");
    const auto [left, right] = *halves;
    merged.assign(left).append(right);
    const IdMerge merge{index.find(left), index.find(right), index.find(merged)};
    const std::string_view absent = merge.left < 0 ? left : merge.right < 0 ? right : merged;
    QUERN_ENSURE(merge.left >= 0 && merge.right >= 0 && merge.merged >= 0, Errc::format, list[rank].place(),
                 ": there is no token ", quoted(absent));
    out.push_back(merge);
    parts.merges.push_back(spell_merge(left, right));
  }
  return out;
}

/// The token that stands for text that is no token; "" for none.
Status set_unknown(const JsonAt& model, TokenizerParts& parts) {
  const JsonAt at = model["unk_token"];
  QUERN_TRY(const std::string* const text, at.text());
  if (text == nullptr || text->empty()) return {};
  const int32_t id = parts.find(*text);
  QUERN_ENSURE(id >= 0, Errc::format, at.place(), ": there is no token ", quoted(*text));
  parts.ids["unknown"] = id;
  const bool typed = parts.model == "llama" || parts.model == "t5";  // as GGUF files have it
  if (typed) parts.types[static_cast<size_t>(id)] = TokenType::unknown;
  return {};
}

void type_bytes(TokenizerParts& parts) {
  for (size_t i = 0; i < parts.tokens.size(); ++i) {
    if (text::byte_of_token(parts.tokens[i])) parts.types[i] = TokenType::byte;
  }
}

void set_prefix(const TextSteps& steps, TokenizerParts& parts) {
  parts.add_space_prefix = steps.prefix != SpacePrefix::none;
  parts.prefix_if_missing = steps.prefix == SpacePrefix::if_missing || steps.prefix == SpacePrefix::first;
  parts.prefix_once = steps.prefix == SpacePrefix::first;
}

/// Errors where the steps hold something that the family does not do.
Status refuse(const JsonAt& root, std::string_view family,
              std::initializer_list<std::pair<bool, std::string_view>> found) {
  for (const auto& [present, what] : found) {
    if (present) return unsupported(root, cat(what, " with ", family));
  }
  return {};
}

Status read_byte_bpe(const JsonAt& root, const TextSteps& steps, TokenizerParts& parts) {
  const JsonAt model = root["model"];
  QUERN_CHECK(refuse(root, "a byte-level BPE model",
                     {{steps.underlines || steps.prefix != SpacePrefix::none, "U+2581 for spaces"},
                      {steps.bert_words || steps.bert_normalizer, "a BERT step"},
                      {!steps.charsmap.empty() || steps.collapse_spaces, "a SentencePiece normalizer"}}));
  QUERN_TRY(const bool ignore_merges, flag(model, "ignore_merges"));
  const auto* spec = text::match_pretokenizer(steps.expressions, ignore_merges);
  if (spec == nullptr) {
    std::string shown;
    for (const std::string& expression : steps.expressions) shown += cat(shown.empty() ? "" : ", ", expression);
    return fail(Errc::unsupported, root["pre_tokenizer"].place(), ": no pre-tokenizer is known that cuts text by ",
                steps.expressions.empty() ? "nothing" : shown);
  }
  parts.pre = spec->name;
  if (spec->ignore_merges != ignore_merges) parts.ignore_merges = ignore_merges;
  parts.nfc = steps.nfc;
  QUERN_CHECK(read_merges(model, parts));
  return set_unknown(model, parts);
}

Status read_underline_bpe(const JsonAt& root, const TextSteps& steps, TokenizerParts& parts) {
  const JsonAt model = root["model"];
  QUERN_CHECK(refuse(root, "a BPE model over U+2581",
                     {{!steps.expressions.empty(), "cutting text by expressions"},
                      {steps.bert_words || steps.bert_normalizer, "a BERT step"},
                      {!steps.charsmap.empty() || steps.collapse_spaces, "a SentencePiece normalizer"}}));
  QUERN_CHECK(need_unset(model["ignore_merges"]));
  QUERN_TRY(const bool byte_fallback, flag(model, "byte_fallback"));
  if (!byte_fallback) QUERN_CHECK(need_unset(model["fuse_unk"]));
  if (byte_fallback) type_bytes(parts);
  QUERN_CHECK(set_unknown(model, parts));
  set_prefix(steps, parts);
  parts.nfc = steps.nfc;
  QUERN_TRY(const std::vector<IdMerge> merges, read_merges(model, parts));
  if (steps.cut_at_underlines) {
    for (const IdMerge& merge : merges) {
      const std::string_view right = parts.tokens[static_cast<size_t>(merge.right)];
      QUERN_ENSURE(right.find(kUnderline) == std::string_view::npos, Errc::unsupported, root["pre_tokenizer"].place(),
                   ": cutting at spaces, with merges across them as that of ", quoted(right), ", is not supported");
    }
  }
  const std::string obstacle = scores_from_ranks(merges, parts);
  if (obstacle.empty()) {
    parts.merges.clear();
    return {};
  }
  QUERN_ENSURE(steps.prefix == SpacePrefix::none && byte_fallback, Errc::unsupported, root["model"].place(),
               ": its merges cannot be put into an order of tokens: ", obstacle);
  const bool crosses_lines = std::any_of(merges.begin(), merges.end(), [&](const IdMerge& merge) {
    const std::string& token = parts.tokens[static_cast<size_t>(merge.merged)];
    const size_t n_newlines = static_cast<size_t>(std::count(token.begin(), token.end(), '\n'));
    return n_newlines != 0 && n_newlines != token.size();
  });
  QUERN_ENSURE(!crosses_lines, Errc::unsupported, root["model"].place(),
               ": merges over the ends of lines are not supported where ", obstacle);
  parts.model = "gemma4";
  return {};
}

Status read_bpe(const JsonAt& root, TokenizerParts& parts) {
  const JsonAt model = root["model"];
  QUERN_TRY(const TextSteps steps, read_text_steps(root));
  for (const char* option : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
    QUERN_CHECK(need_unset(model[option]));
  QUERN_CHECK(place_vocab(model["vocab"], parts));
  QUERN_CHECK(place_added_tokens(root, parts));
  if (steps.byte_level) {
    parts.model = "gpt2";
    return read_byte_bpe(root, steps, parts);
  }
  if (!steps.underlines) return unsupported(root, "a BPE model over neither bytes (ByteLevel) nor U+2581 for spaces");
  parts.model = "llama";
  return read_underline_bpe(root, steps, parts);
}

Status read_unigram(const JsonAt& root, TokenizerParts& parts) {
  const JsonAt model = root["model"];
  QUERN_TRY(TextSteps steps, read_text_steps(root));
  QUERN_CHECK(refuse(root, "a unigram model",
                     {{!steps.expressions.empty() || steps.byte_level, "cutting text by expressions"},
                      {steps.bert_words || steps.bert_normalizer, "a BERT step"},
                      {steps.nfc, "NFC"},
                      {!steps.underlines, "no U+2581 for spaces"}}));
  parts.model = "t5";
  const JsonAt vocab = model["vocab"];
  QUERN_TRY(const Json::Array* const pieces, vocab.need_array());
  for (size_t i = 0; i < pieces->size(); ++i) {
    const JsonAt piece(&(*pieces)[i], vocab.file());
    const auto* text = piece[size_t{0}].get<std::string>();
    const JsonAt score = piece[size_t{1}];
    const double* real = score.get<double>();
    const int64_t* integer = score.get<int64_t>();
    QUERN_ENSURE(piece.size() == 2 && text && !text->empty() && (real || integer), Errc::format, vocab[i].place(),
                 ": expected a text and a score, found ", (*pieces)[i].describe());
    const auto value = static_cast<float>(real ? *real : static_cast<double>(*integer));
    QUERN_ENSURE(std::isfinite(value), Errc::format, vocab[i].place(), ": the score is not a finite float");
    QUERN_CHECK(parts.place(static_cast<int64_t>(i), *text, TokenType::normal, value));
  }
  QUERN_ENSURE(!parts.tokens.empty(), Errc::format, vocab.place(), ": has no tokens");
  QUERN_TRY(const bool byte_fallback, flag(model, "byte_fallback"));
  if (byte_fallback) type_bytes(parts);
  QUERN_TRY(const auto unknown, model["unk_id"].integer());
  QUERN_ENSURE(!unknown || (*unknown >= 0 && *unknown < std::ssize(parts.tokens)), Errc::format,
               model["unk_id"].place(), ": is ", unknown.value_or(0), ", but there are only ", parts.tokens.size(),
               " tokens");
  if (unknown) {
    parts.ids["unknown"] = static_cast<int32_t>(*unknown);
    parts.types[static_cast<size_t>(*unknown)] = TokenType::unknown;
  }
  QUERN_CHECK(place_added_tokens(root, parts));
  set_prefix(steps, parts);
  parts.charsmap = std::move(steps.charsmap);
  parts.remove_extra_whitespaces = steps.collapse_spaces;
  // Spaces at the beginning are gone before the prefix comes.
  if (steps.collapse_spaces) parts.prefix_if_missing = false;
  return {};
}

// GGUF's spelling of a piece: U+2581 begins a word, and pieces in brackets stay as they are.
std::string spell_piece(const std::string& piece) {
  if (piece.starts_with('[') && piece.ends_with(']')) return piece;
  if (piece.starts_with("##")) return piece.substr(2);
  return cat(kUnderline, piece);
}

Status read_wordpiece(const JsonAt& root, TokenizerParts& parts) {
  const JsonAt model = root["model"];
  QUERN_TRY(const TextSteps steps, read_text_steps(root));
  QUERN_CHECK(refuse(root, "a WordPiece model",
                     {{!steps.expressions.empty() || steps.byte_level, "cutting text by expressions"},
                      {steps.underlines || steps.prefix != SpacePrefix::none, "U+2581 for spaces"},
                      {!steps.charsmap.empty() || steps.collapse_spaces, "a SentencePiece normalizer"},
                      {steps.nfc, "NFC"},
                      {!steps.bert_words, "no BertPreTokenizer"},
                      {!steps.bert_normalizer, "no BertNormalizer"}}));
  if (const JsonAt prefix = model["continuing_subword_prefix"]; prefix.present() && !prefix.is("##"))
    return unsupported(prefix, "anything but '##'");
  parts.model = "bert";
  QUERN_CHECK(place_vocab(model["vocab"], parts));
  QUERN_CHECK(place_added_tokens(root, parts));
  QUERN_CHECK(set_unknown(model, parts));
  for (size_t i = 0; i < parts.tokens.size(); ++i) {
    if (parts.types[i] == TokenType::normal) parts.tokens[i] = spell_piece(parts.tokens[i]);
  }
  parts.lowercase = steps.lowercase;
  parts.strip_accents = steps.strip_accents;
  return {};
}

/// BOS and EOS, or [CLS] and [SEP], as far as they are put around texts.
Status apply_surround(const JsonAt& root, TokenizerParts& parts) {
  QUERN_TRY(const Surround surround, read_post_processor(root));
  const bool bert = parts.model == "bert";
  const auto set = [&](const std::optional<std::string>& text, const char* name) -> Status {
    if (!text) return {};
    const int32_t id = parts.find(*text);
    QUERN_ENSURE(id >= 0, Errc::format, root["post_processor"].place(), ": there is no token ", quoted(*text));
    parts.ids[name] = id;
    return {};
  };
  QUERN_CHECK(set(surround.before, bert ? "cls" : "bos"));
  QUERN_CHECK(set(surround.after, bert ? "seperator" : "eos"));
  if (bert && surround.before) parts.ids["bos"] = parts.ids["cls"];
  parts.add_bos = surround.before.has_value();
  parts.add_eos = !bert && surround.after.has_value();
  if (bert) parts.add_sep = surround.after.has_value();
  return {};
}

}  // namespace

bool looks_like_tokenizer_json(const Json& root) {
  const Json* model = root.find("model");
  return model != nullptr && model->find("vocab") != nullptr;
}

Result<TokenizerParts> parse_tokenizer_json(const Json& json, const std::string& file) {
  const JsonAt root(&json, file);
  QUERN_CHECK(root.need_object());
  TokenizerParts parts;
  parts.file = file;
  const JsonAt type = root["model"]["type"];
  // The type is absent in old files, all of which are BPE; others cannot be mistaken for it.
  if (!type.present() || type.is("BPE")) {
    QUERN_CHECK(read_bpe(root, parts));
  } else if (type.is("Unigram")) {
    QUERN_CHECK(read_unigram(root, parts));
  } else if (type.is("WordPiece")) {
    QUERN_CHECK(read_wordpiece(root, parts));
  } else {
    return fail(Errc::unsupported, type.place(), ": expected BPE, Unigram or WordPiece, found ",
                type.value()->describe());
  }
  QUERN_CHECK(apply_surround(root, parts));
  return parts;
}

}  // namespace quern::io
