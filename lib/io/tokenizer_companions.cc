#include "lib/io/tokenizer_companions.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "lib/base/file.h"
#include "lib/io/json.h"
#include "lib/io/names.h"
#include "lib/text/end_texts.h"

namespace quern::io {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{32} << 20;

/// The whole file; nothing where there is none.
Result<std::optional<base::FileBytes>> read_file(const std::string& path) {
  auto file = base::FileBytes::open(path, {.use_mmap = false});
  if (!file && file.error().code == Errc::not_found) return std::optional<base::FileBytes>();
  if (!file) return file.error();
  QUERN_ENSURE(file->bytes().size() <= kMaxBytes, Errc::unsupported, path, ": has ", file->bytes().size(),
               " bytes, at most ", kMaxBytes, " are supported");
  return std::optional<base::FileBytes>(std::move(*file));
}

/// A JSON file of the folder; null where there is none.
struct JsonFile {
  std::string path;
  Json json;
  JsonAt root() const { return JsonAt(json.is_null() ? nullptr : &json, path); }
};

Result<JsonFile> read_json(const std::string& folder, std::string_view name) {
  JsonFile out{cat(folder, "/", name), Json()};
  QUERN_TRY(const auto file, read_file(out.path));
  if (!file) return out;
  QUERN_TRY(out.json, parse_json(file->bytes(), out.path));
  QUERN_CHECK(out.root().object());
  return out;
}

struct Files {
  JsonFile tokenizer_config, special_tokens, added_tokens, config, generation;
};

struct Role {
  const char* token;  ///< key of the text
  const char* id;     ///< key of the id
  const char* name;   ///< in GGUF's keys
};
constexpr Role kRoles[] = {{"bos_token", "bos_token_id", "bos"},     {"eos_token", "eos_token_id", "eos"},
                           {"unk_token", "unk_token_id", "unknown"}, {"sep_token", "sep_token_id", "seperator"},
                           {"pad_token", "pad_token_id", "padding"}, {"cls_token", "cls_token_id", "cls"},
                           {"mask_token", "mask_token_id", "mask"}};

/// A text, or an object with "content"; nullptr where neither is there.
Result<const std::string*> token_text(const JsonAt& at) {
  return at.get<Json::Object>() ? at["content"].text() : at.text();
}

Status check_id(const JsonAt& at, int64_t id, const TokenizerParts& parts) {
  QUERN_ENSURE(id < std::ssize(parts.tokens), Errc::format, at.place(), ": is ", id, ", but there are only ",
               parts.tokens.size(), " tokens");
  return {};
}

Status set_role(const Role& role, const Files& files, TokenizerParts& parts) {
  for (const JsonFile* file : {&files.tokenizer_config, &files.special_tokens}) {
    QUERN_TRY(const std::string* const text, token_text(file->root()[role.token]));
    const int32_t id = text && !text->empty() ? parts.find(*text) : -1;
    if (id < 0) continue;
    parts.ids[role.name] = id;
    return {};
  }
  if (parts.ids.contains(role.name)) return {};
  const JsonAt at = files.config.root()[role.id];
  const int64_t* id = at.get<int64_t>();  // a list names several: see set_ends
  if (id == nullptr || *id < 0) return {};
  QUERN_CHECK(check_id(at, *id, parts));
  parts.ids[role.name] = static_cast<int32_t>(*id);
  return {};
}

/// All ids of eos_token_id: one or a list.
Status read_ends(const JsonAt& at, const TokenizerParts& parts, std::vector<int32_t>& out) {
  const auto add = [&](const JsonAt& one) -> Status {
    QUERN_TRY(const auto id, one.integer());
    if (!id || *id < 0) return {};
    QUERN_CHECK(check_id(one, *id, parts));
    if (std::find(out.begin(), out.end(), *id) == out.end()) out.push_back(static_cast<int32_t>(*id));
    return {};
  };
  if (at.get<Json::Array>() == nullptr) return add(at);
  for (size_t i = 0; i < at.size(); ++i) QUERN_CHECK(add(at[i]));
  return {};
}

/// The tokens that end a generation beside eos: one by its text as the end of a turn, one as that of a message, all
/// others under a key of their own.
Status set_ends(const Files& files, TokenizerParts& parts) {
  std::vector<int32_t> ends;
  QUERN_CHECK(read_ends(files.generation.root()["eos_token_id"], parts, ends));
  QUERN_CHECK(read_ends(files.config.root()["eos_token_id"], parts, ends));
  if (ends.empty()) return {};
  const int32_t eos = parts.ids.emplace("eos", ends.front()).first->second;
  const auto take = [&](const char* name, auto texts) {
    const auto rank = [&](int32_t id) {
      return std::find(texts.begin(), texts.end(), parts.tokens[static_cast<size_t>(id)]) - texts.begin();
    };
    auto best = std::min_element(ends.begin(), ends.end(), [&](int32_t a, int32_t b) { return rank(a) < rank(b); });
    if (best == ends.end() || rank(*best) == std::ssize(texts) || rank(*best) >= rank(eos)) return;
    parts.ids.emplace(name, *best);
    ends.erase(best);
  };
  std::erase(ends, eos);
  take("eot", text::kEndOfTurn);
  take("eom", text::kEndOfMessage);
  if (ends.empty()) return {};
  parts.end_ids = ends;
  parts.end_ids.insert(parts.end_ids.begin(), eos);
  return {};
}

Result<bool> flag(const JsonAt& object, std::string_view name) {
  QUERN_TRY(const auto value, object[name].boolean());
  return value.value_or(false);
}

/// tokenizer_config.json: added_tokens_decoder {"id": {"content": ...}}; added_tokens.json {"text": id}.
Status add_tokens(const Files& files, TokenizerParts& parts) {
  const JsonAt decoder = files.tokenizer_config.root()["added_tokens_decoder"];
  QUERN_TRY(const Json::Object* const members, decoder.object());
  std::vector<AddedToken> added;
  for (size_t i = 0; members && i < members->size(); ++i) {
    const std::string& name = (*members)[i].name;
    const JsonAt token = decoder[name];
    AddedToken one;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), one.id);
    QUERN_ENSURE(error == std::errc() && end == name.data() + name.size(), Errc::format, decoder.place(),
                 ": expected ids, found ", quoted(name));
    QUERN_TRY(one.text, token["content"].need_text());
    QUERN_TRY(one.special, flag(token, "special"));
    QUERN_TRY(one.strip_left, flag(token, "lstrip"));
    QUERN_TRY(one.strip_right, flag(token, "rstrip"));
    added.push_back(std::move(one));
  }
  const JsonAt texts = files.added_tokens.root();
  QUERN_TRY(const Json::Object* const more, texts.object());
  for (size_t i = 0; more && i < more->size(); ++i) {
    const JsonMember& member = (*more)[i];
    const int64_t* id = member.value.get<int64_t>();
    QUERN_ENSURE(id, Errc::format, texts.file(), ": ", quoted(member.name), ": expected an id, found ",
                 member.value.describe());
    const bool known = std::any_of(added.begin(), added.end(), [&](const AddedToken& t) { return t.id == *id; });
    if (!known) added.push_back({*id, member.name, false, false, false});
  }
  std::sort(added.begin(), added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (const AddedToken& token : added) QUERN_CHECK(parts.add(token));
  return {};
}

