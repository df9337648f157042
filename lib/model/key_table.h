// The keys "{architecture}...." of a file: names, types, limits and defaults in one table (key_table.cc), and the
// reader that turns them into checked values. hparams.cc makes a model's numbers of them.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/base/status.h"
#include "lib/io/reader.h"

namespace quern::model {

/// The values of the key hidden_activation: GELU below kActivationSilu.
constexpr double kActivationAbsent = -1, kActivationSilu = 2;

/// The values of the key rope.scaling.type. LongRoPE is 3: it scales by its divisors alone.
constexpr double kScalingAbsent = -1, kScalingLinear = 1, kScalingYarn = 2;

constexpr double kMaxFf = 1 << 24;  ///< features of a feed-forward block
constexpr uint32_t kRopeAxes = 4;   ///< of positions: elements of the key rope.dimension_sections

/// The values of all keys, by key: one, or one per layer.
class KeyValues {
 public:
  double scalar(arch::Key key) const { return all(key).front(); }
  double of_layer(arch::Key key, size_t layer) const {
    const std::vector<double>& v = all(key);
    return v.size() == 1 ? v.front() : v[layer];
  }
  const std::vector<double>& all(arch::Key key) const { return values_[static_cast<size_t>(key)]; }
  std::vector<double>& all(arch::Key key) { return values_[static_cast<size_t>(key)]; }

 private:
  std::array<std::vector<double>, arch::kKeys> values_;
};

/// Reads the keys of one architecture out of one file.
class KeyReader {
 public:
  /// Both must outlive the reader.
  KeyReader(const io::MetaTable& meta, const arch::ArchSpec& spec);

  /// Every key of the table: as the file has it, or its default. Errors name the key, what was expected and found.
  Result<KeyValues> read() const;

  /// Whether the architecture has the key.
  bool listed(arch::Key key) const;
  /// Whether the architecture and the file have it.
  bool given(arch::Key key) const;
  /// Whether the file says it for each layer.
  bool per_layer(arch::Key key) const;
  /// How an error about a key begins: file and whole name.
  std::string where(arch::Key key) const;

 private:
  class One;  ///< one row of the table

  const io::MetaTable& meta_;
  const arch::ArchSpec& spec_;
  std::string prefix_;  ///< "{architecture}."
};

}  // namespace quern::model
