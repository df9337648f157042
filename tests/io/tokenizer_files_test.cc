// Tokenizer files, right and wrong: the keys that they become, and what errors say.
#include <doctest/doctest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "lib/io/base64.h"
#include "lib/io/hf_tokenizer.h"
#include "lib/io/json.h"
#include "lib/io/protobuf.h"
#include "lib/io/tiktoken.h"
#include "lib/io/tokenizer_json.h"
#include "tests/io/raw_gguf.h"

using namespace quern;
using namespace quern::io;
using namespace quern::io::test;
using nlohmann::json;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

json byte_bpe() {
  return json::parse(R"({
    "added_tokens": [{"id": 4, "content": "<|x|>", "special": true, "rstrip": true}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "\u0120": 3}, "merges": ["a b"]}})");
}

json underline_bpe() {
  return json::parse(R"({
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    "model": {"type": "BPE", "byte_fallback": true, "vocab": {"a": 0, "b": 1, "ab": 2, "<0x0A>": 3, "c": 4, "abc": 5},
              "merges": ["a b", ["ab", "c"]]}})");
}

Result<MetaTable> read(const json& root) {
  const std::string text = root.dump();
  QUERN_TRY(const Json parsed, parse_json(bytes_of(text), "t.json"));
  QUERN_TRY(TokenizerParts parts, parse_tokenizer_json(parsed, "t.json"));
  return to_meta(std::move(parts));
}

std::string error_of(const json& root) {
  const auto result = read(root);
  return result ? "" : result.error().message;
}

// The error after a change.
template <class Change>
std::string error_after(json root, Change change) {
  change(root);
  return error_of(root);
}

std::string text_of(const MetaTable& meta, std::string_view key) {
  const auto text = meta.get_string(key);
  return text && *text ? **text : std::string("none");
}

}  // namespace

TEST_CASE("JSON: values, places, limits") {
  const auto parsed =
      parse_json(bytes_of(R"({"a": [1, {"b": "x"}], "n": null, "a2": 1.5, "twice": 1, "twice": 2})"), "f");
  REQUIRE(parsed);
  const JsonAt root(&*parsed, "f");
  CHECK(*root["a"][size_t{1}]["b"].need_text() == "x");
  CHECK(root["a"][size_t{0}].need_text().error().message == "f: 'a[0]': expected a string, found the number 1");
  CHECK(root["a"][size_t{7}].need_text().error().message == "f: 'a[7]': expected a string, found nothing");
  CHECK(!root["n"].present());
  CHECK(*root["twice"].integer() == 2);
  CHECK(root["a2"].integer().error().message == "f: 'a2': expected an integer, found the number 1.5");
  CHECK(contains(parse_json(bytes_of("{\"a\": }"), "f").error().message, "f: malformed JSON at byte 7"));
  CHECK(contains(parse_json(bytes_of("\"\xff\""), "f").error().message, "f: malformed JSON"));
  CHECK(parse_json(bytes_of(std::string(64, '[') + std::string(64, ']')), "f"));
  CHECK(contains(parse_json(bytes_of(std::string(100000, '[')), "f").error().message, "nested deeper than 64"));
}

TEST_CASE("base64") {
  CHECK(decode_base64("").value() == "");
  CHECK(decode_base64("Zg==").value() == "f");
  CHECK(decode_base64("Zm8=").value() == "fo");
  CHECK(decode_base64("Zm9vYmFy").value() == "foobar");
  for (const char* wrong : {"Z", "Zg", "Zg=", "Zh==", "Z===", "Zg==Zg==", "Z!==", "===="}) {
    CAPTURE(wrong);
    CHECK(!decode_base64(wrong));
  }
}

TEST_CASE("protobuf: numbers of every kind, and what breaks off") {
  ProtoReader reader(std::string_view("\x08\x96\x01\x12\x02hi\x1d\x00\x00\x80\x3f\x21\1\0\0\0\0\0\0\0", 21));
  CHECK(reader.next()->value == 150);
  CHECK(reader.next()->bytes == "hi");
  CHECK(reader.next()->as_float() == 1);
  CHECK(reader.next()->value == 1);
  CHECK(reader.done());
  for (const std::string_view wrong : {"\x08", "\x08\x80", "\x12\x05hi", "\x1d\1\1", "\x0b", "\x00\x01"})
    CHECK(!ProtoReader(wrong).next());
  CHECK(!ProtoReader("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").next());
}

TEST_CASE("tokenizer.json, byte-level BPE") {
  const auto meta = read(byte_bpe());
  REQUIRE_MESSAGE(meta, error_of(byte_bpe()));
  CHECK(text_of(*meta, "tokenizer.ggml.model") == "gpt2");
  CHECK(text_of(*meta, "tokenizer.ggml.pre") == "gpt-2");
  CHECK(*meta->get_strings("tokenizer.ggml.merges").value() == std::vector<std::string>{"a b"});
  CHECK(*meta->get_ints("tokenizer.ggml.token_type").value() == std::vector<int64_t>{1, 1, 1, 1, 3});
  CHECK(*meta->get_ints(kStripRightKey).value() == std::vector<int64_t>{4});
  CHECK(*meta->get_bool("tokenizer.ggml.add_bos_token") == false);
  CHECK(meta->find(kNfcKey) == nullptr);
}

