#include "lib/convert/imatrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/base/checked.h"
#include "lib/base/file.h"
#include "lib/io/cursor.h"
#include "lib/io/gguf.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"

namespace quern::convert {
namespace {

using io::quoted;

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";
constexpr uint64_t kMaxNameBytes = 255;

/// Files from before GGUF may hold names as the other engine's device spoke them: "CUDA0#blk.0.attn_q.weight#0".
std::string_view plain_name(std::string_view name) {
  const size_t first = name.find('#');
  if (first == std::string_view::npos) return name;
  const std::string_view rest = name.substr(first + 1);
  return rest.substr(0, rest.find('#'));
}

Status check_value(double value, const std::string& where, size_t index) {
  QUERN_ENSURE(std::isfinite(value) && value >= 0, Errc::format, where, "value ", index,
               ": expected a number from 0, found ", value);
  return {};
}

// ---- .dat ----

class DatReader {
 public:
  DatReader(std::span<const std::byte> bytes, const std::string& path) : cursor_(bytes), path_(path) {}

  Result<Imatrix> read() {
    Imatrix out;
    out.path = path_;
    QUERN_TRY(const int32_t n_entries, number("the number of entries"));
    QUERN_ENSURE(n_entries > 0, Errc::format, path_, ": not an importance matrix: neither GGUF nor a .dat file, which ",
                 "would begin with its number of entries, found ", n_entries);
    int32_t most_chunks = 0;
    for (int32_t i = 0; i < n_entries; ++i) {
      QUERN_TRY(const int32_t n_chunks, entry(out, i));
      most_chunks = std::max(most_chunks, n_chunks);
    }
    out.n_chunks = static_cast<uint32_t>(most_chunks);
    if (cursor_.remaining() > 0) QUERN_CHECK(tail(out));
    return out;
  }

 private:
  Result<int32_t> number(std::string_view what) {
    QUERN_ENSURE(cursor_.remaining() >= sizeof(int32_t), Errc::format, path_, ": ends at byte ",
                 cursor_.position() + cursor_.remaining(), ", within ", what);
    return io::load<int32_t>(cursor_.take(sizeof(int32_t)).data());
  }

