#include "lib/io/gguf_writer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "lib/base/checked.h"
#include "lib/base/file.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"

namespace quern::io {
namespace {

/// Little-endian bytes of the header.
class Encoder {
 public:
  template <class T>
  void number(T value) {
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "GGUF is written little-endian");
    append(&value, sizeof value);
  }
  void text(std::string_view text) {
    number<uint64_t>(text.size());
    append(text.data(), text.size());
  }
  void append(const void* data, size_t size) {
    if (size == 0) return;  // data may be null
    const size_t at = bytes_.size();
    bytes_.resize(at + size);
    std::memcpy(bytes_.data() + at, data, size);
  }
  void pad(uint64_t alignment) { bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// One value in the width that the file gives it. False where the value is of another kind or does not fit.
template <class Stored, class Wide>
bool put_number(Encoder& out, Wide value) {
  if constexpr (std::is_floating_point_v<Stored> != std::is_floating_point_v<Wide>) {
    return false;
  } else if constexpr (std::is_floating_point_v<Stored>) {
    // Rounding is fine, turning a finite number into an infinite one is not.
    if (std::isfinite(value) && std::abs(value) > std::numeric_limits<Stored>::max()) return false;
  } else if (!std::in_range<Stored>(value)) {
    return false;
  }
  out.number(static_cast<Stored>(value));
  return true;
}

bool put(Encoder& out, ValueType, bool value) {
  out.number<uint8_t>(value);
  return true;
}

bool put(Encoder& out, ValueType type, const std::string& value) {
  if (type != ValueType::string) return false;
  out.text(value);
  return true;
}

template <class Wide>
bool put(Encoder& out, ValueType type, Wide value) {
  switch (type) {
    case ValueType::u8:
      return put_number<uint8_t>(out, value);
    case ValueType::i8:
      return put_number<int8_t>(out, value);
    case ValueType::u16:
      return put_number<uint16_t>(out, value);
    case ValueType::i16:
      return put_number<int16_t>(out, value);
    case ValueType::u32:
      return put_number<uint32_t>(out, value);
    case ValueType::i32:
      return put_number<int32_t>(out, value);
    case ValueType::u64:
      return put_number<uint64_t>(out, value);
    case ValueType::i64:
      return put_number<int64_t>(out, value);
    case ValueType::f32:
      return put_number<float>(out, value);
    case ValueType::f64:
      return put_number<double>(out, value);
    case ValueType::boolean:
      return (value == 0 || value == 1) && put_number<uint8_t>(out, value);  // from an array
    default:
      return false;
  }
}

template <class T>
inline constexpr bool is_array = false;
template <class T>
inline constexpr bool is_array<std::vector<T>> = true;

/// Type and value of an entry. False where the type cannot hold the value.
bool put_entry_value(Encoder& out, ValueType type, const MetaValue& value) {
  return std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (is_array<T>) {
          out.number(ValueType::array);
          out.number(type);
          out.number<uint64_t>(v.size());
          return std::all_of(v.begin(), v.end(), [&](const auto& element) { return put(out, type, element); });
        } else {
          out.number(type);
          return std::is_same_v<T, bool> == (type == ValueType::boolean) && put(out, type, v);
        }
      },
      value);
}

/// Lengths within the reader's limits.
bool within_limits(const MetaValue& value) {
  constexpr GgufLimits kLimits;
  const auto fits = [](const std::string& s) { return s.size() <= kLimits.string_bytes; };
  return std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>)
          return fits(v);
        else if constexpr (!is_array<T>)
          return true;
        else if constexpr (std::is_same_v<T, std::vector<std::string>>)
          return v.size() <= kLimits.array_elements && std::all_of(v.begin(), v.end(), fits);
        else
          return v.size() <= kLimits.array_elements;
      },
      value);
}

/// Bytes of a whole tensor, or an error that names it.
Result<uint64_t> tensor_bytes(const std::string& name, const tensor::Shape& shape, uint32_t type_id) {
  QUERN_ENSURE(shape.rank <= kMaxRank, Errc::argument, "tensor ", quoted(name), ": expected at most ", kMaxRank,
               " dimensions, found ", shape.rank);
  QUERN_TRY(const auto block, quant::gguf_block_size(type_id));
  std::optional<uint64_t> size = shape.ne[0] / block.elems * block.bytes;
  bool extents_fit = shape.ne[0] % block.elems == 0;
  for (uint32_t i = 0; i < kMaxRank; ++i) {
    const uint64_t extent = shape.ne[i];
    extents_fit = extents_fit && extent >= 1 && extent <= (i < shape.rank ? GgufLimits{}.extent : 1);
    if (i > 0 && size) size = base::checked_mul(*size, extent);
  }
  QUERN_ENSURE(extents_fit && size && *size < uint64_t{1} << 62, Errc::argument, "tensor ", quoted(name), ": shape ",
               tensor::to_string(shape), " is not possible with type ", quant::type_name(type_id));
  return *size;
}

uint64_t padding(uint64_t size, uint64_t alignment) { return (alignment - size % alignment) % alignment; }

Status write_zeros(const ByteSink& sink, uint64_t count) {
  constexpr std::byte kZeros[4096]{};
  for (; count > 0; count -= std::min<uint64_t>(count, sizeof kZeros))
    QUERN_CHECK(sink({kZeros, std::min<size_t>(count, sizeof kZeros)}));
  return {};
}

}  // namespace

