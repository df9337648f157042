// A folder in PEFT's form, in the system's temporary folder, removed at the end.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/hf/raw_safetensors.h"

namespace quern::testing {

class PeftFolder {
 public:
  PeftFolder() {
    static int counter = 0;
    const std::string name = cat("quern-peft-", static_cast<int64_t>(::getpid()), "-", counter++);
    path_ = (std::filesystem::temp_directory_path() / name).string();
    std::filesystem::create_directory(path_);
  }
  PeftFolder(const PeftFolder&) = delete;
  PeftFolder& operator=(const PeftFolder&) = delete;
  ~PeftFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

  /// A matrix [rows, ..] "base_model.model.NAME".
  void add(const std::string& name, uint64_t rows, const std::vector<float>& numbers) {
    const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float));
    arrays_.add("base_model.model." + name, "F32", cat("[", rows, ",", numbers.size() / rows, "]"), bytes);
  }
  void write(const std::string& config) const {
    std::ofstream(path_ + "/adapter_config.json") << config;
    std::ofstream(path_ + "/adapter_model.safetensors", std::ios::binary) << arrays_.bytes();
  }

 private:
  std::string path_;
  hf::test::RawSafetensors arrays_;
};

}  // namespace quern::testing
