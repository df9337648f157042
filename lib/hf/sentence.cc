#include "lib/hf/sentence.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "lib/io/names.h"

namespace quern::hf {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 24;
constexpr size_t kMaxModules = 16, kMaxNameBytes = 255;

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<io::Json> read_json(const std::string& path) {
  QUERN_TRY(const auto file, base::FileBytes::open(path, {}));
  QUERN_ENSURE(file.bytes().size() <= kMaxBytes, Errc::unsupported, path, ": has ", file.bytes().size(),
               " bytes, at most ", kMaxBytes, " are supported");
  return io::parse_json(file.bytes(), path);
}

/// A folder in this one.
bool is_plain_name(std::string_view name) {
  return io::name_fault(name, kMaxNameBytes) == nullptr && name.find_first_of("/\\.") == std::string_view::npos;
}

Status add_arrays(Checkpoint& checkpoint, const std::string& folder, bool use_mmap) {
  const std::string path = cat(checkpoint.path, "/", folder, "/model.safetensors");
  QUERN_TRY(auto file, base::FileBytes::open(path, {.use_mmap = use_mmap}));
  const auto index = static_cast<uint32_t>(checkpoint.files.size());
  QUERN_TRY(const io::SafeTensors arrays, io::parse_safetensors(file.bytes(), path, index));
  for (io::SafeTensor array : arrays.entries()) {
    array.name = cat(folder, ".", array.name);
    QUERN_CHECK(checkpoint.arrays.add(std::move(array), path));
  }
  checkpoint.files.push_back(std::move(file));
  return {};
}

}  // namespace

Status add_sentence_modules(Checkpoint& checkpoint, bool use_mmap) {
  const std::string path = cat(checkpoint.path, "/modules.json");
  if (!exists(path)) return {};
  QUERN_TRY(const io::Json json, read_json(path));
  const io::JsonAt root(&json, path);
  QUERN_TRY(const auto* const modules, root.need_array());
  QUERN_ENSURE(modules->size() <= kMaxModules, Errc::unsupported, path, ": expected at most ", kMaxModules,
               " modules, found ", modules->size());
  io::Json::Object settings;
  for (size_t i = 0; i < modules->size(); ++i) {
    QUERN_TRY(const std::string_view type, root[i]["type"].need_text());
    QUERN_TRY(const std::string* const folder, root[i]["path"].text());
    if (folder == nullptr || folder->empty()) continue;  // the model itself
    if (!is_plain_name(*folder)) return root[i]["path"].mismatch("the name of a folder in the same folder");
    const std::string own = cat(checkpoint.path, "/", *folder, "/config.json");
    if (exists(own)) {
      QUERN_TRY(io::Json config, read_json(own));
      if (type.ends_with("Pooling")) settings.push_back({"pooling", config});
      settings.push_back({*folder, std::move(config)});
    }
    if (type.ends_with("Dense")) QUERN_CHECK(add_arrays(checkpoint, *folder, use_mmap));
  }
  io::Json::Object config = *checkpoint.config.get<io::Json::Object>();
  config.push_back({"sentence", io::Json(std::move(settings))});
  checkpoint.config = io::Json(std::move(config));
  return {};
}

}  // namespace quern::hf
