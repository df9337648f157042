#include "lib/model/vocab_from_meta.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include "lib/io/tokenizer_parts.h"
#include "lib/text/byte_token.h"
#include "lib/text/end_texts.h"
#include "lib/text/pretokenize.h"

namespace quern::model {
namespace {

using text::TokenType;
using text::Vocab;
using text::VocabKind;

std::string key_of(std::string_view name) { return cat("tokenizer.ggml.", name); }

constexpr uint64_t kMaxIds = uint64_t{1} << 22;

// A token that files of a family need not name: its key, and the id and text that it has then.
struct Usual {
  std::string_view key;
  size_t id;
  std::string_view text;
};
constexpr Usual kLlamaTokens[] = {{"unknown", 0, "<unk>"}, {"bos", 1, "<s>"}, {"eos", 2, "</s>"}};
constexpr Usual kBertTokens[] = {{"padding", 0, "[PAD]"},
                                 {"unknown", 100, "[UNK]"},
                                 {"bos", 101, "[CLS]"},
                                 {"seperator", 102, "[SEP]"},
                                 {"mask", 103, "[MASK]"}};
constexpr Usual kT5Tokens[] = {{"padding", 0, "<pad>"}, {"eos", 1, "</s>"}, {"unknown", 2, "<unk>"}};

// What a value of tokenizer.ggml.model stands for, and what its keys are by default.
struct Model {
  std::string_view name;
  VocabKind kind;
  std::span<const Usual> usual = {};
  bool merges = false, scores = false;
  bool add_bos = false, add_eos = false, add_sep = false;
  bool add_space_prefix = false, remove_extra_whitespaces = false;
  std::string_view pre = {};  // where the file names none
};
constexpr Model kModels[] = {
    {.name = "llama",
     .kind = VocabKind::spm,
     .usual = kLlamaTokens,
     .scores = true,
     .add_bos = true,
     .add_space_prefix = true},
    {.name = "gpt2", .kind = VocabKind::bpe, .merges = true},
    {.name = "bert", .kind = VocabKind::wordpiece, .usual = kBertTokens, .add_bos = true, .add_sep = true},
    {.name = "t5",
     .kind = VocabKind::unigram,
     .usual = kT5Tokens,
     .scores = true,
     .add_eos = true,
     .add_space_prefix = true,
     .remove_extra_whitespaces = true},
    {.name = "gemma4", .kind = VocabKind::raw_bpe, .merges = true, .pre = "gemma4"},
    {.name = "whitespace", .kind = VocabKind::raw_bpe, .merges = true, .pre = "whitespace"},
    {.name = "rwkv", .kind = VocabKind::trie},
    {.name = "none", .kind = VocabKind::none},
    {.name = "no_vocab", .kind = VocabKind::none},
};

Result<const Model*> read_model(const io::MetaTable& meta) {
  QUERN_TRY(const std::string* name, meta.get_string(key_of("model")));
  QUERN_ENSURE(name != nullptr, Errc::format, meta.file(), ": the key '", key_of("model"), "' is missing");
  const auto* found =
      std::find_if(std::begin(kModels), std::end(kModels), [&](const Model& m) { return m.name == *name; });
  if (found != std::end(kModels)) return found;
  std::string known;
  for (const Model& model : kModels) known += cat(known.empty() ? "'" : ", '", model.name, "'");
  return fail(Errc::unsupported, meta.file(), ": the tokenizer '", std::string_view(*name).substr(0, 80),
              "' is not supported yet; ", known, " are");
}

// Vocabularies of characters may also call themselves "gpt2": the pre-tokenizer tells.
Status read_kind(const io::MetaTable& meta, const Model& model, Vocab& vocab) {
  vocab.kind = model.kind;
  if (!model.merges) return {};
  QUERN_TRY(const std::string* pre, meta.get_string(key_of("pre")));
  vocab.pre = pre ? *pre : std::string(model.pre);
  if (model.kind == VocabKind::raw_bpe) {
    vocab.pre = model.pre;
  } else if (const auto* spec = text::find_pretokenizer(vocab.pre);
             spec && spec->characters != text::Characters::bytes) {
    vocab.kind = VocabKind::raw_bpe;
  }
  return {};
}

// Ids without texts: as many as the model says.
Status read_count(const io::MetaTable& meta, Vocab& vocab) {
  QUERN_TRY(const std::string* architecture, meta.get_string("general.architecture"));
  const std::string key = cat(architecture ? *architecture : std::string(), ".vocab_size");
  QUERN_TRY(const auto n, meta.get_uint(key));
  QUERN_ENSURE(n.has_value(), Errc::format, meta.file(), ": the tokenizer has no tokens, and the key '", key,
               "' that would say how many ids there are is missing");
  QUERN_ENSURE(*n > 0 && *n <= kMaxIds, Errc::format, meta.file(), ": '", key, "' is ", *n, ", expected 1 to ",
               kMaxIds);
  vocab.tokens.resize(*n);
  vocab.types.assign(*n, TokenType::unused);
  return {};
}

Status read_tokens(const io::MetaTable& meta, const Model& model, Vocab& vocab) {
  QUERN_TRY(const auto* tokens, meta.get_strings(key_of("tokens")));
  QUERN_ENSURE(tokens != nullptr, Errc::format, meta.file(), ": the key '", key_of("tokens"), "' is missing");
  vocab.tokens = *tokens;
  if (model.merges) {
    QUERN_TRY(const auto* merges, meta.get_strings(key_of("merges")));
    QUERN_ENSURE(merges != nullptr, Errc::format, meta.file(), ": the key '", key_of("merges"), "' is missing");
    vocab.merges = *merges;
  }
  if (!model.scores) return {};
  QUERN_TRY(const auto scores, meta.get_floats(key_of("scores")));
  vocab.scores.assign(scores ? scores->size() : vocab.tokens.size(), 0.f);
  for (size_t i = 0; scores && i < scores->size(); ++i) vocab.scores[i] = static_cast<float>((*scores)[i]);
  return {};
}

// Signed or unsigned bytes.
Status read_charsmap(const io::MetaTable& meta, Vocab& vocab) {
  const std::string key = key_of("precompiled_charsmap");
  QUERN_TRY(const auto bytes, meta.get_ints(key));
  for (size_t i = 0; bytes && i < bytes->size(); ++i) {
    const int64_t byte = (*bytes)[i];
    QUERN_ENSURE(byte >= -128 && byte <= 255, Errc::format, meta.file(), ": '", key, "' has ", byte, " at ", i,
                 ", expected bytes");
    vocab.charsmap.push_back(static_cast<char>(byte));
  }
  return {};
}

Result<std::optional<int32_t>> read_id(const io::MetaTable& meta, std::string_view name, size_t n_tokens) {
  const std::string key = key_of(cat(name, "_token_id"));
  QUERN_TRY(const auto id, meta.get_int(key));
  if (!id || *id == -1 || *id == 0xFFFFFFFF) return std::optional<int32_t>();
  QUERN_ENSURE(*id >= 0 && static_cast<uint64_t>(*id) < n_tokens, Errc::format, meta.file(), ": '", key, "' is ", *id,
               ", but the vocabulary has ", n_tokens, " tokens");
  return std::optional<int32_t>(static_cast<int32_t>(*id));
}

Status read_ids(const io::MetaTable& meta, const Model& model, Vocab& vocab) {
  const std::pair<std::string_view, std::optional<int32_t>*> ids[] = {
      {"bos", &vocab.bos},       {"eos", &vocab.eos}, {"unknown", &vocab.unk}, {"padding", &vocab.pad},
      {"seperator", &vocab.sep}, {"eot", &vocab.eot}, {"eom", &vocab.eom},     {"mask", &vocab.mask}};
  for (const auto& [name, target] : ids) {
    QUERN_TRY(*target, read_id(meta, name, vocab.tokens.size()));
    if (meta.find(key_of(cat(name, "_token_id"))) != nullptr) continue;
    for (const Usual& usual : model.usual) {
      const bool there = usual.key == name && usual.id < vocab.tokens.size() && vocab.tokens[usual.id] == usual.text;
      if (there) *target = static_cast<int32_t>(usual.id);
    }
  }
  return {};
}

void infer_types(Vocab& vocab) {
  vocab.types.assign(vocab.tokens.size(), TokenType::normal);
  if (vocab.kind == VocabKind::spm || vocab.kind == VocabKind::unigram) {
    for (size_t i = 0; i < vocab.tokens.size(); ++i) {
      if (text::byte_of_token(vocab.tokens[i])) vocab.types[i] = TokenType::byte;
    }
  }
  if (vocab.unk) vocab.types[static_cast<size_t>(*vocab.unk)] = TokenType::unknown;
  for (const auto& id : {vocab.bos, vocab.eos, vocab.sep, vocab.mask}) {
    if (id) vocab.types[static_cast<size_t>(*id)] = TokenType::control;
  }
}

Status read_types(const io::MetaTable& meta, Vocab& vocab) {
  const std::string key = key_of("token_type");
  QUERN_TRY(const auto types, meta.get_ints(key));
  if (!types) {
    infer_types(vocab);
    return {};
  }
  vocab.types.reserve(types->size());
  for (size_t i = 0; i < types->size(); ++i) {
    const int64_t type = (*types)[i];
    QUERN_ENSURE(type >= 0 && type <= 6, Errc::format, meta.file(), ": '", key, "' of token ", i, " is ", type,
                 ", expected 0 to 6");
    vocab.types.push_back(type == 0 ? TokenType::normal : static_cast<TokenType>(type));  // 0: undefined
  }
  return {};
}

// Tokens that end a generation or ask to fill a gap are control tokens, whatever their type says; the latter where the
// metadata does not name the role's token.
void retype_known_tokens(const io::MetaTable& meta, Vocab& vocab) {
  std::vector<std::string_view> texts(text::kEndTexts.begin(), text::kEndTexts.end());
  for (const auto& fill : text::kFillTexts) {
    const bool named = meta.find(key_of(cat(fill.role, "_token_id"))) != nullptr;
    if (!named) texts.insert(texts.end(), fill.texts.begin(), fill.texts.end());
  }
  std::sort(texts.begin(), texts.end());
  for (size_t i = 0; i < vocab.tokens.size() && i < vocab.types.size(); ++i) {
    const bool known = std::binary_search(texts.begin(), texts.end(), std::string_view(vocab.tokens[i]));
    if (known && !vocab.tokens[i].empty()) vocab.types[i] = TokenType::control;
  }
}

// Finds the tokens whose role the metadata does not name.
void detect_end_tokens(Vocab& vocab) {
  const auto detect = [&](std::optional<int32_t>& target, auto texts) {
    if (target) return;
    size_t best = texts.size();
    for (size_t i = 0; i < vocab.tokens.size(); ++i) {
      const auto rank = static_cast<size_t>(std::find(texts.begin(), texts.end(), vocab.tokens[i]) - texts.begin());
      if (rank >= best) continue;
      best = rank;
      target = static_cast<int32_t>(i);
    }
  };
  detect(vocab.eot, text::kEndOfTurn);
  detect(vocab.eom, text::kEndOfMessage);
}

Status read_id_list(const io::MetaTable& meta, std::string_view key, size_t n_tokens, std::vector<int32_t>& out) {
  QUERN_TRY(const auto ids, meta.get_ints(key));
  for (size_t i = 0; ids && i < ids->size(); ++i) {
    const int64_t id = (*ids)[i];
    QUERN_ENSURE(id >= 0 && static_cast<uint64_t>(id) < n_tokens, Errc::format, meta.file(), ": '", key, "' names ", id,
                 ", but the vocabulary has ", n_tokens, " tokens");
    out.push_back(static_cast<int32_t>(id));
  }
  return {};
}

// Keys of tokenizers that do not come from a GGUF file.
Status read_own_keys(const io::MetaTable& meta, Vocab& vocab) {
  QUERN_CHECK(read_id_list(meta, io::kEndIdsKey, vocab.tokens.size(), vocab.ends));
  QUERN_CHECK(read_id_list(meta, io::kStripLeftKey, vocab.tokens.size(), vocab.strip_left));
  QUERN_CHECK(read_id_list(meta, io::kStripRightKey, vocab.tokens.size(), vocab.strip_right));
  const std::pair<const char*, bool*> flags[] = {{io::kNfcKey, &vocab.nfc},
                                                 {io::kPrefixOnceKey, &vocab.prefix_once},
                                                 {io::kPrefixIfMissingKey, &vocab.prefix_if_missing}};
  for (const auto& [key, target] : flags) {
    QUERN_TRY(const auto value, meta.get_bool(key));
    *target = value.value_or(false);
  }
  return {};
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return text.find(part) != text.npos; });
}

