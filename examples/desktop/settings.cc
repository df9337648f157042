#include "examples/desktop/settings.h"

#include <glib.h>
#include <glib/gstdio.h>

#include <algorithm>
#include <filesystem>
#include <memory>

namespace desktop {

namespace {

constexpr size_t kMaxRecent = 8;
constexpr const char* kGroup = "desktop";

using Text = std::unique_ptr<char, decltype(&g_free)>;
using KeyFile = std::unique_ptr<GKeyFile, decltype(&g_key_file_free)>;

std::string file_path() {
  const Text path(g_build_filename(g_get_user_config_dir(), "quern", "desktop.ini", nullptr), g_free);
  return path.get();
}

}  // namespace

Settings Settings::load() {
  Settings settings;
  const KeyFile file(g_key_file_new(), g_key_file_free);
  if (!g_key_file_load_from_file(file.get(), file_path().c_str(), G_KEY_FILE_NONE, nullptr)) return settings;
  gsize n = 0;
  char** recent = g_key_file_get_string_list(file.get(), kGroup, "recent", &n, nullptr);
  for (gsize i = 0; i < std::min<gsize>(n, kMaxRecent); ++i) {
    if (g_file_test(recent[i], G_FILE_TEST_EXISTS)) settings.recent.emplace_back(recent[i]);
  }
  g_strfreev(recent);
  const Text prompt(g_key_file_get_string(file.get(), kGroup, "system_prompt", nullptr), g_free);
  if (prompt) settings.system_prompt = prompt.get();
  return settings;
}

void Settings::save() const {
  const KeyFile file(g_key_file_new(), g_key_file_free);
  std::vector<const char*> paths;
  for (const std::string& path : recent) paths.push_back(path.c_str());
  g_key_file_set_string_list(file.get(), kGroup, "recent", paths.data(), paths.size());
  g_key_file_set_string(file.get(), kGroup, "system_prompt", system_prompt.c_str());
  const Text folder(g_path_get_dirname(file_path().c_str()), g_free);
  g_mkdir_with_parents(folder.get(), 0700);
  g_key_file_save_to_file(file.get(), file_path().c_str(), nullptr);
}

void Settings::add_recent(const std::string& path) {
  recent.erase(std::remove(recent.begin(), recent.end(), path), recent.end());
  recent.insert(recent.begin(), path);
  if (recent.size() > kMaxRecent) recent.resize(kMaxRecent);
}

std::string demo_model_path() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const char* name = "quern-demo-q8_0.gguf";
  for (const std::filesystem::path& folder :
       {program.parent_path() / "../share/quern/models", std::filesystem::path(QUERN_DESKTOP_MODELS_DIR)}) {
    if (std::filesystem::exists(folder / name, error)) return (folder / name).lexically_normal().string();
  }
  return "";
}

}  // namespace desktop
