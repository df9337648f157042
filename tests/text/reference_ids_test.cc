// The ids of real vocabularies against those of an independent implementation: see tests/data/text/README.md.
#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

TEST_CASE("ids equal the reference's for every family, pre-tokenizer and text") {
  size_t n_cases = 0;
  for (const auto& group : read_json(QUERN_TEST_DATA_DIR "/text/expected.json")) {
    const std::string name = group.at("vocab"), pre = group.at("pre");
    Vocab vocab = load_vocab(name);
    vocab.pre = pre;
    vocab.ignore_merges = pre == "llama-bpe";
    const auto tokenizer = build(std::move(vocab));
    for (const auto& c : group.at("cases")) {
      const std::string text = c.at("text");
      const bool special = c.value("special", false);
      CAPTURE(name);
      CAPTURE(pre);
      CAPTURE(text);
      CAPTURE(special);
      CHECK(tokenizer->encode(text, {special, special}) == c.at("ids").get<Ids>());
      ++n_cases;
    }
  }
  CHECK(n_cases > 500);
}