void strip_left(Vocab& vocab, std::string_view token) {
  const auto found = std::find(vocab.tokens.begin(), vocab.tokens.end(), token);
  if (found != vocab.tokens.end()) vocab.strip_left.push_back(static_cast<int32_t>(found - vocab.tokens.begin()));
}

// Phi-3 was trained with special tokens that swallow the whitespace after them.
void strip_right_of_specials(Vocab& vocab) {
  constexpr std::array<std::string_view, 3> kKeepers = {"<unk>", "<s>", "<|endoftext|>"};
  for (size_t i = 0; i < vocab.tokens.size() && i < vocab.types.size(); ++i) {
    const TokenType type = vocab.types[i];
    const bool special = type == TokenType::control || type == TokenType::unknown || type == TokenType::user_defined;
    const bool keeps = std::find(kKeepers.begin(), kKeepers.end(), vocab.tokens[i]) != kKeepers.end();
    if (special && !keeps) vocab.strip_right.push_back(static_cast<int32_t>(i));
  }
}

// The metadata has no key for tokens that swallow whitespace, so the names of models have to tell.
Status read_strips(const io::MetaTable& meta, Vocab& vocab) {
  QUERN_TRY(const std::string* name, meta.get_string("general.name"));
  QUERN_TRY(const std::string* architecture, meta.get_string("general.architecture"));
  std::string lower = name ? *name : std::string();
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (contains_any(vocab.pre, {"jina-v2-de", "jina-v2-es", "jina-v2-code"}) ||
      (architecture && contains_any(*architecture, {"nomic-bert-moe", "jina-bert-v3"}))) {
    strip_left(vocab, "<mask>");
  } else if (vocab.kind == VocabKind::spm && contains_any(lower, {"phi-3", "phi3"})) {
    strip_right_of_specials(vocab);
  } else if (contains_any(lower, {"modern-bert"})) {
    strip_left(vocab, "[MASK]");
  }
  return {};
}

