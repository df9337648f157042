// From a text to its embedding, through a WordPiece vocabulary: the tokens around a text are added, control tokens
// written out in it are read.
#include <map>

#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

/// The golden BERT with words in place of its tokens.
Golden bert_of_words() {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (const char* word :
       {"the",   "a",    "house", "stood", "near", "river", "two", "plus", "is", "four", "man", "play", "guitar",
        "music", "make", "un",    "old",   "'",    "(",     ")",   "-",    ".",  ",",    "!",   "?"}) {
    tokens.push_back(std::string("\u2581") + word);
  }
  for (const char* end : {"s", "ing", "ed", "er", "ly", "side", "able"}) tokens.emplace_back(end);
  std::vector<int> types(tokens.size(), 1);
  std::fill_n(types.begin(), 5, 3);
  while (tokens.size() < 96) tokens.push_back("[unused" + std::to_string(tokens.size()) + "]");
  types.resize(96, 5);

  Golden golden("bert", ".embd");
  const std::string prefix = "tokenizer.ggml.";
  nlohmann::json keys = nlohmann::json::array();
  for (const auto& key : golden.json["keys"]) {
    if (key[0].get<std::string>().rfind(prefix, 0) != 0) keys.push_back(key);
  }
  const std::map<std::string, int> ids = {{"bos", 2},     {"cls", 2},     {"seperator", 3}, {"eos", 3},
                                          {"unknown", 1}, {"padding", 0}, {"mask", 4}};
  keys.push_back({prefix + "model", "str", "bert"});
  keys.push_back({prefix + "token_type_count", "u32", 2});
  keys.push_back({prefix + "tokens", "strs", tokens});
  keys.push_back({prefix + "token_type", "i32s", types});
  for (const auto& [name, id] : ids) keys.push_back({prefix + name + "_token_id", "u32", id});
  golden.json["keys"] = keys;
  return golden;
}

}  // namespace

TEST_CASE("a text is embedded as its tokens are, with those that BERT wants around it") {
  const GoldenFile file(bert_of_words());
  const Model model = open_with(file.path(), 1);
  auto embedder = Embedder::create(model);
  REQUIRE(embedder.has_value());
  CHECK(embedder->pooling() == Pooling::cls);
  // The ids are llama.cpp's (v0.5.0) of the same vocabulary.
  const std::pair<const char*, std::vector<Token>> texts[] = {
      {"The house stood near the river.", {2, 5, 7, 8, 9, 5, 10, 26, 3}},
      {"Two plus two is four!", {2, 11, 12, 11, 13, 14, 28, 3}},
      {"A man plays  the guitar; he makes Mus\u00edc.", {2, 6, 15, 16, 30, 5, 17, 1, 1, 19, 30, 18, 26, 3}},
      {"unplayable [MASK] (the old riverside)", {2, 1, 4, 23, 5, 21, 10, 35, 24, 3}},
      {"", {2, 3}},
  };
  for (const auto& [text, ids] : texts) {
    CAPTURE(text);
    const auto of_text = embedder->embed_one(text);
    REQUIRE(of_text.has_value());
    CHECK(of_text->n_tokens == ids.size());
    const auto of_ids = embedder->embed(std::vector<std::vector<Token>>{ids});
    REQUIRE(of_ids.has_value());
    CHECK(of_text->values == of_ids->front().values);
  }
}
