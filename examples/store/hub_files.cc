#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "examples/store/hub.h"
#include "examples/store/manifest.h"
#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

constexpr size_t kMaxFiles = 100'000, kMaxPathBytes = 1024;
constexpr size_t kMaxParts = 1000, kListed = 40;
constexpr std::string_view kSuffix = ".gguf", kPreferred = "Q4_K_M";

Error wrong(const std::string& where, const std::string& why) { return {Errc::format, where + ": " + why}; }

/// The path of a repository's file, relative and without tricks.
bool is_clean_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes) return false;
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    for (const char c : part) {
      if (static_cast<unsigned char>(c) < 32 || c == 127 || c == '\\') return false;
    }
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_git_oid(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<HubFile> parse_file(const nlohmann::json& json, const std::string& where) {
  HubFile out;
  out.path = json["path"].get<std::string>();
  const auto size = json.find("size");
  if (size == json.end() || !size->is_number_unsigned() || size->get<uint64_t>() > kMaxBlobBytes) {
    return wrong(where, "'" + shown(out.path) + "': 'size' is missing or out of range");
  }
  out.size = size->get<uint64_t>();
  const auto oid = json.find("oid");
  if (oid != json.end() && oid->is_string() && is_git_oid(oid->get_ref<const std::string&>())) out.git_oid = *oid;
  const auto lfs = json.find("lfs");
  if (lfs == json.end() || !lfs->is_object()) return out;
  // The object's name in git is then that of a pointer, not of the file.
  out.git_oid.clear();
  const auto lfs_oid = lfs->find("oid");
  const auto lfs_size = lfs->find("size");
  if (lfs_oid != lfs->end() && lfs_oid->is_string()) {
    std::string text = *lfs_oid;
    if (text.find(':') == std::string::npos) text = "sha256:" + text;
    auto digest = Digest::parse(text);
    if (!digest) return wrong(where, "'" + shown(out.path) + "': " + digest.error().message);
    out.digest = *digest;
  }
  if (lfs_size != lfs->end() && lfs_size->is_number_unsigned() && *lfs_size <= kMaxBlobBytes) out.size = *lfs_size;
  return out;
}

/// A model among the files: one GGUF, or the parts of one.
struct Unit {
  std::string stem;    ///< Without folder and suffix.
  std::string folder;  ///< The last one, or empty.
  std::vector<size_t> files;
};

/// Whether `word` stands in `text` between separators. '_' separates in front, but not behind: Q4_K is not Q4_K_M.
bool has_word(std::string_view text, std::string_view word) {
  const std::string whole = lower(text), part = lower(word);
  for (size_t at = whole.find(part); at != std::string::npos; at = whole.find(part, at + 1)) {
    const char before = at == 0 ? '-' : whole[at - 1];
    const size_t end = at + part.size();
    const char after = end == whole.size() ? '-' : whole[end];
    if ((before == '-' || before == '.' || before == '_') && (after == '-' || after == '.')) return true;
  }
  return false;
}

std::vector<Unit> units_of(const std::vector<HubFile>& files) {
  std::map<std::string, Unit> by_name;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string& path = files[i].path;
    if (!ends_with_ignoring_case(path, kSuffix)) continue;
    const std::string name = base_name(path);
    // The projectors of vision models, and tables of importance: GGUF files that are no models.
    if (lower(name).find("mmproj") != std::string::npos || lower(name).find("imatrix") != std::string::npos) continue;
    const auto split = parse_split_name(path);
    const std::string whole = split ? split->stem : path.substr(0, path.size() - kSuffix.size());
    Unit& unit = by_name[whole + (split ? "/" + std::to_string(split->count) : "")];
    unit.stem = base_name(whole);
    const size_t slash = whole.rfind('/');
    unit.folder = slash == std::string::npos ? "" : base_name(whole.substr(0, slash));
    unit.files.push_back(i);
  }
  std::vector<Unit> out;
  for (auto& [name, unit] : by_name) {
    std::sort(unit.files.begin(), unit.files.end(), [&](size_t a, size_t b) { return files[a].path < files[b].path; });
    out.push_back(std::move(unit));
  }
  return out;
}

const Unit* find_unit(const std::vector<Unit>& units, std::string_view tag) {
  const Unit* best = nullptr;
  // By the quantization in the name, then in the folder's name, then by the whole name.
  for (int round = 0; round < 3 && best == nullptr; ++round) {
    for (const auto& unit : units) {
      const bool fits = round == 0   ? has_word(unit.stem, tag)
                        : round == 1 ? has_word(unit.folder, tag)
                                     : equal_ignoring_case(unit.stem, tag) ||
                                           equal_ignoring_case(unit.stem + std::string(kSuffix), tag);
      if (fits && (best == nullptr || unit.stem.size() < best->stem.size())) best = &unit;
    }
  }
  return best;
}

