// Values as text: Python's str() and repr(), and JSON as Python's json.dumps writes it.
#pragma once

#include <optional>
#include <string>

#include "lib/chat/work.h"

namespace quern::chat {

/// Python's repr of a float: the shortest digits that read back the same, "1.0", "1e+16", "nan".
std::string float_text(double d);

/// str(value). Undefined is empty.
Result<std::string> str(Work& work, const Value& value);
/// repr(value), appended.
Status append_repr(Work& work, const Value& value, std::string& out);

/// The arguments of json.dumps that the filter tojson passes on.
struct JsonStyle {
  std::optional<std::string> indent;  ///< of one level; unset: on one line
  std::string item_separator = ", ", key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};
Result<std::string> to_json(Work& work, const Value& value, const JsonStyle& style);

}  // namespace quern::chat
