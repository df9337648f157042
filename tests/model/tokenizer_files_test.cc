// Tokenizers read from the files of Hugging Face folders: real ones, from the folder that QUERN_TEST_DATA names,
// against the ids of other implementations; and what a tokenizer.json may and may not ask for.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lib/io/hf_tokenizer.h"
#include "lib/io/reader.h"
#include "lib/model/vocab_from_meta.h"
#include "lib/text/tokenizer.h"

using namespace quern;

namespace {

using Ids = std::vector<int32_t>;
using nlohmann::json;

std::string data_folder() {
  const char* folder = std::getenv("QUERN_TEST_DATA");
  if (folder == nullptr) MESSAGE("QUERN_TEST_DATA is not set");
  return folder ? folder : std::string();
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::unique_ptr<text::Tokenizer> build(const io::MetaTable& meta) {
  auto vocab = model::vocab_from_meta(meta);
  REQUIRE_MESSAGE(vocab.has_value(), (vocab ? "" : vocab.error().message));
  auto tokenizer = text::Tokenizer::build(std::move(*vocab), meta.file());
  REQUIRE_MESSAGE(tokenizer.has_value(), (tokenizer ? "" : tokenizer.error().message));
  return std::move(*tokenizer);
}

io::MetaTable read_keys(const std::string& path) {
  auto meta = io::read_hf_tokenizer(path);
  REQUIRE_MESSAGE(meta.has_value(), (meta ? "" : meta.error().message));
  return std::move(*meta);
}

std::unique_ptr<text::Tokenizer> open(const std::string& path) { return build(read_keys(path)); }

io::MetaTable gguf_keys(const std::string& path) {
  auto file = io::open_model_file(path);
  REQUIRE_MESSAGE(file.has_value(), (file ? "" : file.error().message));
  return std::move(file->meta);
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + separator.size())
    parts.push_back(text.substr(begin, end - begin));
  parts.push_back(text.substr(begin));
  return parts;
}

// What some tokenizers do to a decoded text, before they hand it out (clean_up_tokenization_spaces).
std::string cleaned_up(std::string text) {
  const std::pair<const char*, const char*> kReplacements[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kReplacements) {
    for (size_t i = 0; (i = text.find(from, i)) != std::string::npos;) text.replace(i, std::strlen(from), to);
  }
  return text;
}

// All cases of one model in hf-expected: ids, and the text that they decode to.
void check_hf(const text::Tokenizer& tokenizer, const char* file, const char* model, size_t n_expected) {
  const json cases = json::parse(read_text(data_folder() + "/tokenizers/hf-expected/" + file)).at("models").at(model);
  size_t n = 0;
  for (const auto& [name, c] : cases.items()) {
    CAPTURE(std::string(model));
    CAPTURE(name);
    const Ids ids = c.at("ids").get<Ids>();
    if (c.contains("text") && c.at("text").is_string())
      CHECK(tokenizer.encode(c.at("text").get<std::string>(), {true, true}) == ids);
    const std::string decoded = tokenizer.decode(ids, true), expected = c.at("decoded");
    CHECK_MESSAGE((decoded == expected || cleaned_up(decoded) == expected), decoded << " | " << expected);
    ++n;
  }
  CHECK(n == n_expected);
}

// A vocabulary of llama.cpp's tests: .inp and .out.
void check_inp_out(const text::Tokenizer& tokenizer, const std::string& name) {
  const std::string path = data_folder() + "/tokenizers/llama.cpp-vocab/ggml-vocab-" + name + ".gguf";
  const auto texts = split(read_text(path + ".inp"), "\n__ggml_vocab_test__\n");
  const auto lines = split(read_text(path + ".out"), "\n");
  REQUIRE(texts.size() > 40);
  REQUIRE(texts.size() <= lines.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    std::istringstream stream(lines[i]);
    Ids ids;
    for (int32_t id; stream >> id;) ids.push_back(id);
    CAPTURE(name);
    CAPTURE(texts[i]);
    CHECK(tokenizer.encode(texts[i], {}) == ids);
    CHECK(tokenizer.decode(ids) == texts[i]);
  }
}

// Texts of many scripts, from the other tests' cases.
std::vector<std::string> all_texts() {
  std::vector<std::string> texts;
  const std::string folder = data_folder() + "/tokenizers/";
  const json expected = json::parse(read_text(folder + "llama_cpp_expected.dev.json"));
  for (const auto& group : expected.at("vocabs"))
    for (const auto& c : group.at("cases")) texts.push_back(c.at("text"));
  for (const auto& part :
       split(read_text(folder + "llama.cpp-vocab/ggml-vocab-gpt-2.gguf.inp"), "\n__ggml_vocab_test__\n"))
    texts.push_back(part);
  texts.push_back(read_text(data_folder() + "/demo_model/val_chat.txt"));
  texts.push_back(read_text(data_folder() + "/demo_model/val_books.txt").substr(0, 200000));
  return texts;
}

// Keys of two tables that differ, of those that begin with "tokenizer.".
std::map<std::string, std::string> differing_keys(const io::MetaTable& a, const io::MetaTable& b) {
  std::map<std::string, std::string> out;
  const auto compare = [&](const io::MetaTable& from, const io::MetaTable& to) {
    for (const auto& entry : from.entries()) {
      if (!entry.key.starts_with("tokenizer.")) continue;
      const io::MetaValue* other = to.find(entry.key);
      if (other == nullptr) {
        out[entry.key] = &from == &a ? "only in the first" : "only in the second";
      } else if (!(*other == entry.value)) {
        out[entry.key] = "differs";
      }
    }
  };
  compare(a, b);
  compare(b, a);
  return out;
}

class Folder {
 public:
  Folder() {
    std::string path = std::filesystem::temp_directory_path() / "quern-tokenizer-XXXXXX";
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("tokenizer.json of GPT-2's vocabulary: ids of transformers and of llama.cpp") {
  if (data_folder().empty()) return;
  const auto tokenizer = open(data_folder() + "/tokenizers/hf-tokenizer-json/test-olmo-model/tokenizer.json");
  check_hf(*tokenizer, "gpt2.json", "Xenova/gpt2", 26);
  check_hf(*tokenizer, "gpt2.json", "openai-community/gpt2", 26);
  check_inp_out(*tokenizer, "gpt-2");
}

TEST_CASE("tokenizer.json of GPT-NeoX: the ids that llama.cpp has for the same vocabulary in MPT") {
  if (data_folder().empty()) return;
  const auto tokenizer = open(data_folder() + "/tokenizers/hf-tokenizer-json/gpt-neox-20b");
  check_inp_out(*tokenizer, "mpt");
  // Its normalizer composes, and llama.cpp's files do not say so.
  CHECK(tokenizer->encode("e\u0301", {}) == tokenizer->encode("\u00e9", {}));
  open(data_folder() + "/tokenizers/hf-tokenizer-json/allenai_gpt-neox-olmo-dolma-v1_5");
}

TEST_CASE("tiktoken's ranks of Llama 3: ids of transformers and llama.cpp, merges of the converted file") {
  if (data_folder().empty()) return;
  const io::MetaTable meta = read_keys(data_folder() + "/tokenizers/tiktoken/llama3/tokenizer.model");
  const auto tokenizer = build(meta);
  CHECK(tokenizer->n_tokens() == 128256);
  check_hf(*tokenizer, "llama.json", "Xenova/llama3-tokenizer-new", 37);
  check_inp_out(*tokenizer, "llama-bpe");

  const std::string folder = data_folder() + "/tokenizers/llama3.2-bpe/";
  auto merges = split(read_text(folder + "vocab.bpe"), "\n");
  while (merges.back().empty()) merges.pop_back();
  if (merges.front().starts_with("#")) merges.erase(merges.begin());
  CHECK(**meta.get_strings("tokenizer.ggml.merges") == merges);
  const auto& tokens = **meta.get_strings("tokenizer.ggml.tokens");
  size_t n_same = 0;
  const json encoder = json::parse(read_text(folder + "encoder.json"));
  for (const auto& [token, id] : encoder.items()) n_same += tokens.at(id.get<size_t>()) == token;
  CHECK(n_same >= 128000);
}

TEST_CASE("Llama 3's vocabulary and merges as a tokenizer.json") {
  if (data_folder().empty()) return;
  const std::string folder = data_folder() + "/tokenizers/llama3.2-bpe/";
  json root = json::parse(R"({"post_processor": {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}},
          {"Sequence": {"id": "A", "type_id": 0}}]}]},
      "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ""},
        "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
      "added_tokens": [{"id": 128000, "content": "<|begin_of_text|>", "special": true}]})");
  root["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  auto merges = split(read_text(folder + "vocab.bpe"), "\n");
  while (merges.back().empty()) merges.pop_back();
  root["model"] = {{"type", "BPE"}, {"ignore_merges", true}, {"merges", merges}};
  root["model"]["vocab"] = json::parse(read_text(folder + "encoder.json"));
  const Folder scratch;
  const io::MetaTable meta = read_keys(scratch.write("tokenizer.json", root.dump()));
  CHECK(**meta.get_string("tokenizer.ggml.pre") == "llama-bpe");
  const auto tokenizer = build(meta);
  check_hf(*tokenizer, "llama.json", "Xenova/llama3-tokenizer-new", 37);
  check_inp_out(*tokenizer, "llama-bpe");
}