Result<std::vector<size_t>> whole_unit(const Unit& unit, const std::vector<HubFile>& files,
                                       const std::string& repository) {
  const auto split = parse_split_name(files[unit.files[0]].path);
  if (!split) return unit.files;
  bool complete = unit.files.size() == split->count;
  for (size_t i = 0; complete && i < unit.files.size(); ++i) {
    complete = parse_split_name(files[unit.files[i]].path)->number == i + 1;
  }
  if (complete) return unit.files;
  return Error{Errc::format, repository + ": " + unit.stem + " has " + std::to_string(split->count) +
                                 " parts, of which " + std::to_string(unit.files.size()) + " are there"};
}

Result<std::vector<size_t>> choose_folder(const std::vector<HubFile>& files, std::string_view tag,
                                          const std::string& repository) {
  std::vector<size_t> out;
  bool has_config = false, has_weights = false, has_shards = false;
  for (const auto& file : files) {
    has_config = has_config || file.path == "config.json";
    has_weights = has_weights || ends_with_ignoring_case(file.path, ".safetensors");
    has_shards = has_shards || file.path == "model.safetensors" || file.path == "model.safetensors.index.json";
  }
  if (!has_config || !has_weights) {
    return Error{Errc::not_found, repository + ": neither GGUF files nor config.json with safetensors: nothing to run"};
  }
  if (tag != "latest" && tag != "main") {
    return Error{Errc::not_found, repository + ": there are no GGUF files, so no quantization '" + std::string(tag) +
                                      "'; pull it without :" + std::string(tag) +
                                      ", and quantize it as it is opened with --quantize"};
  }
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string& path = files[i].path;
    if (path.find('/') != std::string::npos || !belongs_to_folder(path)) continue;
    // Beside the usual files, some repositories have the same weights in their makers' own form.
    if (has_shards && path.substr(0, 12) == "consolidated") continue;
    out.push_back(i);
  }
  return out;
}

}  // namespace

std::string base_name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::optional<SplitName> parse_split_name(std::string_view path) {
  // "-00001-of-00003.gguf"
  constexpr size_t kDigits = 5, kLength = 1 + kDigits + 4 + kDigits + kSuffix.size();
  if (path.size() <= kLength || !ends_with_ignoring_case(path, kSuffix)) return std::nullopt;
  const std::string_view end = path.substr(path.size() - kLength);
  if (end[0] != '-' || end.substr(1 + kDigits, 4) != "-of-") return std::nullopt;
  SplitName out;
  const auto number = [](std::string_view digits, uint32_t& value) {
    const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && rest == digits.data() + digits.size();
  };
  if (!number(end.substr(1, kDigits), out.number) || !number(end.substr(1 + kDigits + 4, kDigits), out.count))
    return std::nullopt;
  if (out.number == 0 || out.count == 0 || out.number > out.count || out.count > kMaxParts) return std::nullopt;
  out.stem = std::string(path.substr(0, path.size() - kLength));
  if (base_name(out.stem).empty()) return std::nullopt;
  return out;
}

bool belongs_to_folder(std::string_view name) {
  if (!is_plain_file_name(name)) return false;
  constexpr std::string_view kSuffixes[] = {".json", ".safetensors", ".model", ".txt", ".jinja", ".tiktoken"};
  return std::any_of(std::begin(kSuffixes), std::end(kSuffixes),
                     [name](std::string_view suffix) { return ends_with_ignoring_case(name, suffix); });
}

Result<std::vector<HubFile>> parse_tree(std::string_view text, const std::string& where) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_array()) return wrong(where, "expected a list of files");
  if (json.size() > kMaxFiles) return wrong(where, "more than 100000 files");
  std::vector<HubFile> out;
  for (const auto& entry : json) {
    if (!entry.is_object() || !entry.contains("path") || !entry["path"].is_string()) {
      return wrong(where, "a file without a 'path'");
    }
    if (entry.contains("type") && entry["type"] != "file") continue;
    if (!is_clean_path(entry["path"].get_ref<const std::string&>())) {
      return wrong(where, "'" + shown(entry["path"].get<std::string>()) + "': not a path of a repository's file");
    }
    QUERN_TRY(HubFile file, parse_file(entry, where));
    out.push_back(std::move(file));
  }
  return out;
}

Result<std::vector<size_t>> choose_files(const std::vector<HubFile>& files, std::string_view tag,
                                         const std::string& repository) {
  const std::vector<Unit> units = units_of(files);
  if (units.empty()) return choose_folder(files, tag, repository);
  if (const Unit* unit = find_unit(units, tag == "latest" ? kPreferred : tag))
    return whole_unit(*unit, files, repository);
  if (tag == "latest") return whole_unit(units[0], files, repository);
  std::string known;
  for (size_t i = 0; i < units.size() && i < kListed; ++i) known += "\n  " + shown(units[i].stem, 120) + ".gguf";
  if (units.size() > kListed) known += "\n  ...";
  return Error{Errc::not_found, repository + ": no file is named for '" + std::string(tag) + "'; there are:" + known};
}

}  // namespace quern::store
