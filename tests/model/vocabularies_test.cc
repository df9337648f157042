// Real vocabularies in GGUF files and the ids that they give, from the folder that QUERN_TEST_DATA names.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lib/io/reader.h"
#include "lib/model/vocab_from_meta.h"
#include "lib/text/tokenizer.h"

using namespace quern;

namespace {

using Ids = std::vector<int32_t>;

std::string data_folder() {
  const char* folder = std::getenv("QUERN_TEST_DATA");
  return folder ? std::string(folder) + "/tokenizers" : std::string();
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::unique_ptr<text::Tokenizer> open(const std::string& path) {
  const auto file = io::open_model_file(path);
  REQUIRE_MESSAGE(file.has_value(), (file ? "" : file.error().message));
  auto vocab = model::vocab_from_meta(file->meta);
  REQUIRE_MESSAGE(vocab.has_value(), (vocab ? "" : vocab.error().message));
  auto tokenizer = text::Tokenizer::build(std::move(*vocab), path);
  REQUIRE_MESSAGE(tokenizer.has_value(), (tokenizer ? "" : tokenizer.error().message));
  return std::move(*tokenizer);
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + separator.size()) {
    parts.push_back(text.substr(begin, end - begin));
  }
  parts.push_back(text.substr(begin));
  return parts;
}

Ids parse_ids(const std::string& line) {
  std::istringstream stream(line);
  Ids ids;
  for (int32_t id; stream >> id;) ids.push_back(id);
  return ids;
}

}  // namespace

TEST_CASE("llama.cpp's vocabulary files: .inp gives .out") {
  if (data_folder().empty()) {
    MESSAGE("QUERN_TEST_DATA is not set");
    return;
  }
  int n_vocabs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder() + "/llama.cpp-vocab")) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != ".gguf" || !std::filesystem::exists(path + ".out")) continue;
    const auto tokenizer = open(path);
    const bool keeps_text = tokenizer->vocab().kind != text::VocabKind::wordpiece;
    const auto texts = split(read_text(path + ".inp"), "\n__ggml_vocab_test__\n");
    const auto lines = split(read_text(path + ".out"), "\n");
    REQUIRE(texts.size() <= lines.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(path);
      CAPTURE(texts[i]);
      CHECK(tokenizer->encode(texts[i], {}) == parse_ids(lines[i]));
      if (keeps_text) CHECK(tokenizer->decode(tokenizer->encode(texts[i], {})) == texts[i]);
    }
    ++n_vocabs;
  }
  CHECK(n_vocabs > 0);
}

TEST_CASE("further texts with llama.cpp's ids") {
  if (data_folder().empty()) {
    MESSAGE("QUERN_TEST_DATA is not set");
    return;
  }
  const auto expected = nlohmann::json::parse(read_text(data_folder() + "/llama_cpp_expected.dev.json"));
  for (const auto& group : expected.at("vocabs")) {
    const std::string name = group.at("vocab");
    const auto tokenizer = open(data_folder() + "/llama.cpp-vocab/" + name);
    for (const auto& c : group.at("cases")) {
      const std::string text = c.at("text");
      CAPTURE(name);
      CAPTURE(text);
      CHECK(tokenizer->encode(text, {}) == c.at("ids").get<Ids>());
    }
  }
}

TEST_CASE("texts with Hugging Face's ids and decodings") {
  if (data_folder().empty()) {
    MESSAGE("QUERN_TEST_DATA is not set");
    return;
  }
  struct Pair {
    const char *file, *model, *vocab;
  };
  for (const Pair& pair : {Pair{"gpt2", "Xenova/gpt2", "gpt-2"}, Pair{"llama", "Xenova/llama-tokenizer", "llama-spm"},
                           Pair{"llama", "Xenova/deepseek-coder-1.3b-instruct", "deepseek-coder"},
                           Pair{"bert", "Xenova/bert-base-uncased", "bert-bge"}}) {
    const auto json = nlohmann::json::parse(read_text(data_folder() + "/hf-expected/" + pair.file + ".json"));
    if (!json.at("models").contains(pair.model)) continue;
    const auto tokenizer = open(data_folder() + "/llama.cpp-vocab/ggml-vocab-" + pair.vocab + ".gguf");
    REQUIRE(tokenizer);
    for (const auto& [key, c] : json.at("models").at(pair.model).items()) {
      if (!c.contains("text") || !c.at("text").is_string() || c.contains("text_pair")) continue;
      CAPTURE(pair.model);
      CAPTURE(key);
      CHECK(tokenizer->encode(c.at("text").get<std::string>(), {true, true}) == c.at("ids").get<Ids>());
    }
  }
}
