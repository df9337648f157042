#include "lib/hf/matrix.h"

#include "lib/hf/readers.h"
#include "lib/io/names.h"

namespace quern::hf {
namespace {

// In turn: a reader knows its form by its arrays' names and types, and passes over others. Plain numbers come last.
constexpr MatrixReader* kReaders[] = {
    read_bitsandbytes, read_awq, read_gptq, read_compressed_tensors, read_mxfp4, read_nvfp4, read_fp8, read_plain,
};

/// Forms that are not read, by an array that only they have.
struct Unread {
  std::string_view suffix;  ///< of the module's name
  std::string_view form;
};
constexpr Unread kUnread[] = {
    {".B", "Marlin's packing of GPTQ"},
    {".weight.bitmask", "a sparse form of compressed-tensors"},
    {".weight_bitmask", "a sparse form of compressed-tensors"},
    {".bitmask", "a sparse form of compressed-tensors"},
    {".weight.compressed", "a sparse form of compressed-tensors"},
    {".compressed", "a sparse form of compressed-tensors"},
    {".scale_packed", "the form 'marlin-24' of compressed-tensors"},
    {".meta", "the form 'marlin-24' of compressed-tensors"},
    {".W_q", "HQQ"},
    {".codebooks", "AQLM"},
    {".Qidxs", "QuIP#"},
};

}  // namespace

Result<std::optional<Matrix>> read_matrix(const Checkpoint& checkpoint, std::string_view name) {
  const Module module(checkpoint, name);
  for (const Unread& unread : kUnread) {
    const io::SafeTensor* const array = module.find(unread.suffix);
    QUERN_ENSURE(array == nullptr, Errc::unsupported, module.place(*array), ": ", unread.form, " is not supported");
  }
  for (MatrixReader* const read : kReaders) {
    QUERN_TRY(auto matrix, read(module));
    if (matrix) return matrix;
  }
  return std::optional<Matrix>();
}

}  // namespace quern::hf
