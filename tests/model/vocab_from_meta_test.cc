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

TEST_CASE("bert, t5, gemma4, rwkv: the defaults of their families") {
  Keys bert;
  bert.set("model", std::string("bert")).set("tokens", Strings{"[CLS]", "[SEP]", "[UNK]", "[MASK]", "\u2581a", "b"});
  bert.set("bos_token_id", uint64_t{0}).set("seperator_token_id", uint64_t{1}).set("unknown_token_id", uint64_t{2});
  const text::Vocab wordpiece = bert.set("mask_token_id", uint64_t{3}).read().value();
  CHECK(wordpiece.kind == text::VocabKind::wordpiece);
  CHECK(wordpiece.add_bos);
  CHECK(wordpiece.add_sep);
  CHECK(!wordpiece.add_eos);
  CHECK(wordpiece.lowercase);
  CHECK(wordpiece.strip_accents);
  CHECK(wordpiece.types == std::vector<TokenType>{TokenType::control, TokenType::control, TokenType::unknown,
                                                  TokenType::control, TokenType::normal, TokenType::normal});
  CHECK(text::Tokenizer::build(wordpiece, "m").value()->encode("AB", {true, false}) ==
        std::vector<int32_t>{0, 4, 5, 1});
  CHECK(!bert.set("normalizer.lowercase", false).read()->strip_accents);

  Keys t5;
  t5.set("model", std::string("t5")).set("tokens", Strings{"<pad>", "</s>", "<unk>", "\u2581a"});
  t5.set("precompiled_charsmap", Ints{1, -1, 255, 0});
  const text::Vocab unigram = t5.read().value();
  CHECK(unigram.kind == text::VocabKind::unigram);
  CHECK(unigram.pad == 0);
  CHECK(unigram.eos == 1);
  CHECK(unigram.unk == 2);
  CHECK(unigram.add_eos);
  CHECK(!unigram.add_bos);
  CHECK(unigram.add_space_prefix);
  CHECK(unigram.remove_extra_whitespaces);
  CHECK(unigram.charsmap == std::string("\x01\xFF\xFF\x00", 4));
  CHECK(message(t5.set("precompiled_charsmap", Ints{1, 256})) ==
        "m.gguf: 'tokenizer.ggml.precompiled_charsmap' has 256 at 1, expected bytes");

  Keys gemma = bpe_keys("");
  const text::Vocab raw = gemma.set("model", std::string("gemma4")).set("add_bos_token", false).read().value();
  CHECK(raw.kind == text::VocabKind::raw_bpe);
  CHECK(raw.pre == "gemma4");
  CHECK(raw.add_bos);
  CHECK(bpe_keys("sarvam-moe").read()->kind == text::VocabKind::raw_bpe);

  Keys rwkv;
  const text::Vocab trie = rwkv.set("model", std::string("rwkv")).set("tokens", Strings{"a", "ab"}).read().value();
  CHECK(trie.kind == text::VocabKind::trie);
  CHECK(!trie.add_bos);
}

TEST_CASE("ids without texts: as many as the model says") {
  Keys none;
  none.set("model", std::string("no_vocab")).set("general.architecture", std::string("wavtokenizer-dec"));
  CHECK(message(none) ==
        "m.gguf: the tokenizer has no tokens, and the key 'wavtokenizer-dec.vocab_size' that would say how many ids "
        "there "
        "are is missing");
  io::MetaTable meta("m.gguf");
  REQUIRE(meta.add({"tokenizer.ggml.model", std::string("none"), 0}).has_value());
  REQUIRE(meta.add({"general.architecture", std::string("x"), 0}).has_value());
  REQUIRE(meta.add({"x.vocab_size", uint64_t{12}, 0}).has_value());
  const auto tokenizer = text::Tokenizer::build(model::vocab_from_meta(meta).value(), "m.gguf").value();
  CHECK(tokenizer->n_tokens() == 12);
  CHECK(tokenizer->encode("text", {true, true}).empty());
  CHECK(tokenizer->piece(3, true) == "");
}

TEST_CASE("phi-3's special tokens swallow the whitespace after them") {
  CHECK(spm_keys().set("general.name", std::string("Phi-3 mini")).read()->strip_right == std::vector<int32_t>{2, 5});
  CHECK(spm_keys().set("general.name", std::string("Other")).read()->strip_right.empty());
}

TEST_CASE("what is wrong is refused by key and value") {
  CHECK(message(Keys()) == "m.gguf: the key 'tokenizer.ggml.model' is missing");
  for (const char* kind : {"plamo2", "hybriddna", "Bert", ""}) {
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
