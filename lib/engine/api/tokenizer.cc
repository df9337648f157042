#include <quern/tokenizer.h>

#include "lib/engine/api/impl.h"
#include "lib/text/utf8_stream.h"

namespace quern {

std::vector<Token> Tokenizer::tokenize(std::string_view text, const TokenizeOptions& options) const {
  text::EncodeOptions encode;
  encode.add_special = options.add_special;
  encode.parse_special = options.parse_special;
  return impl_->get().encode(text, encode);
}

std::string Tokenizer::detokenize(std::span<const Token> tokens, bool special) const {
  return impl_->get().decode(tokens, special);
}

std::string Tokenizer::piece(Token token, bool special) const { return impl_->get().piece(token, special); }

int32_t Tokenizer::n_tokens() const { return impl_->get().n_tokens(); }

Token Tokenizer::bos() const { return impl_->get().vocab().bos.value_or(-1); }

Token Tokenizer::eos() const { return impl_->get().vocab().eos.value_or(-1); }

bool Tokenizer::adds_bos() const { return impl_->get().vocab().add_bos && impl_->get().vocab().bos.has_value(); }

bool Tokenizer::is_end(Token token) const { return impl_->get().is_end_of_generation(token); }

bool Tokenizer::is_control(Token token) const { return impl_->get().is_control(token); }

Token Tokenizer::find(std::string_view text) const { return impl_->get().find(text); }

struct TextStream::Impl {
  Tokenizer tokenizer;
  text::Utf8Stream stream;
};

TextStream::TextStream(Tokenizer tokenizer) : impl_(new Impl{std::move(tokenizer), {}}) {}
TextStream::~TextStream() = default;
TextStream::TextStream(TextStream&&) noexcept = default;
TextStream& TextStream::operator=(TextStream&&) noexcept = default;

std::string TextStream::push(Token token) { return impl_->stream.push(impl_->tokenizer.piece(token)); }

std::string TextStream::finish() { return impl_->stream.finish(); }

}  // namespace quern
