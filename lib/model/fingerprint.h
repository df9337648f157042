// A 64-bit fingerprint that tells models apart, so that saved states are not restored into another one.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/io/reader.h"
#include "lib/quant/format.h"

namespace quern::model {

/// Of the architecture, its hyper-parameters in the file, each tensor's name, type, shape and a few of its bytes, and
/// of the type that the file is requantized to (nullptr: none). Not a cryptographic hash.
uint64_t fingerprint(const io::ModelFile& file, std::string_view architecture, const quant::FormatInfo* quantize);

}  // namespace quern::model
