#include "lib/io/tiktoken.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

#include "lib/io/base64.h"
#include "lib/io/names.h"
#include "lib/text/byte_alphabet.h"
#include "lib/text/pretokenize.h"
#include "lib/text/token_index.h"

namespace quern::io {
namespace {

using text::TokenType;

constexpr size_t kMaxTokenBytes = 4096;
constexpr size_t kMaxRanks = size_t{1} << 22;
// All cuts of all tokens are looked up, which hashes a token's bytes as often as it has bytes. Published files take
// less than a hundredth of this.
constexpr uint64_t kMaxHashedBytes = uint64_t{1} << 30;

struct Line {
  std::string token;
  size_t rank = 0;
};

std::optional<Line> parse_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  auto token = decode_base64(line.substr(0, space));
  if (!token || token->empty()) return std::nullopt;
  size_t rank = 0;
  const char *first = line.data() + space + 1, *last = line.data() + line.size();
  const auto [end, error] = std::from_chars(first, last, rank);
  if (error != std::errc() || end != last) return std::nullopt;
  return Line{std::move(*token), rank};
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Tokens by rank; "" at ranks that no line has.
Result<std::vector<std::string>> parse_ranks(std::string_view text, std::string_view file, size_t& n_ranks) {
  std::vector<std::string> tokens;
  const auto n_lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty() || line == "\r") continue;
    auto parsed = parse_line(line);
    QUERN_ENSURE(parsed, Errc::format, file, ": line ", number, ": expected base64, a space and a rank, found ",
                 quoted(line));
    QUERN_ENSURE(parsed->token.size() <= kMaxTokenBytes, Errc::unsupported, file, ": line ", number, ": the token has ",
                 parsed->token.size(), " bytes, at most ", kMaxTokenBytes, " are supported");
    // Published files have a hole of one rank at most.
    QUERN_ENSURE(parsed->rank < kMaxRanks && parsed->rank < n_lines + 1024, Errc::format, file, ": line ", number,
                 ": the rank is ", parsed->rank, ", but there are only ", n_lines, " lines");
    if (parsed->rank >= tokens.size()) tokens.resize(parsed->rank + 1);
    QUERN_ENSURE(tokens[parsed->rank].empty(), Errc::format, file, ": line ", number, ": the rank ", parsed->rank,
                 " appears twice");
    tokens[parsed->rank] = std::move(parsed->token);
    ++n_ranks;
  }
  return tokens;
}

std::string spell(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out.append(text::byte_to_alphabet(static_cast<uint8_t>(c)));
  return out;
}

/// The merges of all tokens, those of one token by the ranks of their parts.
Result<std::vector<std::string>> derive_merges(const std::vector<std::string>& tokens, std::string_view file) {
  text::TokenIndex index(tokens.size());
  uint64_t hashed = 0;
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    if (tokens[rank].empty()) continue;
    const int32_t first = index.add(tokens[rank], static_cast<int32_t>(rank));
    QUERN_ENSURE(first == static_cast<int32_t>(rank), Errc::format, file, ": the ranks ", first, " and ", rank,
                 " are the same token");
    hashed += tokens[rank].size() * tokens[rank].size();
  }
  QUERN_ENSURE(hashed <= kMaxHashedBytes, Errc::unsupported, file, ": too many long tokens");
  std::vector<std::string> merges;
  std::vector<std::tuple<int32_t, int32_t, size_t>> cuts;  // ranks of both parts, size of the left one
  for (const std::string& token : tokens) {
    cuts.clear();
    for (size_t size = 1; size < token.size(); ++size) {
      const std::string_view whole = token;
      const int32_t left = index.find(whole.substr(0, size));
      const int32_t right = left < 0 ? -1 : index.find(whole.substr(size));
      if (right >= 0) cuts.emplace_back(left, right, size);
    }
    std::sort(cuts.begin(), cuts.end());
    for (const auto& [left, right, size] : cuts) {
      merges.push_back(
          cat(spell(std::string_view(token).substr(0, size)), " ", spell(std::string_view(token).substr(size))));
    }
  }
  return merges;
}

Result<const KnownRanks*> recognise(size_t n_ranks, std::span<const KnownRanks> known, std::string_view file) {
  std::string names;
  for (const KnownRanks& ranks : known) {
    if (ranks.n_ranks == n_ranks) return &ranks;
    names += cat(names.empty() ? "" : ", ", ranks.name, ": ", ranks.n_ranks);
  }
  return fail(Errc::unsupported, file, ": a rank file does not say how text is cut into words, and none with ", n_ranks,
              " ranks is known (", names, "); a tokenizer.json would say it");
}

Status add_specials(const KnownRanks& known, TokenizerParts& parts) {
  for (const auto& [id, text] : known.specials) QUERN_CHECK(parts.add({id, std::string(text), true, false, false}));
  for (const auto& run : known.reserved) {
    for (int32_t i = 0; i < run.n; ++i)
      QUERN_CHECK(parts.add({run.first + i, cat(run.head, run.number + i, run.tail), true, false, false}));
  }
  QUERN_CHECK(parts.pad_to(known.n_tokens));
  if (!known.bos.empty()) parts.ids["bos"] = parts.find(known.bos);
  if (!known.eos.empty()) parts.ids["eos"] = parts.find(known.eos);
  return {};
}

}  // namespace

bool looks_like_ranks(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes).substr(0, 2 * kMaxTokenBytes);
  return parse_line(text.substr(0, text.find('\n'))).has_value();
}

Result<TokenizerParts> parse_tiktoken(std::span<const std::byte> bytes, const std::string& file,
                                      std::span<const KnownRanks> all_known) {
  size_t n_ranks = 0;
  QUERN_TRY(const std::vector<std::string> tokens, parse_ranks(as_text(bytes), file, n_ranks));
  QUERN_TRY(const KnownRanks* const known, recognise(n_ranks, all_known, file));
  TokenizerParts parts;
  parts.file = file;
  parts.model = "gpt2";
  parts.pre = known->pre;
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    if (tokens[rank].empty()) continue;
    QUERN_CHECK(parts.place(static_cast<int64_t>(rank), spell(tokens[rank]), TokenType::normal, 0));
  }
  QUERN_TRY(parts.merges, derive_merges(tokens, file));
  QUERN_CHECK(add_specials(*known, parts));
  parts.add_bos = known->add_bos;
  parts.add_eos = false;
  const auto* spec = text::find_pretokenizer(parts.pre);
  if (spec == nullptr || !spec->ignore_merges) parts.ignore_merges = true;  // a word that is a token is that token
  return parts;
}

}  // namespace quern::io
