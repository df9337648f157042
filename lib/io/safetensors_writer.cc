#include "lib/io/safetensors_writer.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <string_view>

#include "lib/base/checked.h"
#include "lib/base/file.h"
#include "lib/io/json_text.h"
#include "lib/io/names.h"

namespace quern::io {
namespace {

constexpr uint64_t kMaxNameBytes = 4096;
constexpr std::string_view kMetadata = "__metadata__";

/// Bytes of an array, or an error that names it.
Result<uint64_t> array_bytes(const SafeArray& array) {
  std::optional<uint64_t> bits = safe_type_bits(array.type);
  for (const uint64_t extent : array.shape) {
    if (bits) bits = base::checked_mul(*bits, extent);
  }
  QUERN_ENSURE(bits && *bits < uint64_t{1} << 62, Errc::argument, "array ", quoted(array.name), ": its size overflows");
  QUERN_ENSURE(*bits % 8 == 0, Errc::argument, "array ", quoted(array.name), ": ", *bits, " bits are no whole bytes");
  return *bits / 8;
}

std::string numbers(std::span<const uint64_t> list) {
  std::string out = "[";
  for (size_t i = 0; i < list.size(); ++i) out += cat(i > 0 ? "," : "", list[i]);
  return out + "]";
}

}  // namespace

uint64_t SafeTensorsWriter::Batch::size_bytes() const {
  return std::accumulate(sizes.begin(), sizes.end(), uint64_t{0});
}

Status SafeTensorsWriter::add(std::vector<SafeArray> arrays, ArraysSource source) {
  Batch batch;
  for (const SafeArray& array : arrays) {
    const char* fault = name_fault(array.name, kMaxNameBytes);
    if (fault == nullptr && array.name == kMetadata) fault = "has a meaning of its own";
    if (fault != nullptr) return fail(Errc::argument, "array ", quoted(array.name), ": the name ", fault);
    QUERN_TRY(const uint64_t size_bytes, array_bytes(array));
    batch.sizes.push_back(size_bytes);
    const auto total = base::checked_add(total_bytes_, size_bytes);
    QUERN_ENSURE(total && *total < uint64_t{1} << 62, Errc::argument, "array ", quoted(array.name),
                 ": the size of the files overflows");
    total_bytes_ = *total;
    QUERN_ENSURE(names_.try_emplace(array.name, names_.size()).second, Errc::argument, "array ", quoted(array.name),
                 " appears twice");
  }
  batch.arrays = std::move(arrays);
  batch.source = std::move(source);
  batches_.push_back(std::move(batch));
  return {};
}

Status SafeTensorsWriter::add(SafeArray array, std::span<const std::byte> bytes) {
  QUERN_TRY(const uint64_t size_bytes, array_bytes(array));
  QUERN_ENSURE(bytes.size() == size_bytes, Errc::argument, "array ", quoted(array.name), ": expected ", size_bytes,
               " bytes, found ", bytes.size());
  return add({std::move(array)}, [bytes](const ArraySink& sink) { return sink(0, bytes); });
}

Status SafeTensorsWriter::write(const std::string& path) const { return write_file(path, batches_); }

SafeTensorsWriter::Layout SafeTensorsWriter::lay_out(std::span<const Batch> batches) {
  struct Place {
    size_t batch, array;
  };
  Layout out;
  std::vector<Place> places;
  for (size_t b = 0; b < batches.size(); ++b) {
    out.offsets.emplace_back(batches[b].arrays.size());
    for (size_t i = 0; i < batches[b].arrays.size(); ++i) places.push_back({b, i});
  }
  const auto array_at = [&](const Place& place) -> const SafeArray& {
    return batches[place.batch].arrays[place.array];
  };
  std::sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
    const uint32_t x = safe_type_bits(array_at(a).type), y = safe_type_bits(array_at(b).type);
    return x != y ? x > y : array_at(a).name < array_at(b).name;
  });
  // "pt" is what loaders of other projects expect: arrays as PyTorch lays them out.
  out.header = cat("{\"", kMetadata, "\":{\"format\":\"pt\"}");
  for (const Place& place : places) {
    const SafeArray& array = array_at(place);
    const uint64_t begin = out.data_bytes;
    out.offsets[place.batch][place.array] = begin;
    out.data_bytes += batches[place.batch].sizes[place.array];
    out.header += cat(",", json_string(array.name), ":{\"dtype\":\"", safe_type_name(array.type),
                      "\",\"shape\":", numbers(array.shape), ",\"data_offsets\":[", begin, ",", out.data_bytes, "]}");
  }
  out.header += "}";
  out.header.resize((out.header.size() + 7) / 8 * 8, ' ');
  return out;
}