Status read_flags(const io::MetaTable& meta, const Model& model, Vocab& vocab) {
  const auto* spec = model.merges ? text::find_pretokenizer(vocab.pre) : nullptr;
  const auto read = [&](std::string_view name, bool& target, bool fallback) -> Status {
    QUERN_TRY(const auto value, meta.get_bool(key_of(name)));
    target = value.value_or(fallback);
    return {};
  };
  QUERN_CHECK(read("add_bos_token", vocab.add_bos, model.add_bos || (spec && spec->add_bos)));
  QUERN_CHECK(read("add_eos_token", vocab.add_eos, model.add_eos));
  QUERN_CHECK(read("add_sep_token", vocab.add_sep, model.add_sep));
  QUERN_CHECK(read("add_space_prefix", vocab.add_space_prefix, model.add_space_prefix));
  QUERN_CHECK(read("remove_extra_whitespaces", vocab.remove_extra_whitespaces, model.remove_extra_whitespaces));
  QUERN_CHECK(read("ignore_merges", vocab.ignore_merges, spec && spec->ignore_merges));
  QUERN_CHECK(read("normalizer.lowercase", vocab.lowercase, vocab.kind == VocabKind::wordpiece));
  QUERN_CHECK(read("normalizer.strip_accents", vocab.strip_accents, vocab.lowercase));
  // Files of Gemma 4 say that no BOS is needed, and the model does not work without it.
  const bool gemma4 = spec && spec->characters == text::Characters::marked_newline_runs;
  vocab.add_bos = vocab.add_bos || gemma4;
  return {};
}

}  // namespace

Result<Vocab> vocab_from_meta(const io::MetaTable& meta) {
  Vocab vocab;
  QUERN_TRY(const Model* model, read_model(meta));
  QUERN_CHECK(read_kind(meta, *model, vocab));
  if (vocab.kind == VocabKind::none) {
    QUERN_CHECK(read_count(meta, vocab));
    return vocab;
  }
  QUERN_CHECK(read_tokens(meta, *model, vocab));
  QUERN_CHECK(read_charsmap(meta, vocab));
  QUERN_CHECK(read_ids(meta, *model, vocab));
  QUERN_CHECK(read_types(meta, vocab));
  retype_known_tokens(meta, vocab);
  detect_end_tokens(vocab);
  QUERN_CHECK(read_strips(meta, vocab));
  QUERN_CHECK(read_own_keys(meta, vocab));
  QUERN_CHECK(read_flags(meta, *model, vocab));
  return vocab;
}

}  // namespace quern::model
