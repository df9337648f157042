// The GGUF parser. A file is hostile until proven otherwise: every count is bounded by the bytes that remain before
// memory is reserved for it, and every sum and product of the file's numbers is checked.
#include "lib/io/gguf.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "lib/base/checked.h"
#include "lib/io/cursor.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"

namespace quern::io {
namespace {

using base::checked_add;
using base::checked_align;
using base::checked_mul;

// The fewest bytes that describe one key (length, 1 byte, type, 1 byte) and one tensor (length, 1 byte, n_dims, type,
// offset).
constexpr uint64_t kMinKeyBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, const std::string& path, uint32_t file_index, const GgufLimits& limits)
      : bytes_(bytes),
        path_(path),
        file_index_(file_index),
        limits_(limits),
        cursor_(bytes.first(std::min<uint64_t>(bytes.size(), limits.metadata_bytes))) {
    out_.meta = MetaTable(path);
  }

  Result<GgufContents> run() {
    QUERN_CHECK(header());
    for (uint64_t i = 0; i < n_keys_; ++i) QUERN_CHECK(key(i));
    tensors_.reserve(n_tensors_);
    for (uint64_t i = 0; i < n_tensors_; ++i) QUERN_CHECK(tensor(i));
    item_ = {};
    QUERN_CHECK(place_tensors());
    return std::move(out_);
  }

 private:
  /// What is being read, for messages: "key 3 of 28 'general.name'".
  struct Item {
    const char* kind = nullptr;
    uint64_t index = 0, count = 0;
    std::string_view name;
  };
  struct PendingTensor {
    TensorEntry entry;
    uint64_t offset = 0, size_bytes = 0;
  };

  std::string where() const {
    if (item_.kind == nullptr) return path_ + ": ";
    std::string out = cat(path_, ": ", item_.kind, " ", item_.index + 1, " of ", item_.count);
    if (!item_.name.empty()) out += " " + quoted(item_.name);
    return out + ": ";
  }
  template <class... Pieces>
  Error malformed(const Pieces&... pieces) const {
    return fail(Errc::format, where(), pieces...);
  }
  Error over_limit(std::string_view what, uint64_t found, uint64_t limit) const {
    return fail(Errc::unsupported, where(), what, ": ", found, " is over the limit of ", limit);
  }
  Error truncated(std::string_view what, uint64_t needed) const {
    if (bytes_.size() > limits_.metadata_bytes)
      return fail(Errc::unsupported, where(), "the metadata is over the limit of ", limits_.metadata_bytes, " bytes");
    return malformed("the file ends within ", what, ": expected ", needed, " bytes at offset ", cursor_.position(),
                     ", found ", cursor_.remaining());
  }

