// The Hugging Face Hub's list of a repository's files, and which of them are the model that a tag means.
#pragma once

#include <quern/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examples/store/digest.h"

namespace quern::store {

/// A file of a repository: GET /api/models/<repo>/tree/<revision>.
struct HubFile {
  std::string path;
  uint64_t size = 0;
  std::optional<Digest> digest;  ///< Of files in LFS.
  std::string git_oid;           ///< Of others: 40 hexadecimal digits.
};

/// One page of the list. Folders are left out. Errc::format.
Result<std::vector<HubFile>> parse_tree(std::string_view json, const std::string& where);

/// The files that make up one model, by their index in the list: a GGUF file, the parts of a split one in order, or
/// what a folder of safetensors needs. `tag` is a quantization ("Q4_K_M"), part of a file's name, the name itself, or
/// "latest": Q4_K_M where there is one, else the first. Errc::not_found lists what there is.
Result<std::vector<size_t>> choose_files(const std::vector<HubFile>& files, std::string_view tag,
                                         const std::string& repository);

/// "folder/name.gguf" as "name.gguf".
std::string base_name(std::string_view path);
/// A part of a split GGUF: the name before "-00002-of-00003.gguf", and the two numbers.
struct SplitName {
  std::string stem;
  uint32_t number = 1, count = 1;
};
std::optional<SplitName> parse_split_name(std::string_view path);
/// Whether a Hugging Face folder's file is part of the model: configuration, tokenizer, safetensors.
bool belongs_to_folder(std::string_view name);

}  // namespace quern::store
