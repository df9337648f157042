#include "lib/hf/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "lib/io/names.h"

namespace quern::hf {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxNameBytes = 255;
constexpr std::string_view kSingle = "model.safetensors", kIndex = "model.safetensors.index.json";
constexpr std::string_view kExtension = ".safetensors";
constexpr std::string_view kQuantizationFiles[] = {"quantize_config.json", "quant_config.json"};

/// File by array, as an index has it.
using WeightMap = std::map<std::string, std::string, std::less<>>;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Result<io::Json> read_object(const std::string& path) {
  QUERN_TRY(const auto file, base::FileBytes::open(path, {}));
  QUERN_ENSURE(file.bytes().size() <= kMaxJsonBytes, Errc::unsupported, path, ": has ", file.bytes().size(),
               " bytes, at most ", kMaxJsonBytes, " are supported");
  QUERN_TRY(io::Json json, io::parse_json(file.bytes(), path));
  QUERN_ENSURE(json.get<io::Json::Object>() != nullptr, Errc::format, path, ": expected an object, found ",
               json.describe());
  return json;
}

/// The names of the files in a folder, sorted.
Result<std::vector<std::string>> names_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> out;
  auto entry = fs::directory_iterator(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    out.push_back(entry->path().filename().string());
  QUERN_ENSURE(!error, error == std::errc::no_such_file_or_directory ? Errc::not_found : Errc::io, folder,
               ": cannot read the folder: ", error.message());
  std::sort(out.begin(), out.end());
  return out;
}

/// What to do about a folder without safetensors.
Error no_arrays(const std::string& folder, const std::vector<std::string>& names) {
  const auto first_with = [&](auto&& property) -> const std::string* {
    const auto found = std::find_if(names.begin(), names.end(), property);
    return found == names.end() ? nullptr : &*found;
  };
  const auto ends = [](std::string_view end) { return [end](const std::string& name) { return name.ends_with(end); }; };
  const std::string* pickled = first_with([](const std::string& name) {
    return name.starts_with("pytorch_model") || name.ends_with(".pth") || name.ends_with(".pt");
  });
  if (pickled != nullptr)
    return fail(Errc::unsupported, folder, ": the weights are in ", io::quoted(*pickled),
                ", a pickle: such a file runs code when it is read, and is not supported. Save the model as "
                "safetensors, in Python: AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER, "
                "safe_serialization=True)");
  if (const std::string* gguf = first_with(ends(".gguf")))
    return fail(Errc::not_found, folder, ": the folder has no .safetensors file, but ", io::quoted(*gguf),
                ": open that file");
  return fail(Errc::not_found, folder, ": the folder has no .safetensors file");
}

/// All arrays of the folder where no index says which file has which. Other sets of the same weights, which some
/// folders have beside them, are left out: those of Mistral's own names, and adapters.
Result<std::vector<std::string>> all_files(const std::string& folder) {
  QUERN_TRY(const std::vector<std::string> names, names_in(folder));
  std::vector<std::string> all, main;
  for (const std::string& name : names) {
    if (!name.ends_with(kExtension)) continue;
    all.push_back(name);
    if (!name.starts_with("consolidated") && !name.starts_with("adapter_")) main.push_back(name);
  }
  if (all.empty()) return no_arrays(folder, names);
  return main.empty() ? all : main;
}

/// A name of a file in the same folder, and nothing that leads out of it.
bool is_plain_name(std::string_view name) {
  return io::name_fault(name, kMaxNameBytes) == nullptr && name.find_first_of("/\\") == std::string_view::npos &&
         name != "." && name != ".." && name.ends_with(kExtension);
}

Result<WeightMap> read_index(const std::string& path) {
  QUERN_TRY(const io::Json json, read_object(path));
  QUERN_TRY(const auto* members, io::JsonAt(&json, path)["weight_map"].need_object());
  QUERN_ENSURE(!members->empty(), Errc::format, path, ": 'weight_map': expected arrays, found none");
  WeightMap out;
  for (const io::JsonMember& member : *members) {
    const auto where = [&] { return cat(path, ": 'weight_map': array ", io::quoted(member.name), ": "); };
    const auto* file = member.value.get<std::string>();
    QUERN_ENSURE(file != nullptr && is_plain_name(*file), Errc::format, where(),
                 "expected the name of a .safetensors file in the same folder, found ", member.value.describe());
    QUERN_ENSURE(out.emplace(member.name, *file).second, Errc::format, where(), "appears twice");
  }
  return out;
}

Status add_file(Checkpoint& out, const std::string& name, const WeightMap* map, bool use_mmap) {
  const std::string path = cat(out.path, "/", name);
  QUERN_TRY(auto file, base::FileBytes::open(path, {.use_mmap = use_mmap}));
  constexpr std::string_view kPointer = "version https://git-lfs";
  const std::string_view begin(reinterpret_cast<const char*>(file.bytes().data()),
                               std::min(file.bytes().size(), kPointer.size()));
  QUERN_ENSURE(begin != kPointer, Errc::format, path,
               ": expected a safetensors file, found a Git LFS pointer (the file itself was not downloaded)");
  QUERN_TRY(io::SafeTensors arrays, io::parse_safetensors(file.bytes(), path, static_cast<uint32_t>(out.files.size())));
  for (const io::SafeTensor& array : arrays.entries()) {
    if (map != nullptr) {
      const auto place = map->find(array.name);
      if (place == map->end() || place->second != name) continue;  // a leftover: the index has the last word
    }
    QUERN_CHECK(out.arrays.add(array, path));
  }
  if (out.files.empty()) out.arrays.metadata = std::move(arrays.metadata);
  out.files.push_back(std::move(file));
  return {};
}

Status add_indexed(Checkpoint& out, const std::string& index, bool use_mmap) {
  QUERN_TRY(const WeightMap map, read_index(index));
  std::vector<std::string> names;
  for (const auto& [array, file] : map) names.push_back(file);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const std::string& name : names) {
    if (const Status status = add_file(out, name, &map, use_mmap); !status) {
      const Error& error = status.error();
      return error.code == Errc::not_found ? fail(error.code, index, ": 'weight_map': ", error.message) : error;
    }
  }
  for (const auto& [array, file] : map)
    QUERN_ENSURE(out.arrays.find(array) != nullptr, Errc::format, index, ": 'weight_map': array ", io::quoted(array),
                 ": expected it in ", io::quoted(file), ", which has no such array");
  return {};
}

