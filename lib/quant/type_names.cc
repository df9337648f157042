// Every tensor type id that turns up in GGUF files: its name, its block, and why it cannot be run if it cannot. The
// types that GGUF lacks (ids from kFirstOther on) are all formats that run, and named by these. Source: GGUF
// specification for the ids below 43; the ids above are those of ik_llama.cpp, which writes GGUF files with types of
// its own. They are listed so that an error can say what a file holds.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "lib/quant/format.h"

namespace quern::quant {
namespace {

enum class Kind : uint8_t { weights, activations, integers, removed, foreign };

struct TypeRow {
  uint32_t id;
  const char* name;
  uint32_t block_elems, block_bytes;  ///< 0 where the type is not part of GGUF (any more).
  Kind kind;
  const char* advice;  ///< Ends the message about a removed type.
};

constexpr const char* kQ4Advice = "requantize the original model, for example to Q4_0 or Q4_K";
constexpr const char* kQ4_0Advice = "use the Q4_0 file of the model: it is repacked for this CPU at load";
constexpr const char* kIq4NlAdvice = "use the IQ4_NL file of the model: it is repacked for this CPU at load";
constexpr const char* kI2SAdvice =
    "use the IQ4_NL file of the model. Other engines use this id for I2_S (ternary BitNet weights), which is not "
    "supported";

// Sorted by id.
constexpr TypeRow kTypes[] = {
    {0, "F32", 1, 4, Kind::weights, ""},
    {1, "F16", 1, 2, Kind::weights, ""},
    {2, "Q4_0", 32, 18, Kind::weights, ""},
    {3, "Q4_1", 32, 20, Kind::weights, ""},
    {4, "Q4_2", 0, 0, Kind::removed, kQ4Advice},
    {5, "Q4_3", 0, 0, Kind::removed, kQ4Advice},
    {6, "Q5_0", 32, 22, Kind::weights, ""},
    {7, "Q5_1", 32, 24, Kind::weights, ""},
    {8, "Q8_0", 32, 34, Kind::weights, ""},
    {9, "Q8_1", 32, 36, Kind::activations, ""},
    {10, "Q2_K", 256, 84, Kind::weights, ""},
    {11, "Q3_K", 256, 110, Kind::weights, ""},
    {12, "Q4_K", 256, 144, Kind::weights, ""},
    {13, "Q5_K", 256, 176, Kind::weights, ""},
    {14, "Q6_K", 256, 210, Kind::weights, ""},
    {15, "Q8_K", 256, 292, Kind::activations, ""},
    {16, "IQ2_XXS", 256, 66, Kind::weights, ""},
    {17, "IQ2_XS", 256, 74, Kind::weights, ""},
    {18, "IQ3_XXS", 256, 98, Kind::weights, ""},
    {19, "IQ1_S", 256, 50, Kind::weights, ""},
    {20, "IQ4_NL", 32, 18, Kind::weights, ""},
    {21, "IQ3_S", 256, 110, Kind::weights, ""},
    {22, "IQ2_S", 256, 82, Kind::weights, ""},
    {23, "IQ4_XS", 256, 136, Kind::weights, ""},
    {24, "I8", 1, 1, Kind::integers, ""},
    {25, "I16", 1, 2, Kind::integers, ""},
    {26, "I32", 1, 4, Kind::integers, ""},
    {27, "I64", 1, 8, Kind::integers, ""},
    {28, "F64", 1, 8, Kind::weights, ""},
    {29, "IQ1_M", 256, 56, Kind::weights, ""},
    {30, "BF16", 1, 2, Kind::weights, ""},
    {31, "Q4_0_4_4", 0, 0, Kind::removed, kQ4_0Advice},
    {32, "Q4_0_4_8", 0, 0, Kind::removed, kQ4_0Advice},
    {33, "Q4_0_8_8", 0, 0, Kind::removed, kQ4_0Advice},
    {34, "TQ1_0", 256, 54, Kind::weights, ""},
    {35, "TQ2_0", 256, 66, Kind::weights, ""},
    {36, "IQ4_NL_4_4", 0, 0, Kind::removed, kI2SAdvice},
    {37, "IQ4_NL_4_8", 0, 0, Kind::removed, kIq4NlAdvice},
    {38, "IQ4_NL_8_8", 0, 0, Kind::removed, kIq4NlAdvice},
    {39, "MXFP4", 32, 17, Kind::weights, ""},
    {40, "NVFP4", 64, 36, Kind::weights, ""},
    {41, "Q1_0", 128, 18, Kind::weights, ""},
    {42, "Q2_0", 64, 18, Kind::weights, ""},
    {133, "Q6_0", 0, 0, Kind::foreign, ""},
    {134, "IQ1_BN", 0, 0, Kind::foreign, ""},
    {135, "IQ2_BN", 0, 0, Kind::foreign, ""},
    {137, "IQ2_K", 0, 0, Kind::foreign, ""},
    {138, "IQ3_K", 0, 0, Kind::foreign, ""},
    {139, "IQ4_K", 0, 0, Kind::foreign, ""},
    {140, "IQ5_K", 0, 0, Kind::foreign, ""},
    {141, "IQ6_K", 0, 0, Kind::foreign, ""},
    {144, "IQ4_KS", 0, 0, Kind::foreign, ""},
    {145, "IQ2_KS", 0, 0, Kind::foreign, ""},
    {146, "IQ4_KSS", 0, 0, Kind::foreign, ""},
    {151, "Q8_KV", 0, 0, Kind::foreign, ""},
    {152, "IQ5_KS", 0, 0, Kind::foreign, ""},
    {153, "IQ2_KT", 0, 0, Kind::foreign, ""},
    {154, "IQ3_KT", 0, 0, Kind::foreign, ""},
    {155, "IQ4_KT", 0, 0, Kind::foreign, ""},
    {156, "IQ3_KS", 0, 0, Kind::foreign, ""},
    {157, "IQ2_KL", 0, 0, Kind::foreign, ""},
    {158, "IQ1_KT", 0, 0, Kind::foreign, ""},
};
static_assert([] {
  for (size_t i = 1; i < std::size(kTypes); ++i) {
    if (kTypes[i - 1].id >= kTypes[i].id) return false;
  }
  return true;
}());

// ik_llama.cpp numbers its row-interleaved variants (names ending in _R4, _R8, _R16) within this range.
constexpr uint32_t kFirstInterleaved = 202, kLastInterleaved = 399;

constexpr uint32_t kFirstOther = 1000;  // of other containers, see lib/tensor/dtype.h

const TypeRow* find_row(uint32_t id) {
  const auto* row = std::lower_bound(std::begin(kTypes), std::end(kTypes), id,
                                     [](const TypeRow& candidate, uint32_t wanted) { return candidate.id < wanted; });
  return row != std::end(kTypes) && row->id == id ? row : nullptr;
}

bool is_interleaved(uint32_t id) { return id >= kFirstInterleaved && id <= kLastInterleaved; }

Error foreign_error(const std::string& name, uint32_t id) {
  return fail(Errc::unsupported, "tensor type ", name, " (", id, ") exists only in ik_llama.cpp and is not supported; ",
              "use a file with standard GGUF types");
}

Error removed_error(const TypeRow& row) {
  return fail(Errc::unsupported, "tensor type ", row.name, " (", row.id, ") was removed from GGUF; ", row.advice);
}

Error unknown_error(uint32_t id) {
  return fail(Errc::unsupported, "unknown tensor type ", id, "; the file is damaged or newer than this program");
}

}  // namespace

std::string type_name(uint32_t type_id) {
  if (const FormatInfo* format = find_format(static_cast<tensor::DType>(type_id))) return format->name;
  if (const TypeRow* row = find_row(type_id)) return row->name;
  if (is_interleaved(type_id)) return cat("row-interleaved type ", type_id);
  return cat("type ", type_id);
}

std::optional<uint32_t> find_type(std::string_view name) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  const auto is_it = [&](const TypeRow& row) {
    return row.kind == Kind::weights && std::equal(name.begin(), name.end(), row.name, row.name + std::strlen(row.name),
                                                   [&](char a, char b) { return upper(a) == b; });
  };
  const auto* row = std::find_if(std::begin(kTypes), std::end(kTypes), is_it);
  return row != std::end(kTypes) ? std::optional(row->id) : std::nullopt;
}