TEST_CASE("GPT-2's vocab.json and merges.txt") {
  if (data_folder().empty()) return;
  const std::string data = data_folder() + "/tokenizers/gpt2-bpe/";
  const Folder folder;
  folder.write("vocab.json", read_text(data + "gpt2_vocab.json"));
  folder.write("merges.txt", read_text(data + "gpt2_merges.txt"));
  CHECK(!io::read_hf_tokenizer(folder.path()));  // which tokenizer's they are is said beside them
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>"})");
  const auto tokenizer = open(folder.path());
  check_hf(*tokenizer, "gpt2.json", "Xenova/gpt2", 26);
  check_inp_out(*tokenizer, "gpt-2");
  CHECK(tokenizer->vocab().eos == 50256);
}

TEST_CASE("SentencePiece model of Llama 2: the keys of its GGUF, ids of transformers and llama.cpp") {
  if (data_folder().empty()) return;
  const io::MetaTable meta = read_keys(data_folder() + "/tokenizers/sentencepiece/llama2/tokenizer.model");
  const auto tokenizer = build(meta);
  check_hf(*tokenizer, "llama.json", "Xenova/llama-tokenizer", 37);
  check_inp_out(*tokenizer, "llama-spm");
  const auto differing =
      differing_keys(meta, gguf_keys(data_folder() + "/tokenizers/llama.cpp-vocab/ggml-vocab-llama-spm.gguf"));
  // The model says how spaces are treated; whether BOS is added is said beside it, in tokenizer_config.json.
  CHECK(differing == std::map<std::string, std::string>{{"tokenizer.ggml.add_space_prefix", "only in the first"},
                                                        {"tokenizer.ggml.add_bos_token", "only in the second"},
                                                        {"tokenizer.ggml.add_eos_token", "only in the second"}});
}

