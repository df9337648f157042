// Byte tokens: "<0x00>" to "<0xFF>" stand for bytes that no other token covers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quern::text {

/// The byte that "<0xNN>" stands for; nothing for any other text.
std::optional<uint8_t> byte_of_token(std::string_view token);
/// "<0xNN>", with capital letters.
std::string byte_token_text(uint8_t byte);

}  // namespace quern::text
