// Importance matrices to files: the formats are described in imatrix.h.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "lib/base/file.h"
#include "lib/convert/imatrix.h"
#include "lib/io/gguf_writer.h"
#include "lib/io/names.h"

namespace quern::convert {
namespace {

/// Both formats hold floats: the largest of them stands for what is larger.
float to_float(double value) {
  return static_cast<float>(std::min(value, static_cast<double>(std::numeric_limits<float>::max())));
}

void put(std::vector<std::byte>& out, const void* data, size_t size) {
  const size_t end = out.size();
  out.resize(end + size);
  if (size > 0) std::memcpy(out.data() + end, data, size);
}
void put_number(std::vector<std::byte>& out, uint64_t number) {
  const auto stored = static_cast<int32_t>(std::min<uint64_t>(number, INT32_MAX));
  put(out, &stored, sizeof stored);
}
void put_text(std::vector<std::byte>& out, const std::string& text) {
  put_number(out, text.size());
  put(out, text.data(), text.size());
}

Status write_gguf(const Imatrix& imatrix, const std::string& path) {
  io::GgufWriter writer;
  const auto number = [&](const char* key, uint64_t value) { return writer.add(key, value, io::ValueType::u32); };
  QUERN_CHECK(writer.add("general.type", std::string("imatrix"), io::ValueType::string));
  QUERN_CHECK(writer.add("imatrix.datasets", imatrix.datasets, io::ValueType::string));
  QUERN_CHECK(number("imatrix.chunk_count", imatrix.n_chunks));
  QUERN_CHECK(number("imatrix.chunk_size", imatrix.chunk_size));
  std::vector<std::vector<float>> kept;  // the writer borrows them
  kept.reserve(2 * imatrix.entries.size());
  const auto add = [&](const std::string& name, const std::vector<double>& values, uint64_t rows) {
    kept.emplace_back(values.size());
    std::transform(values.begin(), values.end(), kept.back().begin(), to_float);
    const tensor::Shape shape{{values.size() / rows, rows, 1, 1}, 2};
    return writer.add_tensor(name, shape, static_cast<uint32_t>(tensor::DType::f32),
                             std::as_bytes(std::span(kept.back())));
  };
  for (const auto& [name, entry] : imatrix.entries) {
    QUERN_CHECK(add(name + ".in_sum2", entry.sums, entry.counts.size()));
    QUERN_CHECK(add(name + ".counts", entry.counts, entry.counts.size()));
  }
  return writer.write(path);
}

}  // namespace

std::vector<std::byte> Imatrix::dat_bytes() const {
  std::vector<std::byte> out;
  put_number(out, entries.size());
  const double size = std::max<double>(chunk_size, 1);
  for (const auto& [name, entry] : entries) {
    const double most = *std::max_element(entry.counts.begin(), entry.counts.end());
    const double n_chunks_seen = std::min<double>(std::ceil(most / size), INT32_MAX);
    put_text(out, name);
    put_number(out, static_cast<uint64_t>(n_chunks_seen));
    put_number(out, entry.sums.size());
    for (size_t i = 0; i < entry.sums.size(); ++i) {
      const double count = entry.counts[i / entry.n_cols()];
      const float value = to_float((count > 0 ? entry.sums[i] / count : 1.0) * n_chunks_seen);
      put(out, &value, sizeof value);
    }
  }
  put_number(out, n_chunks);
  put_text(out, datasets.empty() ? std::string() : datasets.front().substr(0, kMaxDatasetBytes));
  return out;
}

Status Imatrix::save(const std::string& to, ImatrixFormat format) const {
  QUERN_ENSURE(!entries.empty(), Errc::argument, to, ": an importance matrix without entries is not written");
  if (format == ImatrixFormat::gguf) return write_gguf(*this, to);
  QUERN_TRY(auto file, base::AtomicFile::create(to));
  QUERN_CHECK(file.write(dat_bytes()));
  return file.commit();
}

}  // namespace quern::convert