TEST_CASE("merges made of Llama 2's scores, as a tokenizer.json has them, give the same ids") {
  if (data_folder().empty()) return;
  const io::MetaTable meta = read_keys(data_folder() + "/tokenizers/sentencepiece/llama2/tokenizer.model");
  const auto& tokens = **meta.get_strings("tokenizer.ggml.tokens");
  const auto types = *meta.get_ints("tokenizer.ggml.token_type").value();
  std::map<std::string, size_t> ids;
  for (size_t i = 0; i < tokens.size(); ++i) ids[tokens[i]] = i;
  struct Merge {
    double minus_score;
    size_t merged, left, right;
    auto operator<=>(const Merge&) const = default;
  };
  const auto scores = *meta.get_floats("tokenizer.ggml.scores").value();
  std::vector<Merge> merges;
  for (size_t i = 0; i < tokens.size(); ++i) {
    for (size_t cut = 1; types[i] == 1 && cut < tokens[i].size(); ++cut) {
      const auto left = ids.find(tokens[i].substr(0, cut)), right = ids.find(tokens[i].substr(cut));
      if (left != ids.end() && right != ids.end()) merges.push_back({-scores[i], i, left->second, right->second});
    }
  }
  std::sort(merges.begin(), merges.end());
  json out;
  out["added_tokens"] = json::array();
  for (size_t i = 0; i < 3; ++i) out["added_tokens"].push_back({{"id", i}, {"content", tokens[i]}, {"special", true}});
  out["normalizer"] = json::parse(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]})");
  out["post_processor"] = json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]})");
  out["model"] = {{"type", "BPE"}, {"unk_token", "<unk>"}, {"fuse_unk", true}, {"byte_fallback", true}, {"vocab", ids}};
  for (const bool pairs : {false, true}) {
    json list = json::array();
    for (const Merge& m : merges) {
      if (pairs) {
        list.push_back({tokens[m.left], tokens[m.right]});
      } else {
        list.push_back(tokens[m.left] + " " + tokens[m.right]);
      }
    }
    out["model"]["merges"] = list;
    const Folder folder;
    const auto tokenizer = open(folder.write("tokenizer.json", out.dump()));
    check_hf(*tokenizer, "llama.json", "Xenova/llama-tokenizer", 37);
    check_inp_out(*tokenizer, "llama-spm");
  }
}

