// JSON of requests and answers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace quern::server {

using Json = nlohmann::ordered_json;

/// One line. Bytes that are not UTF-8 become U+FFFD.
std::string dump(const Json& json);

/// A request's body, which must be an object nested at most 128 deep. Throws ApiError 400 that says where it is
/// malformed. An empty body is an empty object.
Json parse_body(std::string_view body);

}  // namespace quern::server