TEST_CASE("tokenizer.json: errors name file, key and value") {
  const auto wrong = [](auto change) { return error_after(byte_bpe(), change); };
  CHECK(contains(wrong([](json& j) { j["model"]["vocab"]["b"] = 0; }), "t.json: the id 0 is that of the token 'a'"));
  CHECK(contains(wrong([](json& j) { j["model"]["vocab"]["b"] = -1; }), "the token 'b' has the id -1"));
  CHECK(contains(wrong([](json& j) { j["model"]["vocab"]["b"] = "1"; }),
                 "t.json: 'model.vocab': the id of 'b' is the string '1', expected an integer"));
  CHECK(contains(wrong([](json& j) { j["model"]["vocab"]["b"] = 4000000; }), "has the id 4000000, but only 4 tokens"));
  CHECK(contains(wrong([](json& j) { j["model"]["vocab"] = json::object(); }), "'model.vocab': has no tokens"));
  CHECK(contains(wrong([](json& j) { j["model"]["merges"][0] = "a c"; }),
                 "t.json: 'model.merges[0]': there is no token 'c'"));
  CHECK(contains(wrong([](json& j) { j["model"]["merges"][0] = "b a"; }), "there is no token 'ba'"));
  CHECK(contains(wrong([](json& j) { j["model"]["merges"][0] = "ab"; }),
                 "'model.merges[0]': expected two parts with a space between them, found the string 'ab'"));
  CHECK(contains(wrong([](json& j) { j["model"]["merges"][0] = {"a", "b", "c"}; }), "expected two parts"));
  CHECK(contains(wrong([](json& j) { j["model"]["merges"] = 5; }),
                 "'model.merges': expected an array, found the number 5"));
  CHECK(contains(wrong([](json& j) { j["model"]["type"] = "Words"; }), "expected BPE, Unigram or WordPiece, found"));
  CHECK(contains(wrong([](json& j) { j["model"]["dropout"] = 0.1; }),
                 "'model.dropout': the number 0.1 is not supported"));
  CHECK(contains(wrong([](json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }), "'model.end_of_word_suffix'"));
  CHECK(contains(wrong([](json& j) { j["model"]["unk_token"] = "?"; }), "'model.unk_token': there is no token '?'"));
  CHECK(contains(wrong([](json& j) { j["added_tokens"][0]["id"] = 0; }), "the id 0 is that of the token 'a'"));
  CHECK(contains(wrong([](json& j) { j["added_tokens"][0]["single_word"] = true; }), "'added_tokens[0].single_word'"));
  CHECK(contains(wrong([](json& j) {
                   j["normalizer"] = {{"type", "NFKC"}};
                 }),
                 "t.json: 'normalizer': the step 'NFKC' is not supported"));
  CHECK(contains(wrong([](json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }),
                 "'pre_tokenizer.add_prefix_space': true is not supported"));
  CHECK(contains(wrong([](json& j) {
                   j["pre_tokenizer"] = json::parse(R"({"type": "Sequence", "pretokenizers": [
                     {"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated"},
                     {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})");
                 }),
                 "t.json: 'pre_tokenizer': no pre-tokenizer is known that cuts text by x+"));
  CHECK(contains(wrong([](json& j) {
                   j["pre_tokenizer"] = json::parse(R"({"type": "Sequence", "pretokenizers": [
                     {"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "MergedWithNext"}]})");
                 }),
                 "'pre_tokenizer.pretokenizers[0].behavior': this behavior is not supported"));
  CHECK(contains(wrong([](json& j) {
                   j["post_processor"] = json::parse(R"({"type": "TemplateProcessing", "single": [
                     {"SpecialToken": {"id": "a"}}, {"SpecialToken": {"id": "b"}}, {"Sequence": {"id": "A"}}]})");
                 }),
                 "a second token 'b' beside 'a' is not supported"));
}

TEST_CASE("tokenizer.json over U+2581: scores where the merges have an order of tokens, else the merges themselves") {
  auto meta = read(underline_bpe());
  REQUIRE_MESSAGE(meta, error_of(underline_bpe()));
  CHECK(text_of(*meta, "tokenizer.ggml.model") == "llama");
  CHECK(*meta->get_floats("tokenizer.ggml.scores").value() == std::vector<double>{0, 0, 0, 0, 0, -1});
  CHECK(*meta->get_ints("tokenizer.ggml.token_type").value() == std::vector<int64_t>{1, 1, 1, 6, 1, 1});
  CHECK(meta->find("tokenizer.ggml.merges") == nullptr);

  json root = underline_bpe();
  root["model"]["vocab"]["bc"] = 6;  // a and bc are abc too, but no merge
  root["model"]["merges"].push_back("b c");
  meta = read(root);
  REQUIRE(meta);
  CHECK(text_of(*meta, "tokenizer.ggml.model") == "gemma4");
  CHECK((*meta->get_strings("tokenizer.ggml.merges"))->size() == 3);
  root["normalizer"] = json::parse(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]})");
  CHECK(contains(error_of(root), "the tokens 'a' and 'bc' make a token, but there is no merge of them"));
}

