// Importance matrices: for each input column of each weight, the mean square of what the model multiplied it with on
// some text. A quantizer spends its precision where that is large.
//
// Two file formats. GGUF, with for each weight NAME
//   NAME.in_sum2  F32 [columns, matrices]   the sums of squares
//   NAME.counts   F32 [1, matrices]         how many tokens were summed (there are several matrices where the weight
//                                           holds the experts of a layer)
// and the keys general.type = "imatrix", imatrix.datasets (strings), imatrix.chunk_count, imatrix.chunk_size (u32). And
// the older ".dat", little-endian:
//   i32 number of entries; each: i32 length, name; i32 number of chunks c; i32 n; f32 [n]: c times the mean squares
//   then, not in the oldest: i32 number of chunks; i32 length, name of the text
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"

namespace quern::convert {

enum class ImatrixFormat { gguf, dat };

struct ImatrixEntry {
  std::vector<double> sums;    ///< of squares: [matrices * columns]
  std::vector<double> counts;  ///< tokens: [matrices]; a .dat file holds one for all matrices

  size_t n_cols() const { return sums.size() / counts.size(); }
  /// The mean squares; 1 for a matrix that saw no token.
  std::vector<float> means() const;
};

struct Imatrix {
  /// Tokens of a chunk where a file does not say: .dat files count chunks, not tokens.
  static constexpr uint32_t kUsualChunk = 512;
  static constexpr size_t kMaxDatasetBytes = size_t{1} << 16;  ///< of a .dat file's text name

  std::string path;  ///< for messages
  std::vector<std::string> datasets;
  uint32_t n_chunks = 0, chunk_size = kUsualChunk;
  std::map<std::string, ImatrixEntry, std::less<>> entries;  ///< by the name of the weight

  /// Either format, told by its content.
  static Result<Imatrix> open(const std::string& path);
  static Result<Imatrix> parse(std::span<const std::byte> bytes, const std::string& path);

  /// On any failure `path` is as it was before.
  Status save(const std::string& path, ImatrixFormat format) const;
  std::vector<std::byte> dat_bytes() const;

  /// Adds what was collected for one weight, or for one of the matrices of a weight: sums of squares by column over
  /// n_tokens.
  Status add(const std::string& name, std::span<const double> sums, uint64_t n_tokens, size_t matrix = 0,
             size_t n_matrices = 1);
  /// Adds another file's sums: as if both texts had been read. On an error nothing has changed.
  Status merge(const Imatrix& other);

  /// The mean squares for a weight of n_cols columns and n_matrices matrices, one after the other. nullopt where the
  /// file has none for it, or, for token_embd.weight, none of this size; Errc::format for other weights of another
  /// size.
  Result<std::optional<std::vector<float>>> weights_for(std::string_view name, uint64_t n_cols,
                                                        uint64_t n_matrices = 1) const;
};

}  // namespace quern::convert
