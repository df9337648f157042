// Base64 (RFC 4648, section 4), as tokenizer files use it for bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quern::io {

/// The bytes; nothing where the text is not base64 with its padding.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace quern::io