TEST_CASE("SentencePiece models of Mistral: rendered conversations have mistral-common's ids") {
  if (data_folder().empty()) return;
  const std::string models = data_folder() + "/tokenizers/sentencepiece/mistral/";
  const std::map<std::string, std::string> files = {{"v1", "tokenizer.model.v1"},
                                                    {"v2", "mistral_instruct_tokenizer_240216.model.v2"}};
  size_t n = 0;
  for (const auto& [version, file] : files) {
    const auto tokenizer = open(models + file);
    for (const auto& entry : std::filesystem::directory_iterator(data_folder() + "/templates/mistral-common/samples")) {
      const std::string stem = entry.path().string();
      if (!std::filesystem::exists(stem + "/text_" + version + ".txt")) continue;
      const Ids ids = json::parse(read_text(stem + "/tokens_" + version + ".json")).at("tokens").get<Ids>();
      // The text shows spaces as U+2581, the one that every stretch of text gets included.
      std::string text;
      for (const auto& part : split(read_text(stem + "/text_" + version + ".txt"), "\u2581"))
        text += (text.empty() ? "" : " ") + part;
      while (text.ends_with('\n')) text.pop_back();
      for (size_t i; (i = text.find("<0x0A>")) != std::string::npos;) text.replace(i, 6, "\n");
      for (int32_t id = 0; id < 10; ++id) {
        const std::string control = tokenizer->piece(id, true);
        if (!tokenizer->is_control(id) || control.starts_with("<0x")) continue;
        for (size_t i = 0; (i = text.find(control + " ", i)) != std::string::npos;) text.erase(i + control.size(), 1);
      }
      CAPTURE(stem);
      CAPTURE(version);
      CHECK(tokenizer->encode(text, {false, true}) == ids);
      ++n;
    }
  }
  CHECK(n >= 4);
}

TEST_CASE("the demo model's folder has the keys and the ids of its GGUF") {
  if (data_folder().empty()) return;
  const std::string folder = data_folder() + "/demo_model/";
  const io::MetaTable meta = read_keys(folder + "hf");
  const io::MetaTable gguf = gguf_keys(folder + "quern-demo-f16.gguf");
  CHECK(differing_keys(meta, gguf).empty());
  for (const auto& [key, how] : differing_keys(meta, gguf)) MESSAGE(key << " " << how);
  const auto reference = build(gguf);
  for (const char* name : {"hf", "hf/tokenizer.json", "hf/tokenizer.model"}) {
    const auto tokenizer = open(folder + name);
    for (const std::string& text : all_texts()) {
      CAPTURE(name);
      CAPTURE(text.substr(0, 100));
      CHECK((tokenizer->encode(text, {true, true}) == reference->encode(text, {true, true})));
    }
  }
  // Without the model's scores, by the ranks of the merges.
  const Folder alone;
  const auto tokenizer = open(alone.write("tokenizer.json", read_text(folder + "hf/tokenizer.json")));
  for (const std::string& text : all_texts())
    CHECK((tokenizer->encode(text, {true, true}) == reference->encode(text, {true, true})));
}