  Result<std::string> text(const std::string& what, uint64_t max_bytes) {
    QUERN_TRY(const int32_t size, number(what));
    QUERN_ENSURE(size >= 0 && static_cast<uint64_t>(size) <= max_bytes, Errc::format, path_, ": ", what,
                 ": expected a length of 0 to ", max_bytes, ", found ", size);
    QUERN_ENSURE(static_cast<uint64_t>(size) <= cursor_.remaining(), Errc::format, path_, ": ends within ", what);
    const auto bytes = cursor_.take(static_cast<uint64_t>(size));
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  /// Returns the entry's number of chunks.
  Result<int32_t> entry(Imatrix& out, int32_t index) {
    QUERN_TRY(const std::string full_name, text(cat("the name of entry ", index), kMaxNameBytes));
    const std::string name(plain_name(full_name));
    const char* fault = io::name_fault(name, kMaxNameBytes);
    QUERN_ENSURE(fault == nullptr, Errc::format, path_, ": entry ", index, ": the name ", quoted(name), " ",
                 fault ? fault : "");
    const std::string where = cat(path_, ": entry ", quoted(name), ": ");
    QUERN_TRY(const int32_t n_chunks, number(where + "its number of chunks"));
    QUERN_ENSURE(n_chunks >= 0, Errc::format, where, "expected its number of chunks, found ", n_chunks);
    QUERN_TRY(const int32_t n_values, number(where + "its number of values"));
    QUERN_ENSURE(n_values > 0, Errc::format, where, "expected its number of values, found ", n_values);
    const uint64_t n_bytes = uint64_t{sizeof(float)} * static_cast<uint64_t>(n_values);
    QUERN_ENSURE(n_bytes <= cursor_.remaining(), Errc::format, where, "expected ", n_values, " values, found ",
                 cursor_.remaining() / sizeof(float), " before the end of the file");
    const auto bytes = cursor_.take(n_bytes);
    ImatrixEntry values;
    values.counts = {static_cast<double>(n_chunks) * Imatrix::kUsualChunk};
    values.sums.resize(static_cast<size_t>(n_values));
    for (size_t i = 0; i < values.sums.size(); ++i) {
      const auto value = static_cast<double>(io::load<float>(bytes.data() + i * sizeof(float)));
      QUERN_CHECK(check_value(value, where, i));
      values.sums[i] = value * Imatrix::kUsualChunk;
    }
    QUERN_ENSURE(out.entries.try_emplace(name, std::move(values)).second, Errc::format, where, "appears twice");
    return n_chunks;
  }

  Status tail(Imatrix& out) {
    QUERN_TRY(const int32_t n_chunks, number("the number of chunks at its end"));
    QUERN_ENSURE(n_chunks >= 0, Errc::format, path_, ": expected the number of chunks after the last entry, found ",
                 n_chunks);
    out.n_chunks = static_cast<uint32_t>(n_chunks);
    if (cursor_.remaining() == 0) return {};
    QUERN_TRY(std::string dataset, text("the name of the text at its end", Imatrix::kMaxDatasetBytes));
    out.datasets.push_back(std::move(dataset));
    QUERN_ENSURE(cursor_.remaining() == 0, Errc::format, path_, ": ", cursor_.remaining(), " bytes after its end");
    return {};
  }

  io::Cursor cursor_;
  const std::string& path_;
};

// ---- GGUF ----

Result<std::vector<double>> read_floats(const io::TensorEntry& tensor, const std::string& path) {
  const std::string where = cat(path, ": tensor ", quoted(tensor.name), ": ");
  QUERN_ENSURE(tensor.view.type == tensor::DType::f32, Errc::format, where, "expected type F32, found ",
               quant::type_name(tensor.type_id));
  std::vector<double> out(tensor.view.shape.elements());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<double>(io::load<float>(tensor.view.data + i * sizeof(float)));
    QUERN_CHECK(check_value(out[i], where, i));
  }
  return out;
}

Result<uint32_t> read_u32(const io::MetaTable& meta, const char* key, uint32_t absent) {
  QUERN_TRY(const auto value, meta.get_uint(key));
  QUERN_ENSURE(!value || *value <= UINT32_MAX, Errc::format, meta.file(), ": key ", quoted(key),
               ": expected a u32, found ", *value);
  return value ? static_cast<uint32_t>(*value) : absent;
}

Result<Imatrix> from_gguf(const io::GgufContents& file, const std::string& path) {
  Imatrix out;
  out.path = path;
  QUERN_TRY(const std::string* const type, file.meta.get_string("general.type"));
  QUERN_ENSURE(type != nullptr && *type == "imatrix", Errc::format, path,
               ": not an importance matrix: key 'general.type': expected 'imatrix', found ",
               type ? quoted(*type) : "none");
  QUERN_TRY(const auto* const datasets, file.meta.get_strings("imatrix.datasets"));
  if (datasets != nullptr) out.datasets = *datasets;
  QUERN_TRY(out.n_chunks, read_u32(file.meta, "imatrix.chunk_count", 0));
  QUERN_TRY(out.chunk_size, read_u32(file.meta, "imatrix.chunk_size", Imatrix::kUsualChunk));
  for (const io::TensorEntry& tensor : file.tensors.entries()) {
    if (!tensor.name.ends_with(kSums)) continue;
    const std::string name = tensor.name.substr(0, tensor.name.size() - kSums.size());
    const std::string where = cat(path, ": tensor ", quoted(name + std::string(kCounts)), ": ");
    const io::TensorEntry* const counts = file.tensors.find(name + std::string(kCounts));
    QUERN_ENSURE(counts != nullptr, Errc::format, where, "missing, but there is ", quoted(tensor.name));
    ImatrixEntry entry;
    QUERN_TRY(entry.sums, read_floats(tensor, path));
    QUERN_TRY(entry.counts, read_floats(*counts, path));
    QUERN_ENSURE(!name.empty() && entry.counts.size() == tensor.view.shape.rows(), Errc::format, where, "expected ",
                 tensor.view.shape.rows(), " elements, as many as ", quoted(tensor.name), " has rows, found ",
                 entry.counts.size());
    out.entries.emplace(name, std::move(entry));
  }
  QUERN_ENSURE(!out.entries.empty(), Errc::format, path, ": holds no tensor whose name ends with ", quoted(kSums));
  return out;
}

std::string shown(const std::string& path) { return path.empty() ? "what was collected" : path; }

/// An entry with one count stands for any number of matrices: .dat files do not tell.
bool can_be_added(const ImatrixEntry& a, const ImatrixEntry& b) {
  const size_t n_matrices = std::max(a.counts.size(), b.counts.size());
  const auto fits = [&](const ImatrixEntry& entry) {
    return entry.counts.size() == 1 || entry.counts.size() == n_matrices;
  };
  return a.sums.size() == b.sums.size() && a.sums.size() % n_matrices == 0 && fits(a) && fits(b);
}

void add_to(ImatrixEntry& entry, const ImatrixEntry& more) {
  const size_t n_matrices = std::max(entry.counts.size(), more.counts.size());
  if (entry.counts.size() < n_matrices) entry.counts.assign(n_matrices, entry.counts[0]);
  for (size_t i = 0; i < entry.sums.size(); ++i) entry.sums[i] += more.sums[i];
  for (size_t i = 0; i < n_matrices; ++i) entry.counts[i] += more.counts[more.counts.size() > 1 ? i : 0];
}

}  // namespace

std::vector<float> ImatrixEntry::means() const {
  std::vector<float> out(sums.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const double count = counts[i / n_cols()];
    out[i] = count > 0 ? static_cast<float>(sums[i] / count) : 1.0f;
  }
  return out;
}

Result<Imatrix> Imatrix::parse(std::span<const std::byte> bytes, const std::string& path) {
  const bool is_gguf =
      bytes.size() >= sizeof io::kGgufMagic && std::memcmp(bytes.data(), io::kGgufMagic, sizeof io::kGgufMagic) == 0;
  if (!is_gguf) return DatReader(bytes, path).read();
  QUERN_TRY(const io::GgufContents contents, io::parse_gguf(bytes, path));
  return from_gguf(contents, path);
}

Result<Imatrix> Imatrix::open(const std::string& path) {
  QUERN_TRY(const auto file, base::FileBytes::open(path, {}));
  return parse(file.bytes(), path);
}

Status Imatrix::add(const std::string& name, std::span<const double> sums, uint64_t n_tokens, size_t matrix,
                    size_t n_matrices) {
  for (size_t i = 0; i < sums.size(); ++i) {
    QUERN_ENSURE(std::isfinite(sums[i]), Errc::format, "tensor ", quoted(name), ": column ", i,
                 " of its input is not finite");
  }
  ImatrixEntry& entry = entries[name];
  if (entry.counts.empty()) {
    entry.sums.resize(sums.size() * n_matrices);
    entry.counts.resize(n_matrices);
  }
  QUERN_ENSURE(entry.counts.size() == n_matrices && entry.n_cols() == sums.size(), Errc::argument, "tensor ",
               quoted(name), ": has ", sums.size(), " columns in ", n_matrices, " matrices, but ", shown(path), " has ",
               entry.n_cols(), " in ", entry.counts.size());
  for (size_t i = 0; i < sums.size(); ++i) entry.sums[matrix * sums.size() + i] += sums[i];
  entry.counts[matrix] += static_cast<double>(n_tokens);
  return {};
}

Status Imatrix::merge(const Imatrix& other) {
  for (const auto& [name, more] : other.entries) {
    const auto place = entries.find(name);
    if (place == entries.end() || can_be_added(place->second, more)) continue;
    return fail(Errc::argument, shown(other.path), ": tensor ", quoted(name), ": has ", more.sums.size(), " values in ",
                more.counts.size(), " matrices, but ", shown(path), " has ", place->second.sums.size(), " in ",
                place->second.counts.size());
  }
  const auto chunks = base::checked_add(n_chunks, other.n_chunks);
  QUERN_ENSURE(chunks && *chunks <= UINT32_MAX, Errc::argument, shown(other.path), ": the number of chunks overflows");
  if (entries.empty()) chunk_size = other.chunk_size;
  for (const auto& [name, more] : other.entries) {
    const auto [place, is_new] = entries.try_emplace(name, more);
    if (!is_new) add_to(place->second, more);
  }
  n_chunks = static_cast<uint32_t>(*chunks);
  for (const std::string& dataset : other.datasets) {
    if (std::find(datasets.begin(), datasets.end(), dataset) == datasets.end()) datasets.push_back(dataset);
  }
  if (path.empty()) path = other.path;
  return {};
}

Result<std::optional<std::vector<float>>> Imatrix::weights_for(std::string_view name, uint64_t n_cols,
                                                               uint64_t n_matrices) const {
  const auto found = entries.find(name);
  if (found == entries.end()) return std::optional<std::vector<float>>();
  const ImatrixEntry& entry = found->second;
  const auto expected = base::checked_mul(n_cols, n_matrices);
  const bool counts_fit = entry.counts.size() == 1 || entry.counts.size() == n_matrices;
  if (expected && *expected == entry.sums.size() && counts_fit) return std::optional(entry.means());
  if (name == "token_embd.weight") return std::optional<std::vector<float>>();
  return fail(Errc::format, shown(path), ": tensor ", quoted(name), ": expected ", n_cols, " values for each of ",
              n_matrices, " matrices, found ", entry.n_cols(), " for each of ", entry.counts.size(),
              ": it was made for another model");
}

}  // namespace quern::convert