TEST_CASE("how Metaspace prefixes a space") {
  const auto with = [](const char* scheme) {
    json root = underline_bpe();
    root["normalizer"] = nullptr;
    root["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"split", false}};
    root["pre_tokenizer"]["prepend_scheme"] = scheme;
    return read(root).value();
  };
  CHECK(*with("never").get_bool("tokenizer.ggml.add_space_prefix") == false);
  CHECK(*with("always").get_bool("tokenizer.ggml.add_space_prefix") == true);
  CHECK(with("always").find(kPrefixOnceKey) == nullptr);
  CHECK(*with("always").get_bool(kPrefixIfMissingKey) == true);
  CHECK(*with("first").get_bool(kPrefixOnceKey) == true);
}

TEST_CASE("rank files: merges of all cuts, special tokens of the known file, errors with their lines") {
  constexpr KnownRanks::Special kSpecials[] = {{6, "<|end|>"}};
  const KnownRanks known[] = {{4, "four", "gpt-2", kSpecials, {}, "", "<|end|>", false, 8}};
  const auto parse = [&](std::string_view text) { return parse_tiktoken(bytes_of(text), "r", known); };
  const auto parts = parse("YQ== 0\nYWE= 1\nYWFh 2\n/w== 3\n");
  REQUIRE(parts);
  CHECK(parts->merges == std::vector<std::string>{"a a", "a aa", "aa a"});
  CHECK(parts->tokens == std::vector<std::string>{"a", "aa", "aaa", "\u00ff", "[PAD4]", "[PAD5]", "<|end|>", "[PAD7]"});
  CHECK(parts->ids.at("eos") == 6);
  const auto error = [&](std::string_view text) { return parse(text).error().message; };
  CHECK(contains(error("YQ== 0\nYQ= 1\n"), "r: line 2: expected base64, a space and a rank, found 'YQ= 1'"));
  CHECK(contains(error("YQ== 0\nYg== 0\n"), "line 2: the rank 0 appears twice"));
  CHECK(contains(error("YQ== 0\nYg== 9999999\n"), "line 2: the rank is 9999999, but there are only 3 lines"));
  CHECK(contains(error("YQ== 0\nYg== 1\nYQ== 2\nZA== 3\n"), "the ranks 0 and 2 are the same token"));
  CHECK(contains(error("YQ== 0\n"), "none with 1 ranks is known (four: 4)"));
}

TEST_CASE("folders: which file, and what stands beside it") {
  const ScratchFolder folder;
  const auto write = [&](const char* name, const json& value) {
    const std::string text = value.dump();
    return folder.write(name, bytes_of(text));
  };
  CHECK(contains(read_hf_tokenizer(folder / "").error().message, "the folder has no tokenizer"));
  const std::string file = write("tokenizer.json", byte_bpe());
  write("tokenizer_config.json", json::parse(R"({"bos_token": {"content": "<|x|>"}, "eos_token": "b", "pad_token": null,
      "add_bos_token": true, "chat_template": [{"name": "default", "template": "D"}, {"name": "rag", "template": "R"}]})"));
  write("config.json", json::parse(R"({"vocab_size": 7, "pad_token_id": 3, "eos_token_id": [1, 2]})"));
  for (const std::string& path : {file, folder / ""}) {
    const auto meta = read_hf_tokenizer(path);
    REQUIRE_MESSAGE(meta, meta.error().message);
    CHECK((*meta->get_strings("tokenizer.ggml.tokens"))->back() == "[PAD6]");
    CHECK(*meta->get_uint("tokenizer.ggml.bos_token_id") == 4);
    CHECK(*meta->get_uint("tokenizer.ggml.eos_token_id") == 1);
    CHECK(*meta->get_uint("tokenizer.ggml.padding_token_id") == 3);
    CHECK(*meta->get_ints(kEndIdsKey).value() == std::vector<int64_t>{1, 2});
    CHECK(*meta->get_bool("tokenizer.ggml.add_bos_token") == true);
    CHECK(text_of(*meta, "tokenizer.chat_template") == "D");
    CHECK(text_of(*meta, "tokenizer.chat_template.rag") == "R");
  }
  folder.write("chat_template.jinja", bytes_of("J"));
  CHECK(text_of(*read_hf_tokenizer(folder / ""), "tokenizer.chat_template") == "J");
  write("generation_config.json", json::parse(R"({"eos_token_id": [1, 70]})"));
  CHECK(contains(read_hf_tokenizer(file).error().message,
                 "generation_config.json: 'eos_token_id[1]': is 70, but there are only 7 tokens"));
  folder.write("tokenizer.json", bytes_of("{\"a\": 1}"));
  CHECK(contains(read_hf_tokenizer(file).error().message, "not a tokenizer.json: it has no 'model' with a 'vocab'"));
  folder.write("tokenizer.json", bytes_of("what is this"));
  CHECK(contains(read_hf_tokenizer(file).error().message, "neither a tokenizer.json nor"));
}
