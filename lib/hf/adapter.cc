#include "lib/hf/adapter.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "lib/hf/peft.h"

namespace quern::hf {
namespace {

namespace fs = std::filesystem;

Result<io::AdapterFile> open_folder(const fs::path& folder, const io::ModelFile& model) {
  const std::string config_path = (folder / "adapter_config.json").string();
  const std::string arrays_path = (folder / "adapter_model.safetensors").string();
  QUERN_TRY(const auto config, base::FileBytes::open(config_path, {}));
  std::error_code error;
  QUERN_ENSURE(fs::exists(arrays_path, error) || !fs::exists(folder / "adapter_model.bin", error), Errc::unsupported,
               (folder / "adapter_model.bin").string(),
               ": a PyTorch checkpoint, which can hold programs, is not read: expected adapter_model.safetensors");
  QUERN_TRY(auto arrays, base::FileBytes::open(arrays_path, {}));
  QUERN_TRY(auto adapter, read_peft({config.bytes(), config_path}, {arrays.bytes(), arrays_path}, model.meta));
  adapter.path = folder.string();
  adapter.file.path = adapter.path;
  adapter.file.parts.push_back(std::move(arrays));
  return adapter;
}

}  // namespace

Result<io::AdapterFile> open_adapter(const std::string& path, const io::ModelFile& model) {
  std::error_code error;
  if (fs::is_directory(path, error)) return open_folder(path, model);
  if (fs::path(path).extension() == ".safetensors") return open_folder(fs::path(path).parent_path(), model);
  QUERN_TRY(auto file, io::open_model_file(path));
  return io::read_gguf_adapter(std::move(file));
}

}  // namespace quern::hf
