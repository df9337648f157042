#include "lib/model/vocab_from_meta.h"

#include <doctest/doctest.h>

#include "lib/text/tokenizer.h"

using namespace quern;
using text::TokenType;

namespace {

using Strings = std::vector<std::string>;
using Ints = std::vector<int64_t>;

struct Keys {
  std::vector<std::pair<std::string, io::MetaValue>> entries;
  Keys& set(const std::string& name, io::MetaValue value) {
    for (auto& [key, old] : entries) {
      if (key == name) {
        old = std::move(value);
        return *this;
      }
    }
    entries.emplace_back(name, std::move(value));
    return *this;
  }
  Result<text::Vocab> read() const {
    io::MetaTable meta("m.gguf");
    for (const auto& [key, value] : entries) {
      const std::string name = key.starts_with("general.") ? key : "tokenizer.ggml." + key;
      REQUIRE(meta.add({name, value, 0}).has_value());
    }
    return model::vocab_from_meta(meta);
  }
};

Keys spm_keys() {
  Keys keys;
  keys.set("model", std::string("llama")).set("tokens", Strings{"<unk>", "<s>", "</s>", "<0x0A>", "a", "<|end|>"});
  return keys;
}
Keys bpe_keys(const std::string& pre) {
  Keys keys;
  keys.set("model", std::string("gpt2"))
      .set("tokens", Strings{"a", "b", "ab", "<|im_end|>"})
      .set("merges", Strings{"a b"});
  if (!pre.empty()) keys.set("pre", pre);
  return keys;
}
std::string message(const Keys& keys) {
  const auto vocab = keys.read();
  return vocab ? "" : vocab.error().message;
}

}  // namespace

TEST_CASE("a llama vocabulary with nothing but tokens gets its family's defaults") {
  const text::Vocab vocab = spm_keys().read().value();
  CHECK(vocab.kind == text::VocabKind::spm);
  CHECK(vocab.scores == std::vector<float>(6, 0.f));
  CHECK(vocab.types == std::vector<TokenType>{TokenType::unknown, TokenType::control, TokenType::control,
                                              TokenType::byte, TokenType::normal, TokenType::control});
  CHECK(vocab.unk == 0);
  CHECK(vocab.bos == 1);
  CHECK(vocab.eos == 2);
  CHECK(vocab.eot == 5);
  CHECK(!vocab.eom);
  CHECK(vocab.add_bos);
  CHECK(!vocab.add_eos);
  CHECK(vocab.add_space_prefix);
  CHECK(text::Tokenizer::build(vocab, "m.gguf").has_value());
}

TEST_CASE("keys that are there count") {
  const text::Vocab vocab = spm_keys()
                                .set("add_bos_token", false)
                                .set("add_eos_token", true)
                                .set("add_space_prefix", false)
                                .set("scores", std::vector<double>{0, 0, 0, 0, -1.5, 0})
                                .set("token_type", Ints{2, 3, 3, 6, 0, 4})
                                .set("eot_token_id", uint64_t{4})
                                .set("bos_token_id", uint64_t{0xFFFFFFFF})
                                .read()
                                .value();
  CHECK(!vocab.add_bos);
  CHECK(vocab.add_eos);
  CHECK(!vocab.add_space_prefix);
  CHECK(vocab.scores[4] == -1.5f);
  CHECK(vocab.types[4] == TokenType::normal);   // 0 is undefined
  CHECK(vocab.types[5] == TokenType::control);  // <|end|> ends a turn, whatever its type says
  CHECK(vocab.eot == 4);
  CHECK(!vocab.bos);
}

TEST_CASE("a gpt2 vocabulary: defaults by its pre-tokenizer") {
  const text::Vocab llama3 = bpe_keys("llama-bpe").read().value();
  CHECK(llama3.pre == "llama-bpe");
  CHECK(llama3.add_bos);
  CHECK(llama3.ignore_merges);
  CHECK(llama3.eot == 3);
  for (const char* pre : {"qwen2", ""}) {
    const text::Vocab vocab = bpe_keys(pre).read().value();
    CHECK(!vocab.add_bos);
    CHECK(!vocab.ignore_merges);
    CHECK(!vocab.add_space_prefix);
    CHECK(!vocab.bos);
    CHECK(text::Tokenizer::build(vocab, "m.gguf").has_value());
  }
}

TEST_CASE("phi-3's special tokens swallow the whitespace after them") {
  CHECK(spm_keys().set("general.name", std::string("Phi-3 mini")).read()->strip_right == std::vector<int32_t>{2, 5});
  CHECK(spm_keys().set("general.name", std::string("Other")).read()->strip_right.empty());
}

TEST_CASE("what is wrong is refused by key and value") {
  CHECK(message(Keys()) == "m.gguf: the key 'tokenizer.ggml.model' is missing");
  for (const char* kind : {"bert", "t5", "rwkv", "plamo2", "gemma4", "none", ""}) {
    const auto vocab = spm_keys().set("model", std::string(kind)).read();
    REQUIRE(!vocab);
    CHECK(vocab.error().code == Errc::unsupported);
    CHECK(vocab.error().message.find(cat("'", kind, "'")) != std::string::npos);
  }
  CHECK(message(spm_keys().set("eos_token_id", uint64_t{6})) ==
        "m.gguf: 'tokenizer.ggml.eos_token_id' is 6, but the vocabulary has 6 tokens");
  CHECK(message(spm_keys().set("eom_token_id", int64_t{-2})) ==
        "m.gguf: 'tokenizer.ggml.eom_token_id' is -2, but the vocabulary has 6 tokens");
  CHECK(message(spm_keys().set("token_type", Ints{1, 1, 99})) ==
        "m.gguf: 'tokenizer.ggml.token_type' of token 2 is 99, expected 0 to 6");
  Keys no_merges = bpe_keys("gpt-2");
  no_merges.entries.pop_back();
  no_merges.entries.pop_back();
  CHECK(message(no_merges) == "m.gguf: the key 'tokenizer.ggml.merges' is missing");
  // Arrays of different lengths pass here and are refused by the tokenizer.
  const auto short_types = spm_keys().set("token_type", Ints{2, 3}).read();
  REQUIRE(short_types);
  CHECK(!text::Tokenizer::build(*short_types, "m.gguf"));
}
