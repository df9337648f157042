#include "lib/model/vocab_from_meta.h"

#include <algorithm>
#include <array>

#include "lib/text/end_texts.h"
#include "lib/text/pretokenize.h"
#include "lib/text/spm.h"

namespace quern::model {
namespace {

using text::TokenType;
using text::Vocab;
using text::VocabKind;

std::string key_of(std::string_view name) { return cat("tokenizer.ggml.", name); }

// Control tokens that end a turn, in order of preference; models of different families use one of them.
constexpr std::array<std::string_view, 10> kEndOfTurn = {
    "<|eot_id|>",      "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
    "<|end_of_text|>", "<EOT>",      "_<EOT>",  "[EOT]",         "<end_of_utterance>"};
constexpr std::array<std::string_view, 1> kEndOfMessage = {"<|eom_id|>"};

Result<VocabKind> read_kind(const io::MetaTable& meta) {
  QUERN_TRY(const std::string* kind, meta.get_string(key_of("model")));
  QUERN_ENSURE(kind != nullptr, Errc::format, meta.file(), ": the key '", key_of("model"), "' is missing");
  if (*kind == "llama") return VocabKind::spm;
  if (*kind == "gpt2") return VocabKind::bpe;
  return fail(Errc::unsupported, meta.file(), ": the tokenizer '", std::string_view(*kind).substr(0, 80),
              "' is not supported yet; 'llama' and 'gpt2' are");
}

Status read_tokens(const io::MetaTable& meta, Vocab& vocab) {
  QUERN_TRY(const auto* tokens, meta.get_strings(key_of("tokens")));
  QUERN_ENSURE(tokens != nullptr, Errc::format, meta.file(), ": the key '", key_of("tokens"), "' is missing");
  vocab.tokens = *tokens;
  if (vocab.kind == VocabKind::bpe) {
    QUERN_TRY(const auto* merges, meta.get_strings(key_of("merges")));
    QUERN_ENSURE(merges != nullptr, Errc::format, meta.file(), ": the key '", key_of("merges"), "' is missing");
    vocab.merges = *merges;
    return {};
  }
  QUERN_TRY(const auto scores, meta.get_floats(key_of("scores")));
  vocab.scores.assign(scores ? scores->size() : vocab.tokens.size(), 0.f);
  for (size_t i = 0; scores && i < scores->size(); ++i) vocab.scores[i] = static_cast<float>((*scores)[i]);
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

Status read_ids(const io::MetaTable& meta, Vocab& vocab) {
  const std::pair<std::string_view, std::optional<int32_t>*> ids[] = {
      {"bos", &vocab.bos},       {"eos", &vocab.eos}, {"unknown", &vocab.unk}, {"padding", &vocab.pad},
      {"seperator", &vocab.sep}, {"eot", &vocab.eot}, {"eom", &vocab.eom}};
  for (const auto& [name, target] : ids) {
    QUERN_TRY(*target, read_id(meta, name, vocab.tokens.size()));
  }
  if (vocab.kind != VocabKind::spm) return {};
  const auto fall_back = [&](std::string_view name, std::optional<int32_t>& target, size_t id, std::string_view text) {
    const bool absent = meta.find(key_of(cat(name, "_token_id"))) == nullptr;
    if (absent && id < vocab.tokens.size() && vocab.tokens[id] == text) target = static_cast<int32_t>(id);
  };
  fall_back("unknown", vocab.unk, 0, "<unk>");
  fall_back("bos", vocab.bos, 1, "<s>");
  fall_back("eos", vocab.eos, 2, "</s>");
  return {};
}

void infer_types(Vocab& vocab) {
  vocab.types.assign(vocab.tokens.size(), TokenType::normal);
  if (vocab.kind == VocabKind::spm) {
    for (size_t i = 0; i < vocab.tokens.size(); ++i) {
      if (text::SpmTokenizer::byte_of(vocab.tokens[i])) vocab.types[i] = TokenType::byte;
    }
  }
  if (vocab.unk) vocab.types[static_cast<size_t>(*vocab.unk)] = TokenType::unknown;
  for (const auto& id : {vocab.bos, vocab.eos}) {
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

// Tokens that end a generation are control tokens, whatever their type says.
void retype_end_tokens(Vocab& vocab) {
  for (size_t i = 0; i < vocab.tokens.size() && i < vocab.types.size(); ++i) {
    const bool ends =
        std::find(text::kEndTexts.begin(), text::kEndTexts.end(), vocab.tokens[i]) != text::kEndTexts.end();
    if (ends) vocab.types[i] = TokenType::control;
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
  detect(vocab.eot, kEndOfTurn);
  detect(vocab.eom, kEndOfMessage);
}

// Phi-3 was trained with special tokens that swallow the whitespace after them; the metadata has no key for that, so
// the model's name has to tell.
Status read_strips(const io::MetaTable& meta, Vocab& vocab) {
  QUERN_TRY(const std::string* name, meta.get_string("general.name"));
  if (name == nullptr || vocab.kind != VocabKind::spm) return {};
  std::string lower = *name;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lower.find("phi-3") == std::string::npos && lower.find("phi3") == std::string::npos) return {};
  constexpr std::array<std::string_view, 3> kKeepers = {"<unk>", "<s>", "<|endoftext|>"};
  for (size_t i = 0; i < vocab.tokens.size() && i < vocab.types.size(); ++i) {
    const TokenType type = vocab.types[i];
    const bool special = type == TokenType::control || type == TokenType::unknown || type == TokenType::user_defined;
    const bool keeps = std::find(kKeepers.begin(), kKeepers.end(), vocab.tokens[i]) != kKeepers.end();
    if (special && !keeps) vocab.strip_right.push_back(static_cast<int32_t>(i));
  }
  return {};
}

Status read_flags(const io::MetaTable& meta, Vocab& vocab) {
  const bool spm = vocab.kind == VocabKind::spm;
  const auto* spec = spm ? nullptr : text::find_pretokenizer(vocab.pre);
  const auto read = [&](std::string_view name, bool& target, bool fallback) -> Status {
    QUERN_TRY(const auto value, meta.get_bool(key_of(name)));
    target = value.value_or(fallback);
    return {};
  };
  QUERN_CHECK(read("add_bos_token", vocab.add_bos, spm || (spec && spec->add_bos)));
  QUERN_CHECK(read("add_eos_token", vocab.add_eos, false));
  QUERN_CHECK(read("add_space_prefix", vocab.add_space_prefix, spm));
  QUERN_CHECK(read("ignore_merges", vocab.ignore_merges, spec && spec->ignore_merges));
  return {};
}

}  // namespace

Result<Vocab> vocab_from_meta(const io::MetaTable& meta) {
  Vocab vocab;
  QUERN_TRY(vocab.kind, read_kind(meta));
  if (vocab.kind == VocabKind::bpe) {
    QUERN_TRY(const std::string* pre, meta.get_string(key_of("pre")));
    if (pre) vocab.pre = *pre;
  }
  QUERN_CHECK(read_tokens(meta, vocab));
  QUERN_CHECK(read_ids(meta, vocab));
  QUERN_CHECK(read_types(meta, vocab));
  retype_end_tokens(vocab);
  detect_end_tokens(vocab);
  QUERN_CHECK(read_strips(meta, vocab));
  QUERN_CHECK(read_flags(meta, vocab));
  return vocab;
}

}  // namespace quern::model
