// Vocabularies for the tests: from tests/data/text, and by hand.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "lib/text/byte_alphabet.h"
#include "lib/text/tokenizer.h"

namespace quern::text {

inline nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path);
  return nlohmann::json::parse(file);
}

inline VocabKind kind_of(const std::string& name) {
  static const std::map<std::string, VocabKind> kKinds = {
      {"spm", VocabKind::spm},         {"bpe", VocabKind::bpe},         {"wordpiece", VocabKind::wordpiece},
      {"unigram", VocabKind::unigram}, {"raw_bpe", VocabKind::raw_bpe}, {"trie", VocabKind::trie}};
  return kKinds.at(name);
}

inline Vocab load_vocab(const std::string& name) {
  const nlohmann::json json = read_json(std::string(QUERN_TEST_DATA_DIR) + "/text/" + name);
  Vocab vocab;
  vocab.kind = kind_of(json.at("kind"));
  vocab.pre = json.value("pre", "");
  vocab.tokens = json.at("tokens").get<std::vector<std::string>>();
  vocab.scores = json.value("scores", std::vector<float>());
  vocab.merges = json.value("merges", std::vector<std::string>());
  for (const int byte : json.value("charsmap", std::vector<int>())) vocab.charsmap.push_back(static_cast<char>(byte));
  for (const int type : json.at("types")) vocab.types.push_back(static_cast<TokenType>(type));
  const std::pair<const char*, std::optional<int32_t>*> ids[] = {{"bos", &vocab.bos}, {"eos", &vocab.eos},
                                                                 {"unk", &vocab.unk}, {"pad", &vocab.pad},
                                                                 {"sep", &vocab.sep}, {"mask", &vocab.mask}};
  for (const auto& [key, id] : ids) {
    if (json.contains(key)) *id = json.at(key).get<int32_t>();
  }
  const std::pair<const char*, bool*> flags[] = {{"add_bos", &vocab.add_bos},
                                                 {"add_eos", &vocab.add_eos},
                                                 {"add_sep", &vocab.add_sep},
                                                 {"add_space_prefix", &vocab.add_space_prefix},
                                                 {"remove_extra_whitespaces", &vocab.remove_extra_whitespaces},
                                                 {"lowercase", &vocab.lowercase},
                                                 {"strip_accents", &vocab.strip_accents}};
  for (const auto& [key, flag] : flags) *flag = json.value(key, false);
  return vocab;
}

inline std::unique_ptr<Tokenizer> build(Vocab vocab) {
  auto tokenizer = Tokenizer::build(std::move(vocab), "test");
  REQUIRE_MESSAGE(tokenizer.has_value(), (tokenizer ? "" : tokenizer.error().message));
  return std::move(*tokenizer);
}

/// The message of a refused vocabulary; "" if it was accepted.
inline std::string refusal(Vocab vocab) {
  const auto tokenizer = Tokenizer::build(std::move(vocab), "test");
  return tokenizer ? "" : tokenizer.error().message;
}

struct Piece {
  std::string text;
  float score = 0;
  TokenType type = TokenType::normal;
};

inline Vocab make_spm(const std::vector<Piece>& pieces) {
  Vocab vocab;
  for (const Piece& piece : pieces) {
    vocab.tokens.push_back(piece.text);
    vocab.scores.push_back(piece.score);
    vocab.types.push_back(piece.type);
  }
  return vocab;
}

/// The 256 bytes as tokens 0..255 by value, then one token for each merge, then control tokens.
inline Vocab make_bpe(const std::vector<std::string>& merges, const std::vector<std::string>& control = {}) {
  Vocab vocab;
  vocab.kind = VocabKind::bpe;
  vocab.pre = "gpt-2";
  for (int b = 0; b < 256; ++b) vocab.tokens.emplace_back(byte_to_alphabet(static_cast<uint8_t>(b)));
  for (const std::string& merge : merges) {
    std::string token = merge;
    token.erase(token.find(' ', 1), 1);
    vocab.tokens.push_back(token);
  }
  vocab.merges = merges;
  vocab.types.assign(vocab.tokens.size(), TokenType::normal);
  for (const std::string& token : control) {
    vocab.tokens.push_back(token);
    vocab.types.push_back(TokenType::control);
  }
  return vocab;
}

using Ids = std::vector<int32_t>;

inline std::string random_text(std::mt19937& rng, size_t n_characters) {
  // Ranges of one to four bytes: ASCII, Latin, Cyrillic, combining marks, CJK, Hangul, emoji, spaces of many kinds.
  static constexpr uint32_t kRanges[][2] = {{0, 0x7F},          {0x20, 0x20},        {0xA0, 0x17F},    {0x300, 0x36F},
                                            {0x400, 0x45F},     {0x900, 0x97F},      {0x2000, 0x206F}, {0x2581, 0x2581},
                                            {0x3000, 0x30FF},   {0x4E00, 0x9FFF},    {0xAC00, 0xD7A3}, {0xFFF0, 0xFFFD},
                                            {0x1F300, 0x1F64F}, {0x10FF00, 0x10FFFF}};
  std::string out;
  for (size_t i = 0; i < n_characters; ++i) {
    const auto& range = kRanges[rng() % std::size(kRanges)];
    const uint32_t c = range[0] + static_cast<uint32_t>(rng()) % (range[1] - range[0] + 1);
    const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
      put(c);
    } else if (c < 0x800) {
      put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
    } else {
      put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
    }
  }
  return out;
}

}  // namespace quern::text
