// A 64-bit fingerprint that tells models apart, so that saved states are not restored into another one.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/io/reader.h"

namespace quern::model {

/// Of the architecture, its hyper-parameters in the file, and each tensor's name, type, shape and a few of its bytes.
/// Not a cryptographic hash.
uint64_t fingerprint(const io::ModelFile& file, std::string_view architecture);

}  // namespace quern::model
