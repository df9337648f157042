// What is remembered from one start to the next: recent models and the system prompt, in <config>/quern/desktop.ini.
#pragma once

#include <string>
#include <vector>

namespace desktop {

struct Settings {
  std::vector<std::string> recent;  // paths, the newest first
  std::string system_prompt;

  static Settings load();
  void save() const;  // what cannot be written is not remembered
  void add_recent(const std::string& path);
};

/// The demo model beside the program, or in the source tree; empty if it is in neither.
std::string demo_model_path();

}  // namespace desktop
