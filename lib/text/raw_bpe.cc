#include "lib/text/raw_bpe.h"

#include "lib/text/byte_token.h"
#include "lib/text/space_mark.h"
#include "lib/text/utf8.h"
#include "lib/text/utf8_repair.h"

namespace quern::text {
namespace {

// Unicode's White_Space property.
bool is_white_space(uint32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace

struct RawBpeTokenizer::Scratch {
  BpeMerges::Word word;
  std::vector<size_t> begins;  // of the word's symbols, and the word's end
};

Result<std::unique_ptr<Tokenizer>> RawBpeTokenizer::create(Vocab vocab, std::string_view where) {
  const PreTokenizerSpec* spec = find_pretokenizer(vocab.pre);
  QUERN_ENSURE(spec != nullptr && spec->characters != Characters::bytes, Errc::unsupported, where,
               ": the pre-tokenizer '", std::string_view(vocab.pre).substr(0, 80),
               "' is not one of vocabularies of characters");
  QUERN_TRY(PreTokenizer pre, PreTokenizer::create(vocab.pre, where));
  std::unique_ptr<RawBpeTokenizer> tokenizer(new RawBpeTokenizer(std::move(vocab), std::move(pre), spec->characters));
  const Vocab& v = tokenizer->vocab_;
  QUERN_TRY(tokenizer->merges_, BpeMerges::build(v.merges, tokenizer->index_, v.tokens.size(), where));
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

RawBpeTokenizer::RawBpeTokenizer(Vocab vocab, PreTokenizer pre, Characters characters)
    : Tokenizer(std::move(vocab)), pre_(std::move(pre)), characters_(characters) {
  for (size_t byte = 0; byte < byte_token_.size(); ++byte)
    byte_token_[byte] = find(byte_token_text(static_cast<uint8_t>(byte)));
}

void RawBpeTokenizer::encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const {
  const bool newlines = word.find_first_not_of('\n') == std::string_view::npos;
  if (vocab_.ignore_merges || (newlines && characters_ == Characters::marked_newline_runs)) {
    if (const int32_t id = find(word); id >= 0) {
      out.push_back(id);
      return;
    }
  }
  scratch.word.clear();
  scratch.begins.clear();
  for (size_t i = 0; i < word.size();) {
    const size_t size = announced_size(word, i);
    scratch.word.add(merges_->find(word.substr(i, size)));
    scratch.begins.push_back(i);
    i += size;
  }
  scratch.begins.push_back(word.size());
  merges_->apply(scratch.word);

  const auto& symbols = scratch.word.symbols;
  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    const BpeMerges::Symbol& symbol = symbols[static_cast<size_t>(i)];
    if (symbol.id >= 0 && symbol.id < n_tokens()) {
      out.push_back(symbol.id);
      continue;
    }
    const size_t begin = scratch.begins[static_cast<size_t>(i)];
    const size_t next = symbol.next >= 0 ? static_cast<size_t>(symbol.next) : symbols.size();
    for (const char c : word.substr(begin, scratch.begins[next] - begin)) {
      const int32_t byte = byte_token_[static_cast<uint8_t>(c)];
      if (byte >= 0) out.push_back(byte);
    }
  }
}

void RawBpeTokenizer::encode_text(std::string_view text, bool, std::vector<int32_t>& out) const {
  const std::string marked = characters_ == Characters::plain ? std::string(text) : mark_spaces(text);
  const RepairedText repaired = is_valid_utf8(marked) ? RepairedText{marked, marked} : repair_utf8(marked);
  Scratch scratch;
  for (const std::string_view word : pre_.split(repaired.shape)) {
    // Here a word is white space throughout or has none.
    if (characters_ == Characters::plain && is_white_space(read_utf8(word).codepoint)) continue;
    const auto begin = static_cast<size_t>(word.data() - repaired.shape.data());
    encode_word(std::string_view(repaired.bytes).substr(begin, word.size()), scratch, out);
  }
}

std::string RawBpeTokenizer::token_bytes(int32_t token) const {
  const std::string& text = vocab_.tokens[static_cast<size_t>(token)];
  if (const auto byte = byte_of_token(text)) return std::string(1, static_cast<char>(*byte));
  return characters_ == Characters::plain ? text : unmark_spaces(text);
}

}  // namespace quern::text
