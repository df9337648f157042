// What a generation was like, and what a model takes, as JSON and as lines for people.
#pragma once

#include <quern/generate.h>
#include <quern/model.h>

#include <nlohmann/json.hpp>
#include <string>

namespace quern::cli {

const char* stop_reason_name(StopReason reason);
nlohmann::ordered_json timings_json(const GenerateTimings& timings);
std::string timings_text(const GenerateTimings& timings);
nlohmann::ordered_json footprint_json(const Footprint& footprint);

/// JSON as a line of text. Bytes that are not UTF-8 become U+FFFD.
inline std::string dump(const nlohmann::ordered_json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace quern::cli
