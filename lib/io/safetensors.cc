// The parser of safetensors: u64 n, little-endian; n bytes of JSON, which may end in spaces; the bytes of the arrays.
//
//   {"NAME": {"dtype": "F16", "shape": [4, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"KEY": "VALUE"}}
//
// Offsets count from the first byte after the header. A file is hostile until proven otherwise: nothing that it says is
// used before it is checked against the bytes that there are.
#include "lib/io/safetensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include "lib/base/checked.h"
#include "lib/io/cursor.h"
#include "lib/io/json.h"
#include "lib/io/names.h"

namespace quern::io {
namespace {

using base::checked_mul;

constexpr std::string_view kMetadata = "__metadata__";
constexpr uint64_t kPrefixBytes = sizeof(uint64_t);
constexpr uint64_t kValuesPerArray = 16;  // type, offsets, more extents than arrays have on average

struct TypeRow {
  SafeType type;
  std::string_view name;
  uint32_t bits;
};
// In the order of the enumerators.
constexpr std::array<TypeRow, 22> kTypes = {{
    {SafeType::boolean, "BOOL", 8},
    {SafeType::u8, "U8", 8},
    {SafeType::i8, "I8", 8},
    {SafeType::f8_e4m3, "F8_E4M3", 8},
    {SafeType::f8_e5m2, "F8_E5M2", 8},
    {SafeType::f8_e8m0, "F8_E8M0", 8},
    {SafeType::f4, "F4", 4},
    {SafeType::f6_e2m3, "F6_E2M3", 6},
    {SafeType::f6_e3m2, "F6_E3M2", 6},
    {SafeType::u16, "U16", 16},
    {SafeType::i16, "I16", 16},
    {SafeType::f16, "F16", 16},
    {SafeType::bf16, "BF16", 16},
    {SafeType::u32, "U32", 32},
    {SafeType::i32, "I32", 32},
    {SafeType::f32, "F32", 32},
    {SafeType::u64, "U64", 64},
    {SafeType::i64, "I64", 64},
    {SafeType::f64, "F64", 64},
    {SafeType::c64, "C64", 64},
    {SafeType::f8_e4m3fnuz, "F8_E4M3FNUZ", 8},
    {SafeType::f8_e5m2fnuz, "F8_E5M2FNUZ", 8},
}};

constexpr bool types_in_order() {
  for (size_t i = 0; i < kTypes.size(); ++i)
    if (static_cast<size_t>(kTypes[i].type) != i) return false;
  return true;
}
static_assert(types_in_order());

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += cat(i == 0 ? "" : ", ", shape[i]);
  return out + "]";
}

/// Whole bytes of an array, or nothing where they overflow or are not whole. Extents of 0 leave the others as they are,
/// so that no product of some of the extents overflows either.
std::optional<uint64_t> exact_bytes(const std::vector<uint64_t>& shape, SafeType type) {
  uint64_t elements = 1;
  bool empty = false;
  for (const uint64_t extent : shape) {
    empty |= extent == 0;
    const auto product = checked_mul(elements, extent == 0 ? 1 : extent);
    if (!product) return std::nullopt;
    elements = *product;
  }
  const auto bits = checked_mul(elements, safe_type_bits(type));
  if (!bits) return std::nullopt;
  if (empty) return 0;
  if (*bits % 8 != 0) return std::nullopt;
  return *bits / 8;
}

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, std::string_view path, uint32_t file_index, const SafeLimits& limits)
      : bytes_(bytes), path_(path), file_index_(file_index), limits_(limits) {}

  Result<SafeTensors> run() {
    QUERN_TRY(const Json json, header());
    const auto& members = *json.get<Json::Object>();
    QUERN_ENSURE(members.size() <= limits_.arrays, Errc::unsupported, path_, ": ", members.size(),
                 " arrays are over the limit of ", limits_.arrays);
    places_.reserve(members.size());
    for (const JsonMember& member : members)
      QUERN_CHECK(member.name == kMetadata ? metadata(member.value) : array(member.name, member.value));
    QUERN_CHECK(check_tiling());
    return std::move(out_);
  }

 private:
  struct Place {
    uint64_t begin = 0, end = 0;
    size_t entry = 0;
  };

  template <class... Pieces>
  Error malformed(std::string_view name, const Pieces&... pieces) const {
    return fail(Errc::format, path_, ": array ", quoted(name), ": ", pieces...);
  }

  Result<Json> header();
  Status metadata(const Json& value);
  Status array(const std::string& name, const Json& value);
  Result<SafeType> type(std::string_view name, const Json& value) const;
  Result<uint64_t> number(std::string_view name, std::string_view of, const Json& value) const;
  Result<std::vector<uint64_t>> numbers(std::string_view name, std::string_view of, const Json& value) const;
  Status check_tiling();

  const std::span<const std::byte> bytes_;
  const std::string_view path_;
  const uint32_t file_index_;
  const SafeLimits& limits_;
  std::span<const std::byte> data_;
  bool has_metadata_ = false;
  std::vector<Place> places_;
  SafeTensors out_;
};

