// Rank files of OpenAI's tiktoken (tokenizer.model of Llama 3, *.tiktoken): one line per token, its bytes in base64, a
// space and its rank, which is its id. Merges follow from the ranks: two neighbours become one token where both
// together are one, the lowest rank first; so the merges of a token are all its cuts into two tokens.
//
// Such a file says neither how text is cut into words nor what the special tokens are: programs have both in their
// source. tiktoken_table.cc knows them for published files, which are told by their number of ranks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lib/io/tokenizer_parts.h"

namespace quern::io {

/// A published rank file.
struct KnownRanks {
  size_t n_ranks;
  std::string_view name, pre;
  struct Special {
    int32_t id;
    std::string_view text;
  };
  std::span<const Special> specials;
  /// Reserved tokens: at the ids from `first` on, `n` tokens `head` + number + `tail`, numbered from `number`.
  struct Reserved {
    int32_t first, n;
    std::string_view head, tail;
    int32_t number;
  };
  std::span<const Reserved> reserved;
  std::string_view bos, eos;  ///< "" for none
  bool add_bos;
  int32_t n_tokens;  ///< with all special tokens and the unused ids after them
};

std::span<const KnownRanks> known_ranks();

/// Whether the first line is one of a rank file.
bool looks_like_ranks(std::span<const std::byte> bytes);

/// The vocabulary with the special tokens of the one of `known` with as many ranks. Errors name `file` and the line.
Result<TokenizerParts> parse_tiktoken(std::span<const std::byte> bytes, const std::string& file,
                                      std::span<const KnownRanks> known = known_ranks());

}  // namespace quern::io
