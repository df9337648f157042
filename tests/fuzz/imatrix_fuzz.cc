// Any bytes as an importance matrix, of either format: refused or read, and what was read can be asked for, merged,
// described, and survives being written and read again.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "lib/convert/imatrix.h"
#include "lib/convert/imatrix_stats.h"

using namespace quern;
using convert::Imatrix;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_entries(const Imatrix& imatrix) {
  require(!imatrix.entries.empty());
  for (const auto& [name, entry] : imatrix.entries) {
    require(!name.empty() && !entry.counts.empty() && !entry.sums.empty());
    require(entry.sums.size() == entry.n_cols() * entry.counts.size());
    const auto weights = imatrix.weights_for(name, entry.n_cols(), entry.counts.size());
    require(weights && *weights && (*weights)->size() == entry.sums.size());
    for (const float weight : **weights) require(weight >= 0);
    const auto wrong = imatrix.weights_for(name, entry.n_cols() + 1, entry.counts.size());
    require(!wrong || !*wrong);
  }
  for (const auto& stats : convert::tensor_stats(imatrix)) require(stats.n > 0 && stats.active <= 1.001);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto imatrix = Imatrix::parse(bytes, "fuzz.imatrix");
  if (!imatrix) {
    require(!imatrix.error().message.empty());
    return 0;
  }
  check_entries(*imatrix);
  Imatrix twice = *imatrix;
  if (twice.merge(*imatrix)) check_entries(twice);
  const auto again = Imatrix::parse(imatrix->dat_bytes(), "again.dat");
  require(again.has_value());
  require(again->entries.size() == imatrix->entries.size());
  for (const auto& [name, entry] : imatrix->entries) require(again->entries.count(name) == 1);
  return 0;
}
