// Vocabularies without texts ("none", "no_vocab"): ids go in and out, and no text becomes any.
#pragma once

#include "lib/text/tokenizer.h"

namespace quern::text {

class IdsOnlyTokenizer final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab, std::string_view) {
    return std::unique_ptr<Tokenizer>(new IdsOnlyTokenizer(std::move(vocab)));
  }

 private:
  explicit IdsOnlyTokenizer(Vocab vocab) : Tokenizer(std::move(vocab)) {}
  void encode_text(std::string_view, bool, std::vector<int32_t>&) const override {}
  std::string token_bytes(int32_t) const override { return {}; }
};

}  // namespace quern::text