Status read_config(Checkpoint& out) {
  out.config_path = cat(out.path, "/config.json");
  auto config = read_object(out.config_path);
  const bool adapter = !config && config.error().code == Errc::not_found && exists(out.path + "/adapter_config.json");
  QUERN_ENSURE(!adapter, Errc::unsupported, out.path,
               ": expected a model with a config.json, found an adapter: it goes on top of the model that it was made "
               "for");
  QUERN_TRY(out.config, std::move(config));
  for (const std::string_view name : kQuantizationFiles) {
    std::string path = cat(out.path, "/", name);
    if (!out.quantization_path.empty() || !exists(path)) continue;
    QUERN_TRY(out.quantization, read_object(path));
    out.quantization_path = std::move(path);
  }
  return {};
}

}  // namespace

io::JsonAt Checkpoint::quantization_at() const {
  const io::JsonAt root = config_at();
  // Models of several parts keep it with the language model; "compression_config" is compressed-tensors' first name.
  for (const io::JsonAt& at :
       {root["quantization_config"], root["text_config"]["quantization_config"], root["compression_config"]}) {
    if (at.present()) return at;
  }
  if (quantization_path.empty()) return root["quantization_config"];
  return {&quantization, quantization_path};
}

Result<Checkpoint> open_checkpoint(const std::string& folder, bool use_mmap) {
  Checkpoint out;
  out.path = folder;
  while (out.path.size() > 1 && out.path.ends_with('/')) out.path.pop_back();
  QUERN_CHECK(read_config(out));
  const std::string index = cat(out.path, "/", kIndex);
  if (!exists(cat(out.path, "/", kSingle)) && exists(index)) {
    QUERN_CHECK(add_indexed(out, index, use_mmap));
    return out;
  }
  std::vector<std::string> names = {std::string(kSingle)};
  if (!exists(cat(out.path, "/", kSingle))) {
    QUERN_TRY(names, all_files(out.path));
  }
  for (const std::string& name : names) QUERN_CHECK(add_file(out, name, nullptr, use_mmap));
  return out;
}

}  // namespace quern::hf