TEST_CASE("WordPiece: BERT's vocabulary as a tokenizer.json has transformers' ids, and the keys of its GGUF") {
  if (data_folder().empty()) return;
  const io::MetaTable gguf = gguf_keys(data_folder() + "/tokenizers/llama.cpp-vocab/ggml-vocab-bert-bge.gguf");
  const auto& tokens = **gguf.get_strings("tokenizer.ggml.tokens");
  const std::string mark = "\u2581";
  json root = json::parse(R"({"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
      "strip_accents": null, "lowercase": true}, "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
      {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]}})");
  root["model"] = {{"type", "WordPiece"}, {"unk_token", "[UNK]"}, {"continuing_subword_prefix", "##"}};
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool begins = tokens[i].starts_with(mark), brackets = tokens[i].starts_with('[') && tokens[i].ends_with(']');
    root["model"]["vocab"][begins ? tokens[i].substr(mark.size()) : brackets ? tokens[i] : "##" + tokens[i]] = i;
  }
  for (const char* special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    root["added_tokens"].push_back({{"id", root["model"]["vocab"][special]}, {"content", special}, {"special", true}});
  const Folder folder;
  folder.write("tokenizer.json", root.dump());
  folder.write("tokenizer_config.json", R"({"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]",
      "cls_token": "[CLS]", "mask_token": "[MASK]"})");
  const io::MetaTable meta = read_keys(folder.path());
  auto differing = differing_keys(meta, gguf);
  // What the file says and GGUF's family implies, and what belongs to the model; the name of the pre-tokenizer is not
  // looked at.
  CHECK(differing.size() == 8);
  for (const char* key : {"add_bos_token", "add_eos_token", "add_sep_token", "bos_token_id", "pre", "token_type_count",
                          "normalizer.lowercase", "normalizer.strip_accents"})
    differing.erase(std::string("tokenizer.ggml.") + key);
  for (const auto& [key, how] : differing) MESSAGE(key << " " << how);
  CHECK(differing.empty());
  const auto tokenizer = build(meta);
  const json cases = json::parse(read_text(data_folder() + "/tokenizers/hf-expected/bert.json"))
                         .at("models")
                         .at("Xenova/bert-base-uncased");
  for (const auto& [name, c] : cases.items()) {
    if (!c.contains("text") || !c.at("text").is_string() || c.contains("text_pair")) continue;
    CAPTURE(name);
    CHECK(tokenizer->encode(c.at("text").get<std::string>(), {true, true}) == c.at("ids").get<Ids>());
  }
}

TEST_CASE("a unigram model of SentencePiece becomes the keys of the family t5") {
  if (data_folder().empty()) return;
  const io::MetaTable meta = read_keys(data_folder() + "/tokenizers/sentencepiece/spm-test/test_model.model");
  CHECK(**meta.get_string("tokenizer.ggml.model") == "t5");
  CHECK((*meta.get_strings("tokenizer.ggml.tokens"))->size() == 1000);
  CHECK((*meta.get_ints("tokenizer.ggml.precompiled_charsmap"))->size() == 237484);
  CHECK(*meta.get_bool("tokenizer.ggml.remove_extra_whitespaces") == true);

  const auto tokenizer = build(meta);
  std::istringstream lines(read_text(data_folder() + "/tokenizers/sentencepiece/spm-test/botchan.txt"));
  size_t n = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    const bool plain = std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }) &&
                       line.find("  ") == std::string::npos && !line.starts_with(' ') && !line.ends_with(' ');
    if (!plain) continue;
    const Ids ids = tokenizer->encode(line, {});
    if (std::find(ids.begin(), ids.end(), 0) != ids.end()) continue;  // a character that the model lacks
    CHECK(tokenizer->decode(ids) == line);
    ++n;
  }
  CHECK(n > 1000);
}
