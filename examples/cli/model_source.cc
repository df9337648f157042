#include "examples/cli/model_source.h"

#include <filesystem>

#include "examples/cli/console.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/transfer_bar.h"

namespace quern::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDemoFile = "quern-demo-q8_0.gguf";

bool is_url(const std::string& name) { return name.find("://") != std::string::npos; }

/// Whether the user must have meant a file: then it is not looked for in the network.
bool looks_like_path(const std::string& name) {
  if (is_url(name)) return false;
  if (name[0] == '/' || name[0] == '.' || name[0] == '~') return true;
  const std::string extension = fs::path(name).extension().string();
  if (extension == ".gguf" || extension == ".json" || extension == ".model" || extension == ".safetensors") return true;
  const size_t slash = name.find('/');
  std::error_code error;
  return slash != std::string::npos && fs::is_directory(name.substr(0, slash), error);
}

}  // namespace

Result<std::string> demo_path() {
  std::error_code error;
  std::string looked;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  std::vector<fs::path> folders;
  if (!error) folders.push_back(program.parent_path().parent_path() / "share" / "quern" / "models");
  folders.emplace_back(QUERN_CLI_MODELS_DIR);
  for (const auto& folder : folders) {
    const fs::path file = folder / kDemoFile;
    if (fs::is_regular_file(file, error)) return file.string();
    looked += "\n  " + file.string();
  }
  return Error{Errc::not_found, "the demo model is not where it belongs; looked for:" + looked};
}

Result<store::Store> open_store() { return store::Store::open(); }

Result<store::StoredModel> pull_model(store::Store& models, const store::Reference& reference,
                                      store::PullOptions options, bool quiet) {
  TransferBar bar;
  if (!quiet) {
    options.progress = [&bar](const store::TransferProgress& progress) {
      bar.update(progress);
      return true;
    };
  }
  options.cancel = catch_interrupts();
  return models.pull(reference, options);
}

Result<ModelSource> find_model(const std::string& name, bool offline) {
  if (name.empty()) {
    return Error{Errc::argument,
                 "no model named: give the path of a GGUF file, a name like hf:user/repo:Q4_K_M, or `demo`"};
  }
  std::error_code error;
  if (fs::exists(name, error)) return ModelSource{name, {}};
  if (name == "demo") {
    auto path = demo_path();
    if (!path) return path.error();
    return ModelSource{*path, {}};
  }
  const std::string no_file = name + ": no such file or folder here";
  const auto reference = store::Reference::parse(name);
  if (!reference) {
    if (is_url(name) || name.substr(0, 3) == "hf:") return reference.error();
    if (looks_like_path(name)) return Error{Errc::not_found, no_file};
    return Error{Errc::not_found, no_file + ", and not the name of a model either: " + reference.error().message};
  }
  auto models = open_store();
  if (!models) return models.error();
  if (models->contains(reference->name)) {
    auto stored = models->find(reference->name);
    if (!stored) return stored.error();
    const std::string path = stored->path;
    return ModelSource{path, std::move(*stored)};
  }
  const bool never_a_file = is_url(name) || name.substr(0, 3) == "hf:";
  const std::string tried = (never_a_file ? name + ": " : no_file + ", and ") + "no model of this name in the store (" +
                            models->root().string() + ")";
  if (looks_like_path(name)) return Error{Errc::not_found, tried};
  if (offline || store::offline_by_environment()) {
    return Error{Errc::not_found,
                 tried + "; it was not looked for in the network, as --offline (or QUERN_OFFLINE) says"};
  }
  auto pulled = pull_model(*models, *reference, {}, false);
  if (!pulled) {
    return Error{pulled.error().code,
                 pulled.error().message + "\nquern: (" + tried + ", so it was looked for in the network)"};
  }
  const std::string path = pulled->path;
  return ModelSource{path, std::move(*pulled)};
}

}  // namespace quern::cli
