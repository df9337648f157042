#include "lib/text/spm.h"

#include <algorithm>

#include "lib/text/byte_token.h"
#include "lib/text/space_mark.h"
#include "lib/text/utf8_repair.h"

namespace quern::text {

// The characters of a segment as a linked list in which merges remove elements, and the candidates as a heap.
struct SpmTokenizer::Scratch {
  struct Symbol {
    int32_t previous, next;  // -1: none
    uint32_t begin, size;    // size 0: merged into its left neighbour
  };
  struct Pair {
    float score;
    int32_t left, right;
    uint32_t size;  // of both when the pair was found: tells a stale entry
  };
  static bool worse(const Pair& a, const Pair& b) {
    return a.score < b.score || (a.score == b.score && a.left > b.left);
  }
  std::vector<Symbol> symbols;
  std::vector<Pair> heap;
};

Result<std::unique_ptr<Tokenizer>> SpmTokenizer::create(Vocab vocab, std::string_view) {
  return std::unique_ptr<Tokenizer>(new SpmTokenizer(std::move(vocab)));
}

SpmTokenizer::SpmTokenizer(Vocab vocab) : Tokenizer(std::move(vocab)) {
  byte_token_.fill(-1);
  for (size_t i = 0; i < vocab_.tokens.size(); ++i) {
    const std::string& token = vocab_.tokens[i];
    const auto id = static_cast<int32_t>(i);
    if (vocab_.types[i] == TokenType::byte) {
      byte_token_[*byte_of_token(token)] = id;
    } else if (is_ordinary(id)) {
      max_token_bytes_ = std::max(max_token_bytes_, token.size());
      cut_at_spaces_ = cut_at_spaces_ && segment_end(token, 0) == token.size();
    }
  }
  // Vocabularies whose byte tokens have another type, or that have the bytes as they are.
  for (size_t byte = 0; byte < byte_token_.size(); ++byte) {
    const char raw = static_cast<char>(byte);
    int32_t& id = byte_token_[byte];
    if (id < 0) id = find(byte_token_text(static_cast<uint8_t>(byte)));
    if (id < 0) id = find(std::string_view(&raw, 1));
  }
}

// The id of a token that text may merge into, or -1.
int32_t SpmTokenizer::mergeable(std::string_view text) const {
  if (text.size() > max_token_bytes_) return -1;
  const int32_t id = index_.find(text);
  if (id < 0 || !is_ordinary(id) || vocab_.types[static_cast<size_t>(id)] == TokenType::byte) return -1;
  return id;
}

void SpmTokenizer::push_pair(std::string_view text, Scratch& scratch, int32_t left) const {
  if (left < 0) return;
  const auto& a = scratch.symbols[static_cast<size_t>(left)];
  if (a.next < 0) return;
  const uint32_t size = a.size + scratch.symbols[static_cast<size_t>(a.next)].size;
  const int32_t token = mergeable(text.substr(a.begin, size));
  if (token < 0) return;
  scratch.heap.push_back({vocab_.scores[static_cast<size_t>(token)], left, a.next, size});
  std::push_heap(scratch.heap.begin(), scratch.heap.end(), Scratch::worse);
}

void SpmTokenizer::encode_segment(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const {
  auto& symbols = scratch.symbols;
  symbols.clear();
  scratch.heap.clear();
  for (size_t i = 0; i < text.size();) {
    const size_t size = announced_size(text, i);
    const auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({index - 1, index + 1, static_cast<uint32_t>(i), static_cast<uint32_t>(size)});
    i += size;
  }
  symbols.back().next = -1;
  for (size_t i = 0; i < symbols.size(); ++i) push_pair(text, scratch, static_cast<int32_t>(i));

  while (!scratch.heap.empty()) {
    const Scratch::Pair best = scratch.heap.front();
    std::pop_heap(scratch.heap.begin(), scratch.heap.end(), Scratch::worse);
    scratch.heap.pop_back();
    auto& left = symbols[static_cast<size_t>(best.left)];
    auto& right = symbols[static_cast<size_t>(best.right)];
    if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
    left.size = best.size;
    left.next = right.next;
    right.size = 0;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.left;
    push_pair(text, scratch, left.previous);
    push_pair(text, scratch, best.left);
  }
  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    const auto& symbol = symbols[static_cast<size_t>(i)];
    emit(text.substr(symbol.begin, symbol.size), out);
  }
}

void SpmTokenizer::emit(std::string_view symbol, std::vector<int32_t>& out) const {
  if (const int32_t id = mergeable(symbol); id >= 0) {
    out.push_back(id);
    return;
  }
  for (const char c : symbol) {
    const int32_t id = byte_token_[static_cast<uint8_t>(c)];
    if (id >= 0) {
      out.push_back(id);
    } else if (vocab_.unk) {
      out.push_back(*vocab_.unk);
      return;  // one for the whole character
    }
  }
}

void SpmTokenizer::encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const {
  const std::string prefix(at_start && vocab_.add_space_prefix ? kSpaceMark : std::string_view());
  const std::string escaped = prefix + mark_spaces(text);
  const bool cut = cut_at_spaces_ && is_valid_utf8(text);
  Scratch scratch;
  for (size_t begin = 0; begin < escaped.size();) {
    const size_t end = cut ? segment_end(escaped, begin) : escaped.size();
    encode_segment(std::string_view(escaped).substr(begin, end - begin), scratch, out);
    begin = end;
  }
}

std::string SpmTokenizer::token_bytes(int32_t token) const {
  const std::string& text = vocab_.tokens[static_cast<size_t>(token)];
  if (vocab_.types[static_cast<size_t>(token)] == TokenType::byte)
    return std::string(1, static_cast<char>(*byte_of_token(text)));
  return unmark_spaces(text);
}

}  // namespace quern::text
