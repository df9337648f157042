// Blocks of other containers in blocks of GGUF types, where these hold the very same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "lib/base/status.h"
#include "lib/base/thread_pool.h"
#include "lib/io/reader.h"
#include "lib/quant/format.h"

namespace quern::convert {

/// The GGUF type that holds every number of this tensor as it is: its own type, or one that differs in where codes and
/// scales lie. nullopt where there is none. May read the whole tensor.
Result<std::optional<uint32_t>> exact_type(const io::TensorEntry& tensor, base::ThreadPool& pool);

/// n elements in blocks of `from`, times `scale`, as blocks of `to`. False where a number would be another one.
bool repack(const quant::FormatInfo& from, const quant::FormatInfo& to, const std::byte* blocks, float scale, size_t n,
            std::byte* out);

}  // namespace quern::convert