  Result<std::span<const std::byte>> take(uint64_t n, std::string_view what) {
    if (n > cursor_.remaining()) return truncated(what, n);
    return cursor_.take(n);
  }
  template <class T>
  Result<T> number(std::string_view what) {
    QUERN_TRY(const auto bytes, take(sizeof(T), what));
    return load<T>(bytes.data());
  }
  /// A length-prefixed string: a view into the file.
  Result<std::string_view> text(uint64_t max_bytes, std::string_view what) {
    QUERN_TRY(const auto size, number<uint64_t>(what));
    if (size > cursor_.remaining()) return truncated(what, size);
    if (size > max_bytes) return over_limit(cat("bytes of ", what), size, max_bytes);
    const auto bytes = cursor_.take(size);
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  Status header();
  Status check_version(uint32_t version) const;
  Status check_count(std::string_view what, uint64_t count, uint64_t min_bytes, uint64_t limit) const;

  Status key(uint64_t index);
  Status set_alignment(uint32_t type, const MetaValue& value);
  Result<MetaTable::Entry> typed_value();
  Result<MetaValue> value(ValueType type, std::optional<uint64_t> count);
  template <class Stored, class Wide>
  Result<MetaValue> numbers(std::optional<uint64_t> count);
  Result<MetaValue> booleans(std::optional<uint64_t> count);
  Result<MetaValue> strings(std::optional<uint64_t> count);

  Status tensor(uint64_t index);
  Result<tensor::Shape> shape();
  Status size_tensor(PendingTensor& pending) const;
  Status place_tensors();
  Status check_layout() const;

  const std::span<const std::byte> bytes_;
  const std::string& path_;
  const uint32_t file_index_;
  const GgufLimits& limits_;
  Cursor cursor_;
  Item item_;
  uint64_t n_keys_ = 0, n_tensors_ = 0;
  std::vector<PendingTensor> tensors_;
  GgufContents out_;
};

Status Parser::header() {
  QUERN_TRY(const auto magic, take(sizeof kGgufMagic, "the header"));
  QUERN_ENSURE(std::memcmp(magic.data(), kGgufMagic, sizeof kGgufMagic) == 0, Errc::format, path_,
               ": not a GGUF file: it does not begin with 'GGUF'");
  QUERN_TRY(out_.version, number<uint32_t>("the header"));
  QUERN_CHECK(check_version(out_.version));
  QUERN_TRY(n_tensors_, number<uint64_t>("the header"));
  QUERN_TRY(n_keys_, number<uint64_t>("the header"));
  QUERN_CHECK(check_count("keys", n_keys_, kMinKeyBytes, limits_.keys));
  return check_count("tensors", n_tensors_, kMinTensorBytes, limits_.tensors);
}

Status Parser::check_version(uint32_t version) const {
  if (version == 2 || version == 3) return {};
  if (version == 1)
    return fail(Errc::unsupported, path_,
                ": GGUF version 1 is not supported (expected 2 or 3): convert the model again");
  if (version != 0 && (version & 0xFFFF) == 0)
    return fail(Errc::unsupported, path_, ": big-endian GGUF files are not supported");
  return fail(Errc::unsupported, path_, ": GGUF version ", version, " is not supported (expected 2 or 3)");
}

Status Parser::check_count(std::string_view what, uint64_t count, uint64_t min_bytes, uint64_t limit) const {
  if (count > cursor_.remaining() / min_bytes)
    return malformed("the header promises ", count, " ", what, ", but only ", cursor_.remaining(), " bytes follow");
  if (count > limit) return over_limit(cat("number of ", what), count, limit);
  return {};
}

Status Parser::key(uint64_t index) {
  item_ = {"key", index, n_keys_, {}};
  QUERN_TRY(const std::string_view name, text(limits_.key_bytes, "a key"));
  item_.name = name;
  if (const char* fault = name_fault(name, limits_.key_bytes)) return malformed("the key ", fault);
  QUERN_TRY(MetaTable::Entry entry, typed_value());
  if (name == kAlignmentKey) QUERN_CHECK(set_alignment(entry.file_type, entry.value));
  entry.key = name;
  return out_.meta.add(std::move(entry));
}

Status Parser::set_alignment(uint32_t type, const MetaValue& value) {
  const auto* alignment = std::get_if<uint64_t>(&value);
  if (type != static_cast<uint32_t>(ValueType::u32) || alignment == nullptr)
    return malformed("expected a u32, found ", value_type_name(type));
  if (!std::has_single_bit(*alignment)) return malformed("expected a power of two, found ", *alignment);
  out_.alignment = *alignment;
  return {};
}

/// An entry whose key is still empty.
Result<MetaTable::Entry> Parser::typed_value() {
  MetaTable::Entry entry;
  QUERN_TRY(entry.file_type, number<uint32_t>("a value type"));
  std::optional<uint64_t> count;
  if (entry.file_type == static_cast<uint32_t>(ValueType::array)) {
    QUERN_TRY(entry.file_type, number<uint32_t>("an array's element type"));
    QUERN_TRY(count, number<uint64_t>("an array's length"));
    if (*count > cursor_.remaining()) return truncated("an array", *count);  // at least a byte each
    if (*count > limits_.array_elements) return over_limit("elements of an array", *count, limits_.array_elements);
    if (entry.file_type == static_cast<uint32_t>(ValueType::array))
      return malformed("arrays of arrays are not supported");
  }
  QUERN_TRY(entry.value, value(static_cast<ValueType>(entry.file_type), count));
  return entry;
}

/// A single value, or an array of `count` of them.
Result<MetaValue> Parser::value(ValueType type, std::optional<uint64_t> count) {
  switch (type) {
    case ValueType::u8:
      return numbers<uint8_t, uint64_t>(count);
    case ValueType::i8:
      return numbers<int8_t, int64_t>(count);
    case ValueType::u16:
      return numbers<uint16_t, uint64_t>(count);
    case ValueType::i16:
      return numbers<int16_t, int64_t>(count);
    case ValueType::u32:
      return numbers<uint32_t, uint64_t>(count);
    case ValueType::i32:
      return numbers<int32_t, int64_t>(count);
    case ValueType::u64:
      return numbers<uint64_t, uint64_t>(count);
    case ValueType::i64:
      return numbers<int64_t, int64_t>(count);
    case ValueType::f32:
      return numbers<float, double>(count);
    case ValueType::f64:
      return numbers<double, double>(count);
    case ValueType::boolean:
      return booleans(count);
    case ValueType::string:
      return strings(count);
    case ValueType::array:
      break;
  }
  return malformed("expected a value type of 0 to 12, found ", static_cast<uint32_t>(type));
}

template <class Stored, class Wide>
Result<MetaValue> Parser::numbers(std::optional<uint64_t> count) {
  if (!count) {
    QUERN_TRY(const auto single, number<Stored>("a value"));
    return MetaValue(static_cast<Wide>(single));
  }
  const auto size_bytes = checked_mul(*count, sizeof(Stored));
  QUERN_ENSURE(size_bytes, Errc::format, where(), "the size of an array of ", *count, " elements overflows");
  QUERN_TRY(const auto stored, take(*size_bytes, "an array"));
  std::vector<Wide> out(*count);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Wide>(load<Stored>(stored.data() + i * sizeof(Stored)));
  return MetaValue(std::move(out));
}

/// One byte each; anything but 0 is true, as other readers have it.
Result<MetaValue> Parser::booleans(std::optional<uint64_t> count) {
  if (!count) {
    QUERN_TRY(const auto single, number<uint8_t>("a value"));
    return MetaValue(single != 0);
  }
  QUERN_TRY(const auto stored, take(*count, "an array"));
  std::vector<uint64_t> out(*count);
  std::transform(stored.begin(), stored.end(), out.begin(), [](std::byte b) { return uint64_t{b != std::byte{0}}; });
  return MetaValue(std::move(out));
}

Result<MetaValue> Parser::strings(std::optional<uint64_t> count) {
  if (!count) {
    QUERN_TRY(const auto single, text(limits_.string_bytes, "a string"));
    return MetaValue(std::string(single));
  }
  constexpr uint64_t kMinStringBytes = 8;
  if (*count > cursor_.remaining() / kMinStringBytes)
    return malformed("an array promises ", *count, " strings, but only ", cursor_.remaining(), " bytes follow");
  std::vector<std::string> out;
  out.reserve(*count);
  for (uint64_t i = 0; i < *count; ++i) {
    QUERN_TRY(const auto element, text(limits_.string_bytes, "a string of an array"));
    out.emplace_back(element);
  }
  return MetaValue(std::move(out));
}

Status Parser::tensor(uint64_t index) {
  item_ = {"tensor", index, n_tensors_, {}};
  PendingTensor pending;
  QUERN_TRY(item_.name, text(limits_.tensor_name_bytes, "a tensor name"));
  if (const char* fault = name_fault(item_.name, limits_.tensor_name_bytes)) return malformed("the name ", fault);
  pending.entry.name = item_.name;
  pending.entry.file_index = file_index_;
  QUERN_TRY(pending.entry.view.shape, shape());
  QUERN_TRY(pending.entry.type_id, number<uint32_t>("a tensor's type"));
  pending.entry.view.type = static_cast<tensor::DType>(pending.entry.type_id);
  QUERN_TRY(pending.offset, number<uint64_t>("a tensor's offset"));
  QUERN_CHECK(size_tensor(pending));
  tensors_.push_back(std::move(pending));
  return {};
}

/// The extents. None at all means a single element, as other readers have it.
Result<tensor::Shape> Parser::shape() {
  tensor::Shape out;
  QUERN_TRY(out.rank, number<uint32_t>("a tensor's number of dimensions"));
  if (out.rank > kMaxRank) return malformed("expected at most ", kMaxRank, " dimensions, found ", out.rank);
  for (uint32_t i = 0; i < out.rank; ++i) {
    QUERN_TRY(out.ne[i], number<uint64_t>("a tensor's shape"));
    if (out.ne[i] == 0) return malformed("dimension ", i, " is 0");
    if (out.ne[i] > limits_.extent) return over_limit(cat("dimension ", i), out.ne[i], limits_.extent);
  }
  return out;
}

/// From shape and type to bytes, all of it overflow-checked.
Status Parser::size_tensor(PendingTensor& pending) const {
  tensor::TensorView& view = pending.entry.view;
  const auto& ne = view.shape.ne;
  const auto block = quant::gguf_block_size(pending.entry.type_id);
  if (!block) return Error{block.error().code, where() + block.error().message};
  if (ne[0] % block->elems != 0)
    return malformed("shape ", tensor::to_string(view.shape), ": expected rows of a multiple of ", block->elems,
                     " elements for type ", quant::type_name(pending.entry.type_id));
  const auto row_bytes = checked_mul(ne[0] / block->elems, block->bytes);
  auto rows = checked_mul(ne[1], ne[2]);
  if (rows) rows = checked_mul(*rows, ne[3]);
  const auto elements = rows ? checked_mul(ne[0], *rows) : std::nullopt;
  const auto size_bytes = rows && row_bytes ? checked_mul(*row_bytes, *rows) : std::nullopt;
  if (!size_bytes || !elements || *elements >> 63 != 0)
    return malformed("the size of shape ", tensor::to_string(view.shape), " overflows");
  view.row_bytes = *row_bytes;
  pending.size_bytes = *size_bytes;
  return {};
}

/// Points the views into the data, once it is known where the data begins.
Status Parser::place_tensors() {
  if (tensors_.empty()) return {};
  const auto data_start = checked_align(cursor_.position(), out_.alignment);
  if (!data_start) return malformed("the start of the data overflows");
  for (size_t i = 0; i < tensors_.size(); ++i) {
    PendingTensor& pending = tensors_[i];
    item_ = {"tensor", i, n_tensors_, pending.entry.name};
    if (pending.offset % out_.alignment != 0)
      return malformed("expected an offset that is a multiple of ", out_.alignment, ", found ", pending.offset);
    const auto begin = checked_add(*data_start, pending.offset);
    const auto end = begin ? checked_add(*begin, pending.size_bytes) : std::nullopt;
    if (!end || *end > bytes_.size())
      return malformed("the file is too short: expected ", pending.size_bytes, " bytes at offset ", pending.offset,
                       " of the data, which begins at ", *data_start, "; the file has ", bytes_.size());
    pending.entry.view.data = bytes_.data() + *begin;
  }
  item_ = {};
  QUERN_CHECK(check_layout());
  for (PendingTensor& pending : tensors_) {
    auto status = out_.tensors.add(std::move(pending.entry));
    if (!status) return malformed(status.error().message);
  }
  return {};
}

/// The tensors fill the data, in any order: nothing shared, nothing left over between them but padding. A type or shape
/// that was tampered with changes a size, and so shows here even where the tensor still fits.
Status Parser::check_layout() const {
  std::vector<const PendingTensor*> sorted;
  sorted.reserve(tensors_.size());
  for (const PendingTensor& pending : tensors_) sorted.push_back(&pending);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
  const PendingTensor* before = nullptr;
  uint64_t end = 0;  // of the data so far; place_tensors() found it inside the file, so that no sum overflows
  for (const PendingTensor* after : sorted) {
    if (after->offset < end)
      return malformed("tensors ", quoted(before->entry.name), " (", before->size_bytes, " bytes at offset ",
                       before->offset, ") and ", quoted(after->entry.name), " (at offset ", after->offset, ") overlap");
    const auto expected = checked_align(end, out_.alignment);
    if (!expected || after->offset != *expected)
      return malformed("tensor ", quoted(after->entry.name), ": expected it at offset ", expected.value_or(end),
                       before ? ", where the tensor before it ends, found it at " : " as the first, found it at ",
                       after->offset);
    before = after;
    end = after->offset + after->size_bytes;
  }
  return {};
}

}  // namespace

std::string value_type_name(uint32_t type) {
  constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                    "bool", "string", "array", "u64", "i64", "f64"};
  return type < std::size(kNames) ? kNames[type] : cat("type ", type);
}

Result<GgufContents> parse_gguf(std::span<const std::byte> bytes, const std::string& path, uint32_t file_index,
                                const GgufLimits& limits) {
  return Parser(bytes, path, file_index, limits).run();
}

}  // namespace quern::io
