#include "lib/io/shards.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "lib/io/gguf.h"

namespace quern::io {
namespace {

constexpr std::string_view kExtension = ".gguf";
constexpr size_t kDigits = 5;

std::string five_digits(uint32_t n) {
  const std::string digits = cat(n);
  return std::string(kDigits - std::min(kDigits, digits.size()), '0') + digits;
}

/// Takes "-" or "-of-" and five digits off the end of `text`.
std::optional<uint32_t> take_number(std::string_view& text, std::string_view separator) {
  const size_t length = separator.size() + kDigits;
  if (text.size() < length || text.substr(text.size() - length, separator.size()) != separator) return std::nullopt;
  const std::string_view digits = text.substr(text.size() - kDigits);
  uint32_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + kDigits, out);
  if (error != std::errc() || end != digits.data() + kDigits) return std::nullopt;
  text.remove_suffix(length);
  return out;
}

/// Opens part `index` (from 0), checks that it is what its name says, and adds its tensors.
Status open_part(ModelFile& model, const PartName& name, uint32_t index, const OpenOptions& options) {
  const std::string path = format_part_name({name.prefix, index + 1, name.count});
  QUERN_TRY(auto file, base::FileBytes::open(path, {.use_mmap = options.use_mmap}));
  QUERN_TRY(const auto part, parse_gguf(file.bytes(), path, index));
  QUERN_TRY(const auto keys, read_split_keys(part.meta));
  QUERN_ENSURE(keys.index == index && keys.count == name.count, Errc::format, path, ": expected part ", index + 1,
               " of ", name.count, ", found part ", keys.index + 1, " of ", keys.count);
  for (const TensorEntry& entry : part.tensors.entries()) {
    const auto status = model.tensors.add(entry);
    QUERN_ENSURE(status, Errc::format, path, ": ", status.error().message, " in the parts of the model");
  }
  model.parts.push_back(std::move(file));
  return {};
}

}  // namespace

std::optional<PartName> parse_part_name(std::string_view path) {
  if (path.size() < kExtension.size() || path.substr(path.size() - kExtension.size()) != kExtension)
    return std::nullopt;
  path.remove_suffix(kExtension.size());
  const auto count = take_number(path, "-of-");
  const auto number = count ? take_number(path, "-") : std::nullopt;
  if (!number || *number < 1 || *number > *count) return std::nullopt;
  return PartName{std::string(path), *number, *count};
}

std::string format_part_name(const PartName& name) {
  return cat(name.prefix, "-", five_digits(name.number), "-of-", five_digits(name.count), kExtension);
}

Result<SplitKeys> read_split_keys(const MetaTable& meta) {
  SplitKeys out;
  QUERN_TRY(const auto index, meta.get_uint("split.no"));
  QUERN_TRY(const auto count, meta.get_uint("split.count"));
  QUERN_TRY(out.n_tensors, meta.get_uint("split.tensors.count"));
  out.index = index.value_or(0);
  out.count = std::max<uint64_t>(count.value_or(1), 1);  // some writers put 0 for "not split"
  constexpr uint64_t kMaxParts = 65'535;                 // the key is a u16
  QUERN_ENSURE(out.count <= kMaxParts, Errc::format, meta.file(), ": key 'split.count': expected at most ", kMaxParts,
               ", found ", out.count);
  QUERN_ENSURE(out.index < out.count, Errc::format, meta.file(), ": key 'split.no': expected less than split.count (",
               out.count, "), found ", out.index);
  return out;
}

Status open_other_parts(ModelFile& model, const OpenOptions& options) {
  QUERN_TRY(const auto keys, read_split_keys(model.meta));
  if (keys.count == 1) return {};
  const auto name = parse_part_name(model.path);
  QUERN_ENSURE(name && name->count == keys.count && name->number == keys.index + 1, Errc::format, model.path,
               ": this is part ", keys.index + 1, " of ", keys.count,
               " of a split model: expected a file name that ends in ",
               format_part_name({"", static_cast<uint32_t>(keys.index + 1), static_cast<uint32_t>(keys.count)}));
  QUERN_ENSURE(keys.index == 0, Errc::argument, model.path, ": this is part ", keys.index + 1, " of ", keys.count,
               ": open the first part, ", format_part_name({name->prefix, 1, name->count}));
  // Before the other files are touched: parts that promise more than can be opened, or nothing sensible.
  QUERN_ENSURE(!keys.n_tensors || *keys.n_tensors <= GgufLimits{}.tensors, Errc::unsupported, model.path,
               ": key 'split.tensors.count': ", *keys.n_tensors, " is over the limit of ", GgufLimits{}.tensors);
  for (uint32_t i = 1; i < name->count; ++i) QUERN_CHECK(open_part(model, *name, i, options));
  const uint64_t found = model.tensors.entries().size();
  QUERN_ENSURE(!keys.n_tensors || *keys.n_tensors == found, Errc::format, model.path, ": expected ",
               keys.n_tensors.value_or(0), " tensors in all parts (key 'split.tensors.count'), found ", found);
  return {};
}

}  // namespace quern::io
