// Models of the store as JSON, with the field names of Ollama's interface.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "examples/store/store.h"

namespace quern::cli {

/// "2026-03-01T12:00:00.123456789Z" (RFC 3339).
std::string time_text(int64_t ns);
nlohmann::ordered_json details_json(const store::Details& details);
/// One model of /api/tags.
nlohmann::ordered_json entry_json(const store::Entry& entry);

}  // namespace quern::cli
