// JSON of requests and answers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace quern::server {

/// Of answers: fields stay in the order in which they are set.
using Json = nlohmann::ordered_json;
/// Of requests: a field is found in logarithmic time, however many there are.
using Input = nlohmann::json;

/// One line. Bytes that are not UTF-8 become U+FFFD.
std::string dump(const Json& json);
std::string dump(const Input& json);

/// A request's body, which must be an object nested at most 128 deep. Throws ApiError 400 that says where it is
/// malformed. An empty body is an empty object.
Input parse_body(std::string_view body);

}  // namespace quern::server
