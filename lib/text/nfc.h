// Unicode's normalization form C: characters composed where they can be, marks in canonical order.
//
// Source: Unicode Standard Annex #15, and chapter 3.12 of the standard for Hangul.
#pragma once

#include <string>
#include <string_view>

namespace quern::text {

/// True for a text that is in form C for certain, as nearly all are: told without composing anything.
bool is_nfc_quick(std::string_view text);

/// The text in form C. Bytes that are no valid UTF-8 stay as they are, and nothing composes over them.
std::string to_nfc(std::string_view text);

}  // namespace quern::text
