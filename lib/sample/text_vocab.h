// TextVocab: the SamplerVocab of a tokenizer, which must outlive it.
#pragma once

#include "lib/sample/vocab.h"
#include "lib/text/tokenizer.h"

namespace quern::sample {

class TextVocab final : public SamplerVocab {
 public:
  explicit TextVocab(const text::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  int32_t n_tokens() const override { return tokenizer_.n_tokens(); }
  std::string piece(int32_t token) const override { return tokenizer_.piece(token, true); }
  std::vector<int32_t> encode(std::string_view text) const override { return tokenizer_.encode(text, {}); }
  bool is_end_of_generation(int32_t token) const override { return tokenizer_.is_end_of_generation(token); }

 private:
  const text::Tokenizer& tokenizer_;
};

}  // namespace quern::sample
