// Metadata values as text, for people.
#pragma once

#include <string>

#include "lib/io/reader.h"

namespace quern::engine {

/// Strings as they are; numbers in their shortest form; arrays as "[a, b, c, ... (n)]", their texts in quotes.
std::string meta_text(const io::MetaValue& value);

}  // namespace quern::engine
