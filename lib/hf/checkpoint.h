// The files of a Hugging Face folder, opened: arrays by name, and config.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/io/json.h"
#include "lib/io/safetensors.h"

namespace quern::hf {

/// Owns the mappings that the arrays point into. Move-only.
struct Checkpoint {
  std::string path;  ///< of the folder
  io::Json config;   ///< config.json
  std::vector<base::FileBytes> files;
  io::SafeTensors arrays;

  io::JsonAt config_at() const { return {&config, config_path}; }
  std::string config_path;

  /// How the arrays are quantized, where the folder says so: a part of config.json, or in older folders
  /// quantize_config.json or quant_config.json. Absent otherwise.
  io::JsonAt quantization_at() const;
  io::Json quantization;          ///< the file of its own
  std::string quantization_path;  ///< empty: there is none
};

/// Opens model.safetensors, or the files that model.safetensors.index.json names, or else all *.safetensors of the
/// folder. Errors name file, array and value.
Result<Checkpoint> open_checkpoint(const std::string& folder, bool use_mmap = true);

}  // namespace quern::hf
