#include "lib/convert/new_file.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "lib/io/gguf.h"
#include "lib/io/shards.h"

namespace quern::convert {
namespace {

using Entry = io::MetaTable::Entry;

template <class T>
bool parse_whole(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Entry entry_of(std::string key, io::MetaValue value, io::ValueType type) {
  return {std::move(key), std::move(value), static_cast<uint32_t>(type)};
}

bool about_splits(const std::string& key) { return key.starts_with("split."); }

const Entry* find(const std::vector<Entry>& entries, std::string_view key) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

/// `change` in the type that the file gives the key, where both are whole numbers.
Entry in_place_of(const Entry& entry, Entry change) {
  const auto whole = [](uint32_t type) {
    const auto t = static_cast<io::ValueType>(type);
    return t != io::ValueType::f32 && t != io::ValueType::f64 && t != io::ValueType::boolean &&
           t != io::ValueType::string && t != io::ValueType::array;
  };
  if (whole(entry.file_type) && whole(change.file_type)) change.file_type = entry.file_type;
  return change;
}

Status add_metadata(const io::ModelFile& source, const std::vector<Entry>& changes, io::GgufWriter& writer) {
  for (const Entry& entry : source.meta.entries()) {
    if (about_splits(entry.key)) continue;
    const Entry* change = find(changes, entry.key);
    QUERN_CHECK(writer.add(change != nullptr ? in_place_of(entry, *change) : entry));
  }
  for (const Entry& change : changes) {
    if (source.meta.find(change.key) == nullptr) QUERN_CHECK(writer.add(change));
  }
  return {};
}

Status add_split_keys(io::GgufWriter& writer, uint64_t number, uint64_t count, uint64_t n_tensors) {
  QUERN_CHECK(writer.add("split.no", number, io::ValueType::u16));
  QUERN_CHECK(writer.add("split.count", count, io::ValueType::u16));
  return writer.add("split.tensors.count", n_tensors, io::ValueType::i32);
}

std::string part_path(std::string path, size_t part, size_t count) {
  constexpr std::string_view kSuffix = ".gguf";
  if (path.ends_with(kSuffix)) path.resize(path.size() - kSuffix.size());
  return io::format_part_name({path, static_cast<uint32_t>(part + 1), static_cast<uint32_t>(count)});
}

/// The targets of each file.
std::vector<std::vector<TensorTarget>> divide(const io::ModelFile& source, std::span<const TensorTarget> targets,
                                              const Split& split) {
  std::vector<std::vector<TensorTarget>> parts(split.as_source ? std::max<size_t>(source.parts.size(), 1) : 1);
  uint64_t filled = 0;
  for (const TensorTarget& target : targets) {
    if (split.as_source) {
      parts[target.source->file_index].push_back(target);
      continue;
    }
    const uint64_t size_bytes = target.size_bytes();
    const bool too_many = split.max_tensors > 0 && parts.back().size() >= split.max_tensors;
    const bool too_large = split.max_bytes > 0 && filled + size_bytes > split.max_bytes;
    if (!parts.back().empty() && (too_many || too_large)) {
      parts.emplace_back();
      filled = 0;
    }
    filled += size_bytes;
    parts.back().push_back(target);
  }
  return parts;
}

}  // namespace

Result<Entry> parse_override(const std::string& text) {
  const size_t equals = text.find('='), colon = text.find(':', equals == std::string::npos ? 0 : equals);
  QUERN_ENSURE(equals != std::string::npos && equals > 0 && colon != std::string::npos, Errc::argument,
               "override of metadata '", text, "': expected KEY=TYPE:VALUE with TYPE int, float, bool or str");
  const std::string key = text.substr(0, equals), type = text.substr(equals + 1, colon - equals - 1);
  const std::string value = text.substr(colon + 1);
  if (type == "str") return entry_of(key, value, io::ValueType::string);
  int64_t whole = 0;
  double number = 0;
  if (type == "int" && parse_whole(value, whole)) return entry_of(key, whole, io::ValueType::i64);
  if (type == "float" && parse_whole(value, number)) return entry_of(key, number, io::ValueType::f32);
  if (type == "bool" && (value == "true" || value == "false")) {
    return entry_of(key, value == "true", io::ValueType::boolean);
  }
  return fail(Errc::argument, "override of metadata '", text, "': '", value, "' is no value of type '", type,
              "' (int, float, bool or str)");
}

Result<std::vector<std::string>> write_model(const io::ModelFile& source, std::span<const TensorTarget> targets,
                                             const std::vector<Entry>& changes, const std::string& path,
                                             const Split& split, Quantizer& quantizer, const io::Review& review) {
  const std::vector<std::vector<TensorTarget>> parts = divide(source, targets, split);
  const size_t n_parts = parts.size();
  std::vector<io::GgufWriter> writers(n_parts);
  for (size_t i = 0; i < n_parts; ++i) {
    if (i == 0) QUERN_CHECK(add_metadata(source, changes, writers[i]));
    if (n_parts > 1) QUERN_CHECK(add_split_keys(writers[i], i, n_parts, targets.size()));
    QUERN_CHECK(quantizer.add_to(writers[i], parts[i]));
  }
  std::vector<std::string> paths;
  for (size_t i = 0; i < n_parts; ++i) {
    paths.push_back(n_parts == 1 ? path : part_path(path, i, n_parts));
    QUERN_CHECK(writers[i].write(paths.back(), n_parts == 1 ? review : io::Review()));
  }
  return paths;
}

std::unique_ptr<io::TensorEntry> companion_scale(const TensorTarget& target) {
  constexpr std::string_view kEnd = ".weight";
  const io::TensorEntry& source = *target.source;
  if (!target.copied() || source.view.scale == 1 || !source.name.ends_with(kEnd)) return nullptr;
  auto out = std::make_unique<io::TensorEntry>();
  out->name = cat(std::string_view(source.name).substr(0, source.name.size() - kEnd.size()), ".scale");
  out->view.data = reinterpret_cast<const std::byte*>(&source.view.scale);
  out->view.shape = {{1, 1, 1, 1}, 1};
  out->view.row_bytes = sizeof source.view.scale;
  out->type_id = static_cast<uint32_t>(out->view.type);
  out->file_index = source.file_index;
  return out;
}

}  // namespace quern::convert