Status SafeTensorsWriter::write_file(const std::string& path, std::span<const Batch> batches) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors are written little-endian");
  const Layout layout = lay_out(batches);
  const uint64_t header_bytes = layout.header.size(), data = sizeof header_bytes + header_bytes;
  QUERN_TRY(auto file, base::AtomicFile::create(path));
  QUERN_CHECK(file.write(std::as_bytes(std::span(&header_bytes, 1))));
  QUERN_CHECK(file.write(std::as_bytes(std::span(layout.header))));
  QUERN_CHECK(file.extend(data + layout.data_bytes));
  for (size_t b = 0; b < batches.size(); ++b) {
    const Batch& batch = batches[b];
    std::vector<uint64_t> written(batch.arrays.size());
    const auto sink = [&](size_t i, std::span<const std::byte> bytes) -> Status {
      QUERN_ENSURE(bytes.size() <= batch.sizes[i] - written[i], Errc::internal, "array ", quoted(batch.arrays[i].name),
                   ": its source gives more than ", batch.sizes[i], " bytes");
      QUERN_CHECK(file.rewrite(data + layout.offsets[b][i] + written[i], bytes));
      written[i] += bytes.size();
      return {};
    };
    QUERN_CHECK(batch.source(sink));
    for (size_t i = 0; i < written.size(); ++i) {
      QUERN_ENSURE(written[i] == batch.sizes[i], Errc::internal, "array ", quoted(batch.arrays[i].name), ": expected ",
                   batch.sizes[i], " bytes from its source, found ", written[i]);
    }
  }
  return file.commit();
}

std::string SafeTensorsWriter::index_text(std::span<const std::string> files,
                                          std::span<const size_t> file_of_batch) const {
  std::map<std::string_view, size_t> places;  // sorted, as the index usually is
  for (size_t b = 0; b < batches_.size(); ++b) {
    for (const SafeArray& array : batches_[b].arrays) places[array.name] = file_of_batch[b];
  }
  std::string out = cat("{\n  \"metadata\": {\n    \"total_size\": ", total_bytes_, "\n  },\n  \"weight_map\": {");
  const char* separator = "\n    ";
  for (const auto& [name, file] : places) {
    out += cat(separator, json_string(name), ": ", json_string(files[file]));
    separator = ",\n    ";
  }
  return out + "\n  }\n}\n";
}

Result<std::vector<std::string>> SafeTensorsWriter::write_checkpoint(const std::string& folder,
                                                                     uint64_t max_bytes) const {
  std::vector<size_t> file_of_batch;
  std::vector<std::pair<size_t, size_t>> ranges;  // of batches, per file
  uint64_t filled = 0;
  for (size_t b = 0; b < batches_.size(); ++b) {
    const uint64_t size_bytes = batches_[b].size_bytes();
    const bool fits = !ranges.empty() && size_bytes <= max_bytes && filled <= max_bytes - size_bytes;
    if (!fits) {
      ranges.push_back({b, b});
      filled = 0;
    }
    filled += size_bytes;
    ranges.back().second = b + 1;
    file_of_batch.push_back(ranges.size() - 1);
  }
  if (ranges.empty()) ranges.push_back({0, 0});
  const auto five_digits = [](size_t n) {
    const std::string digits = cat(n);
    return std::string(5 - std::min<size_t>(5, digits.size()), '0') + digits;
  };
  std::vector<std::string> files;
  for (size_t i = 0; i < ranges.size(); ++i) {
    files.push_back(ranges.size() == 1
                        ? "model.safetensors"
                        : cat("model-", five_digits(i + 1), "-of-", five_digits(ranges.size()), ".safetensors"));
    const std::span<const Batch> batches =
        std::span(batches_).subspan(ranges[i].first, ranges[i].second - ranges[i].first);
    QUERN_CHECK(write_file(cat(folder, "/", files.back()), batches));
  }
  if (files.size() == 1) return files;
  const std::string index = index_text(files, file_of_batch);
  const std::string name = "model.safetensors.index.json";
  QUERN_TRY(auto file, base::AtomicFile::create(cat(folder, "/", name)));
  QUERN_CHECK(file.write(std::as_bytes(std::span(index))));
  QUERN_CHECK(file.commit());
  files.push_back(name);
  return files;
}

}  // namespace quern::io
