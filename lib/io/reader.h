// The neutral form of a model file: MetaTable (typed key-value pairs) and TensorTable (named views into the mapping).
// Every container (GGUF now, safetensors later) is read into these two, validated once, and trusted afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/tensor/view.h"

namespace quern::io {

/// One metadata value. Integers of every width are widened (u64 or i64 by their sign in the file), floats to double.
/// Arrays hold one element kind; numeric arrays are widened the same way, bool arrays become u64.
using MetaValue = std::variant<uint64_t, int64_t, double, bool, std::string, std::vector<uint64_t>,
                               std::vector<int64_t>, std::vector<double>, std::vector<std::string>>;

/// From names to positions. A tree: its O(log n) holds for every choice of names, while a hash table with a known hash
/// function can be made quadratic by the author of a file.
using NameIndex = std::map<std::string, size_t, std::less<>>;

/// Metadata in file order with lookup by key. A getter distinguishes "absent" (nullopt) from "present but of another
/// kind or out of range" (an Error naming file, key, expected and found).
class MetaTable {
 public:
  struct Entry {
    std::string key;
    MetaValue value;
    uint32_t file_type = 0;  ///< GGUF value type id (of the elements, for an array): kept for inspection and rewriting.
  };

  explicit MetaTable(std::string file = {}) : file_(std::move(file)) {}

  Status add(Entry entry);  ///< Refuses a duplicate key.
  const std::vector<Entry>& entries() const { return entries_; }
  const MetaValue* find(std::string_view key) const;
  const std::string& file() const { return file_; }

  Result<std::optional<uint64_t>> get_uint(std::string_view key) const;  ///< also a non-negative signed value
  Result<std::optional<int64_t>> get_int(std::string_view key) const;
  Result<std::optional<double>> get_float(std::string_view key) const;  ///< floating-point only
  Result<std::optional<bool>> get_bool(std::string_view key) const;
  /// Pointers into the table, nullptr where the key is absent.
  Result<const std::string*> get_string(std::string_view key) const;
  Result<const std::vector<std::string>*> get_strings(std::string_view key) const;
  Result<std::optional<std::vector<int64_t>>> get_ints(std::string_view key) const;   ///< any integer or bool array
  Result<std::optional<std::vector<double>>> get_floats(std::string_view key) const;  ///< float array

 private:
  std::string file_;
  std::vector<Entry> entries_;
  NameIndex index_;
};

/// A tensor of the file: its view, validated to lie inside the mapping, with every row a whole number of blocks.
/// `type_id` is the file's own id; for ids that this build cannot run, view.type is that id cast to DType and
/// quant::resolve_format(type_id) says why.
struct TensorEntry {
  std::string name;
  tensor::TensorView view;
  uint32_t type_id = 0;
  uint32_t file_index = 0;  ///< which part of a split model holds it
};

class TensorTable {
 public:
  Status add(TensorEntry entry);  ///< Refuses a duplicate name.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  const TensorEntry* find(std::string_view name) const;

 private:
  std::vector<TensorEntry> entries_;
  NameIndex index_;
};

/// An opened model file (or the parts of a split one). Owns the mappings that the views point into. Move-only.
struct ModelFile {
  std::string path;
  uint32_t version = 0;
  uint64_t alignment = 32;
  MetaTable meta;
  TensorTable tensors;
  std::vector<base::FileBytes> parts;
  std::vector<std::shared_ptr<const void>> keep;  ///< what views point to besides: sources of rows, orders of columns

  /// Lets the system drop the pages that `part`, all or some rows of the entry's tensor, was read from. Reading it
  /// again still works.
  void release(const TensorEntry& entry, const tensor::TensorView& part) const;

  bool tokenizer_only = false;  ///< made from tokenizer files: keys tokenizer.*, no others, and no tensors
};

struct OpenOptions {
  bool use_mmap = true;
  bool tokenizers = false;  ///< opens folders and files that hold a tokenizer too (hf_tokenizer.h)
};

/// Opens a model file by its content (GGUF: versions 2 and 3; `<prefix>-00001-of-0000N.gguf` opens all parts).
Result<ModelFile> open_model_file(const std::string& path, const OpenOptions& options = {});

}  // namespace quern::io