/// The header as an object; the bytes behind it are the data.
Result<Json> Parser::header() {
  QUERN_ENSURE(bytes_.size() >= kPrefixBytes, Errc::format, path_,
               ": not a safetensors file: expected at least 8 bytes, found ", bytes_.size());
  const auto size = load<uint64_t>(bytes_.data());
  const uint64_t rest = bytes_.size() - kPrefixBytes;
  QUERN_ENSURE(size <= limits_.header_bytes, Errc::format, path_,
               ": not a safetensors file: expected a header of at most ", limits_.header_bytes, " bytes, found ", size);
  QUERN_ENSURE(size <= rest, Errc::format, path_, ": the file ends within the header: expected ", size,
               " bytes, found ", rest);
  const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + kPrefixBytes, size);
  QUERN_ENSURE(text.starts_with('{'), Errc::format, path_,
               ": not a safetensors file: expected a header that begins with '{', found ", quoted(text.substr(0, 1)));
  // JSON has no NUL outside of escapes, but parsers of C strings end there and see nothing of what follows.
  QUERN_ENSURE(text.find('\0') == std::string_view::npos, Errc::format, path_,
               ": the header: expected JSON, found a NUL character at byte ", text.find('\0'));
  QUERN_ENSURE(is_utf8(text), Errc::format, path_, ": the header: expected UTF-8, found other bytes");
  // A value takes at least a byte of text, and some forty once it is read: so few of them are read as arrays need.
  const uint64_t max_values = limits_.arrays * kValuesPerArray;
  const auto n_values = static_cast<uint64_t>(std::count(text.begin(), text.end(), ','));
  QUERN_ENSURE(n_values <= max_values, Errc::unsupported, path_, ": the header: ", n_values,
               " values are over the limit of ", max_values);
  data_ = bytes_.subspan(kPrefixBytes + size);
  QUERN_TRY(Json json, parse_json(std::as_bytes(std::span(text)), cat(path_, ": the header")));
  QUERN_ENSURE(json.get<Json::Object>() != nullptr, Errc::format, path_, ": the header: expected an object, found ",
               json.describe());
  return json;
}

Status Parser::metadata(const Json& value) {
  QUERN_ENSURE(!has_metadata_, Errc::format, path_, ": ", quoted(kMetadata), " appears twice");
  has_metadata_ = true;
  const auto* members = value.get<Json::Object>();
  QUERN_ENSURE(members != nullptr, Errc::format, path_, ": ", quoted(kMetadata), ": expected an object, found ",
               value.describe());
  for (const JsonMember& member : *members) {
    const auto* text = member.value.get<std::string>();
    QUERN_ENSURE(text != nullptr, Errc::format, path_, ": ", quoted(kMetadata), ": ", quoted(member.name),
                 ": expected a string, found ", member.value.describe());
    out_.metadata.emplace_back(member.name, *text);
  }
  return {};
}