/// One template, or a list of {"name", "template"} of which "default" is the one.
Status set_template(const JsonAt& at, TokenizerParts& parts) {
  if (const auto* text = at.get<std::string>()) {
    parts.chat_template = *text;
    return {};
  }
  QUERN_TRY(const Json::Array* const list, at.array());
  for (size_t i = 0; list && i < list->size(); ++i) {
    QUERN_TRY(const std::string name, at[i]["name"].need_text());
    QUERN_TRY(std::string source, at[i]["template"].need_text());
    const auto& named = parts.named_templates;
    const bool twice = std::any_of(named.begin(), named.end(), [&](const auto& entry) { return entry.first == name; });
    QUERN_ENSURE(!twice && is_utf8(name) && !name.empty(), Errc::format, at[i].place(), ": the name ", quoted(name),
                 " is empty or there twice");
    if (name == "default") {
      parts.chat_template = std::move(source);
    } else {
      parts.named_templates.emplace_back(name, std::move(source));
    }
  }
  return {};
}

Status read_templates(const std::string& folder, const Files& files, TokenizerParts& parts) {
  QUERN_CHECK(set_template(files.tokenizer_config.root()["chat_template"], parts));
  QUERN_TRY(const JsonFile json, read_json(folder, "chat_template.json"));
  QUERN_CHECK(set_template(json.root()["chat_template"], parts));
  QUERN_TRY(const auto jinja, read_file(cat(folder, "/chat_template.jinja")));
  if (!jinja) return {};
  const auto bytes = jinja->bytes();
  parts.chat_template.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return {};
}

Status set_flags(const JsonAt& config, bool complete, TokenizerParts& parts) {
  const auto set = [&](const char* name, std::optional<bool>& target) -> Status {
    QUERN_TRY(const auto value, config[name].boolean());
    if (value) target = value;
    return {};
  };
  QUERN_CHECK(set("add_bos_token", parts.add_bos));
  QUERN_CHECK(set("add_eos_token", parts.add_eos));
  if (complete || !parts.add_space_prefix) return {};
  QUERN_CHECK(set("add_prefix_space", parts.add_space_prefix));
  std::optional<bool> legacy;  // as SentencePiece models were used at first: a space before every stretch of text
  QUERN_CHECK(set("legacy", legacy));
  parts.prefix_once = legacy == false;
  return {};
}

}  // namespace

Status read_companions(const std::string& folder, bool complete, TokenizerParts& parts) {
  Files files;
  const std::pair<const char*, JsonFile*> names[] = {{"tokenizer_config.json", &files.tokenizer_config},
                                                     {"special_tokens_map.json", &files.special_tokens},
                                                     {"added_tokens.json", &files.added_tokens},
                                                     {"config.json", &files.config},
                                                     {"generation_config.json", &files.generation}};
  for (const auto& [name, file] : names) {
    QUERN_TRY(*file, read_json(folder, name));
  }
  if (!complete) QUERN_CHECK(add_tokens(files, parts));
  const JsonAt config = files.config.root();
  const JsonAt text_config = config["text_config"];  // of models that also see
  QUERN_TRY(const auto n_vocab, (text_config["vocab_size"].present() ? text_config : config)["vocab_size"].integer());
  if (n_vocab && *n_vocab > std::ssize(parts.tokens)) QUERN_CHECK(parts.pad_to(*n_vocab));
  for (const Role& role : kRoles) QUERN_CHECK(set_role(role, files, parts));
  QUERN_CHECK(set_ends(files, parts));
  QUERN_CHECK(set_flags(files.tokenizer_config.root(), complete, parts));
  return read_templates(folder, files, parts);
}

}  // namespace quern::io
