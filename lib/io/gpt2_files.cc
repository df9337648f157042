#include "lib/io/gpt2_files.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "lib/io/names.h"
#include "lib/text/pretokenize.h"

namespace quern::io {
namespace {

struct TokenizerClass {
  std::string_view name;  ///< of the class or the model type
  std::string_view pre;   ///< the pre-tokenizer of that name
  bool nfc;
};
constexpr TokenizerClass kClasses[] = {
    {"GPT2Tokenizer", "gpt-2", false}, {"gpt2", "gpt-2", false}, {"CodeGenTokenizer", "gpt-2", false},
    {"codegen", "gpt-2", false},       {"phi", "gpt-2", false},  {"Qwen2Tokenizer", "qwen2", true},
    {"qwen2", "qwen2", true},          {"qwen3", "qwen2", true}};

// Objects made here: {"name": value, ...}.
Json object(Json::Object members) { return Json(std::move(members)); }
Json text(std::string_view value) { return Json(std::string(value)); }

Json split_step(std::string_view expression) {
  return object(
      {{"type", text("Split")}, {"pattern", object({{"Regex", text(expression)}})}, {"behavior", text("Isolated")}});
}

Json pre_tokenizer(const text::PreTokenizerSpec& spec) {
  Json::Array steps;
  for (const char* expression : spec.expressions) steps.push_back(split_step(expression));
  steps.push_back(object({{"type", text("ByteLevel")}, {"add_prefix_space", Json(false)}, {"use_regex", Json(false)}}));
  return object({{"type", text("Sequence")}, {"pretokenizers", Json(std::move(steps))}});
}

}  // namespace

Result<Json> join_gpt2_files(Json vocab, std::string_view merges, std::string_view name, const std::string& file) {
  const auto* known =
      std::find_if(std::begin(kClasses), std::end(kClasses), [&](const TokenizerClass& c) { return c.name == name; });
  QUERN_ENSURE(known != std::end(kClasses), Errc::unsupported, file,
               ": it takes the tokenizer class to know how text is cut into words, and ",
               name.empty() ? std::string("none is named") : cat(quoted(name), " is not known"),
               "; a tokenizer.json would say it");
  const text::PreTokenizerSpec* spec = text::find_pretokenizer(known->pre);
  QUERN_ENSURE(spec != nullptr, Errc::internal, file, ": there is no pre-tokenizer ", known->pre);
  Json::Array list;
  for (bool first = true; !merges.empty(); first = false) {
    std::string_view line = merges.substr(0, merges.find('\n'));
    merges.remove_prefix(std::min(merges.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (first && line.starts_with("#version"))) continue;
    QUERN_ENSURE(is_utf8(line), Errc::format, file, ": merges.txt: the line ", quoted(line), " is not valid UTF-8");
    list.push_back(text(line));
  }
  Json::Object root;
  if (known->nfc) root.push_back({"normalizer", object({{"type", text("NFC")}})});
  root.push_back({"pre_tokenizer", pre_tokenizer(*spec)});
  root.push_back(
      {"model", object({{"type", text("BPE")}, {"vocab", std::move(vocab)}, {"merges", Json(std::move(list))}})});
  return object(std::move(root));
}

}  // namespace quern::io