Result<const FormatInfo*> resolve_format(uint32_t type_id) {
  if (const FormatInfo* format = find_format(static_cast<tensor::DType>(type_id))) return format;
  if (is_interleaved(type_id)) return foreign_error("row-interleaved", type_id);
  const TypeRow* row = find_row(type_id);
  if (row == nullptr) return unknown_error(type_id);
  switch (row->kind) {
    case Kind::foreign:
      return foreign_error(row->name, type_id);
    case Kind::removed:
      return removed_error(*row);
    case Kind::integers:
      return fail(Errc::unsupported, "tensor type ", row->name, " (", type_id, ") holds integers, expected weights");
    case Kind::activations:
      return fail(Errc::unsupported, "tensor type ", row->name, " (", type_id,
                  ") is for intermediate results and does not occur as weights");
    case Kind::weights:
      break;
  }
  return fail(Errc::unsupported, "tensor type ", row->name, " (", type_id, ") is not supported yet");
}

Result<BlockSize> block_size(uint32_t type_id) {
  if (const FormatInfo* format = find_format(static_cast<tensor::DType>(type_id))) {
    return BlockSize{format->block_elems, format->block_bytes};
  }
  if (is_interleaved(type_id)) return foreign_error("row-interleaved", type_id);
  const TypeRow* row = find_row(type_id);
  if (row == nullptr) return unknown_error(type_id);
  if (row->kind == Kind::foreign) return foreign_error(row->name, type_id);
  if (row->kind == Kind::removed) return removed_error(*row);
  return BlockSize{row->block_elems, row->block_bytes};
}

Result<BlockSize> gguf_block_size(uint32_t type_id) {
  if (type_id >= kFirstOther) return unknown_error(type_id);
  return block_size(type_id);
}

}  // namespace quern::quant