Status GgufWriter::add(MetaTable::Entry entry) {
  constexpr GgufLimits kLimits;
  if (const char* fault = name_fault(entry.key, kLimits.key_bytes))
    return fail(Errc::argument, "key ", quoted(entry.key), ": the key ", fault);
  QUERN_ENSURE(meta_.entries().size() < kLimits.keys, Errc::argument, "a model file holds at most ", kLimits.keys,
               " keys");
  Encoder scratch;
  QUERN_ENSURE(
      within_limits(entry.value) && put_entry_value(scratch, static_cast<ValueType>(entry.file_type), entry.value),
      Errc::argument, "key ", quoted(entry.key), ": the value cannot be stored as ", value_type_name(entry.file_type));
  if (entry.key == kAlignmentKey) {
    const auto* alignment = std::get_if<uint64_t>(&entry.value);
    const bool is_u32 = entry.file_type == static_cast<uint32_t>(ValueType::u32);
    QUERN_ENSURE(is_u32 && alignment != nullptr && std::has_single_bit(*alignment), Errc::argument, "key '",
                 kAlignmentKey, "': expected a u32 that is a power of two");
    QUERN_ENSURE(tensors_.empty(), Errc::argument, "key '", kAlignmentKey, "' must be added before the tensors");
    alignment_ = *alignment;
  }
  return meta_.add(std::move(entry));
}

Status GgufWriter::add_tensor(std::string name, const tensor::Shape& shape, uint32_t type_id,
                              std::span<const std::byte> bytes) {
  QUERN_TRY(const uint64_t size_bytes, tensor_bytes(name, shape, type_id));
  QUERN_ENSURE(bytes.size() == size_bytes, Errc::argument, "tensor ", quoted(name), ": expected ", size_bytes,
               " bytes, found ", bytes.size());
  return add_tensor(std::move(name), shape, type_id, [bytes](const ByteSink& sink) { return sink(bytes); });
}

Status GgufWriter::add_tensor(std::string name, const tensor::Shape& shape, uint32_t type_id, TensorSource source) {
  constexpr GgufLimits kLimits;
  if (const char* fault = name_fault(name, kLimits.tensor_name_bytes))
    return fail(Errc::argument, "tensor ", quoted(name), ": the name ", fault);
  QUERN_ENSURE(tensors_.size() < kLimits.tensors, Errc::argument, "a model file holds at most ", kLimits.tensors,
               " tensors");
  QUERN_TRY(const uint64_t size_bytes, tensor_bytes(name, shape, type_id));
  auto total = base::checked_add(data_bytes_, size_bytes);
  if (total) total = base::checked_align(*total, alignment_);
  QUERN_ENSURE(total, Errc::argument, "tensor ", quoted(name), ": the size of the file overflows");
  QUERN_ENSURE(tensor_names_.try_emplace(name, tensors_.size()).second, Errc::argument, "tensor ", quoted(name),
               " appears twice");
  data_bytes_ = *total;
  tensors_.push_back({std::move(name), shape, type_id, size_bytes, std::move(source)});
  return {};
}

std::vector<std::byte> GgufWriter::header(const MetaTable& meta) const {
  Encoder out;
  out.append(kGgufMagic, sizeof kGgufMagic);
  out.number<uint32_t>(3);
  out.number<uint64_t>(tensors_.size());
  out.number<uint64_t>(meta.entries().size());
  for (const MetaTable::Entry& entry : meta.entries()) {
    out.text(entry.key);
    put_entry_value(out, static_cast<ValueType>(entry.file_type), entry.value);  // add() has found that it fits
  }
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    out.text(tensor.name);
    out.number(tensor.shape.rank);
    for (uint32_t i = 0; i < tensor.shape.rank; ++i) out.number(tensor.shape.ne[i]);
    out.number(tensor.type_id);
    out.number(offset);
    offset += tensor.size_bytes + padding(tensor.size_bytes, alignment_);
  }
  if (!tensors_.empty()) out.pad(alignment_);
  return out.take();
}

Status GgufWriter::write(const ByteSink& sink) const {
  QUERN_CHECK(sink(header(meta_)));
  for (const Tensor& tensor : tensors_) {
    uint64_t written = 0;
    const auto counting = [&](std::span<const std::byte> bytes) -> Status {
      QUERN_ENSURE(bytes.size() <= tensor.size_bytes - written, Errc::internal, "tensor ", quoted(tensor.name),
                   ": its source gives more than ", tensor.size_bytes, " bytes");
      written += bytes.size();
      return sink(bytes);
    };
    QUERN_CHECK(tensor.source(counting));
    QUERN_ENSURE(written == tensor.size_bytes, Errc::internal, "tensor ", quoted(tensor.name), ": expected ",
                 tensor.size_bytes, " bytes from its source, found ", written);
    QUERN_CHECK(write_zeros(sink, padding(tensor.size_bytes, alignment_)));
  }
  return {};
}

Status GgufWriter::write(const std::string& path, const Review& review) const {
  QUERN_TRY(auto file, base::AtomicFile::create(path));
  QUERN_CHECK(write([&](std::span<const std::byte> bytes) { return file.write(bytes); }));
  if (review) {
    QUERN_TRY(const std::vector<MetaTable::Entry> changes, review(file.temporary_path()));
    MetaTable meta(meta_.file());
    for (const MetaTable::Entry& entry : meta_.entries()) {
      const auto change =
          std::find_if(changes.begin(), changes.end(), [&](const auto& c) { return c.key == entry.key; });
      QUERN_CHECK(meta.add(change == changes.end() ? entry : *change));
    }
    const std::vector<std::byte> before = header(meta_), after = header(meta);
    QUERN_ENSURE(before.size() == after.size(), Errc::internal, path, ": reviewed metadata of another size");
    QUERN_CHECK(file.rewrite(0, after));
  }
  return file.commit();
}

}  // namespace quern::io
