// SamplerVocab: the little that the steps want to know of a vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::sample {

class SamplerVocab {
 public:
  virtual ~SamplerVocab() = default;
  virtual int32_t n_tokens() const = 0;
  /// The bytes of a token, control tokens written out.
  virtual std::string piece(int32_t token) const = 0;
  /// The tokens of a text without BOS and the like; control tokens written in it are plain text.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  virtual bool is_end_of_generation(int32_t token) const = 0;
};

}  // namespace quern::sample