Status Parser::array(const std::string& name, const Json& value) {
  if (const char* fault = name_fault(name, limits_.name_bytes))
    return fail(Errc::format, path_, ": the name of array ", quoted(name), " ", fault);
  const auto* members = value.get<Json::Object>();
  if (members == nullptr) return malformed(name, "expected an object, found ", value.describe());
  constexpr std::array<std::string_view, 3> kParts = {"dtype", "shape", "data_offsets"};
  for (const JsonMember& member : *members) {
    if (std::find(kParts.begin(), kParts.end(), member.name) == kParts.end())
      return malformed(name, "expected dtype, shape and data_offsets, found ", quoted(member.name));
  }
  for (const std::string_view part : kParts) {
    const auto n = std::count_if(members->begin(), members->end(), [&](const auto& m) { return m.name == part; });
    if (n != 1) return malformed(name, "expected one ", part, ", found ", n);
  }
  const auto of = [&](std::string_view part) -> const Json& {
    return std::find_if(members->begin(), members->end(), [&](const auto& m) { return m.name == part; })->value;
  };

  SafeTensor entry;
  entry.name = name;
  entry.file_index = file_index_;
  QUERN_TRY(entry.type, type(name, of("dtype")));
  QUERN_TRY(entry.shape, numbers(name, "shape", of("shape")));
  if (entry.shape.size() > limits_.dimensions)
    return malformed(name, entry.shape.size(), " dimensions are over the limit of ", limits_.dimensions);
  QUERN_TRY(const auto offsets, numbers(name, "data_offsets", of("data_offsets")));
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    return malformed(name, "data_offsets: expected a begin and an end, found ", shape_text(offsets));
  if (offsets[1] > data_.size())
    return malformed(name, "expected its bytes within the ", data_.size(), " bytes of data, found data_offsets ",
                     shape_text(offsets));
  const auto size = exact_bytes(entry.shape, entry.type);
  if (!size)
    return malformed(name, "expected a whole number of bytes below 2^64, found ", safe_type_name(entry.type),
                     " of shape ", shape_text(entry.shape));
  if (*size != offsets[1] - offsets[0])
    return malformed(name, "expected ", *size, " bytes of ", safe_type_name(entry.type), " of shape ",
                     shape_text(entry.shape), ", found data_offsets ", shape_text(offsets));
  entry.bytes = data_.subspan(offsets[0], *size);
  places_.push_back({offsets[0], offsets[1], out_.entries().size()});
  return out_.add(std::move(entry), path_);
}

Result<SafeType> Parser::type(std::string_view name, const Json& value) const {
  const auto* text = value.get<std::string>();
  if (text == nullptr) return malformed(name, "dtype: expected a string, found ", value.describe());
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& t) { return t.name == *text; });
  if (row == kTypes.end())
    return fail(Errc::unsupported, path_, ": array ", quoted(name), ": expected a known dtype, found ", quoted(*text));
  return row->type;
}

Result<uint64_t> Parser::number(std::string_view name, std::string_view of, const Json& value) const {
  const auto* n = value.get<int64_t>();
  if (n == nullptr || *n < 0) return malformed(name, of, ": expected a whole number, found ", value.describe());
  return static_cast<uint64_t>(*n);
}

Result<std::vector<uint64_t>> Parser::numbers(std::string_view name, std::string_view of, const Json& value) const {
  const auto* elements = value.get<Json::Array>();
  if (elements == nullptr) return malformed(name, of, ": expected an array, found ", value.describe());
  std::vector<uint64_t> out;
  out.reserve(elements->size());
  for (const Json& element : *elements) {
    QUERN_TRY(const uint64_t n, number(name, of, element));
    out.push_back(n);
  }
  return out;
}

/// Every byte of the data belongs to one array: nothing is hidden between them, and no array is part of another.
Status Parser::check_tiling() {
  std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) {
    return std::tie(a.begin, a.end, a.entry) < std::tie(b.begin, b.end, b.entry);
  });
  uint64_t expected = 0;
  const Place* before = nullptr;
  for (const Place& place : places_) {
    if (place.begin != expected)
      return malformed(
          out_.entries()[place.entry].name, "expected it to begin at byte ", expected, " of the data, ",
          before ? cat("where array ", quoted(out_.entries()[before->entry].name), " ends") : std::string("the first"),
          ", found ", place.begin);
    expected = place.end;
    before = &place;
  }
  QUERN_ENSURE(expected == data_.size(), Errc::format, path_, ": expected ", expected,
               " bytes of data, as much as the arrays hold, found ", data_.size());
  return {};
}

}  // namespace

std::string_view safe_type_name(SafeType type) { return kTypes[static_cast<size_t>(type)].name; }

uint32_t safe_type_bits(SafeType type) { return kTypes[static_cast<size_t>(type)].bits; }

Status SafeTensors::add(SafeTensor tensor, std::string_view file) {
  const auto [place, is_new] = index_.try_emplace(tensor.name, entries_.size());
  QUERN_ENSURE(is_new, Errc::format, file, ": array ", quoted(tensor.name), " appears twice");
  entries_.push_back(std::move(tensor));
  return {};
}

const SafeTensor* SafeTensors::find(std::string_view name) const {
  const auto place = index_.find(name);
  return place == index_.end() ? nullptr : &entries_[place->second];
}

Result<SafeTensors> parse_safetensors(std::span<const std::byte> bytes, std::string_view path, uint32_t file_index,
                                      const SafeLimits& limits) {
  return Parser(bytes, path, file_index, limits).run();
}

}  // namespace quern::io
