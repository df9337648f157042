// Tokenizer: text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// Token id: index into the model's vocabulary.
using Token = int32_t;

struct TokenizeOptions {
  bool add_special = true;     ///< Add BOS/EOS where the model asks for them.
  bool parse_special = false;  ///< Read control tokens written out in the text. Leave off for text that users typed.
};

/// A view of a Model's tokenizer; keeps the model alive. Immutable, thread-safe.
class Tokenizer {
 public:
  /// Accepts any bytes.
  std::vector<Token> tokenize(std::string_view text, const TokenizeOptions& options = {}) const;
  /// The text of tokens; control tokens are left out unless `special`.
  std::string detokenize(std::span<const Token> tokens, bool special = false) const;
  /// The bytes of one token, possibly part of a UTF-8 character: join pieces with TextStream.
  std::string piece(Token token, bool special = false) const;

  int32_t n_tokens() const;
  Token bos() const;  ///< -1 where the model has none, as for the others.
  Token eos() const;
  bool adds_bos() const;
  /// Whether a token ends a generation: EOS, end of turn and the like.
  bool is_end(Token token) const;
  bool is_control(Token token) const;
  /// The id of a token by its exact vocabulary text ("<|im_end|>"), or -1.
  Token find(std::string_view text) const;

  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  Tokenizer() = default;                       ///< Empty: only assignment and destruction.
  const Impl& impl() const { return *impl_; }  ///< For the library itself.

 private:
  std::shared_ptr<const Impl> impl_;
};

/// Turns a stream of tokens into text that never ends inside a UTF-8 character. One per stream; not thread-safe.
class TextStream {
 public:
  explicit TextStream(Tokenizer tokenizer);
  ~TextStream();
  TextStream(TextStream&&) noexcept;
  TextStream& operator=(TextStream&&) noexcept;

  std::string push(Token token);  ///< The characters that this token completes, possibly none.
  std::string finish();           ///< What remains at the end; an unfinished character becomes U+FFFD.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern
