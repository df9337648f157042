// The ids of real vocabularies against those of an independent implementation: see tests/data/text/README.md.
#include "lib/text/pretokenize.h"
#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

static size_t check_ids(const std::string& file) {
  size_t n_cases = 0;
  for (const auto& group : read_json(QUERN_TEST_DATA_DIR "/text/" + file)) {
    const std::string name = group.at("vocab"), pre = group.at("pre");
    Vocab vocab = load_vocab(name);
    if (!pre.empty()) {
      vocab.pre = pre;
      vocab.ignore_merges = find_pretokenizer(pre)->ignore_merges;
    }
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
  return n_cases;
}

TEST_CASE("ids equal the reference's: SentencePiece BPE and byte-level BPE") {
  CHECK(check_ids("expected.json") > 500);
}

TEST_CASE("ids equal the reference's: the other families and the rarer pre-tokenizers") {
  CHECK(check_ids("expected_families.json") > 500);
}
