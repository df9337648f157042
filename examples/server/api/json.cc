#include "examples/server/api/json.h"

#include "examples/server/api/error.h"

namespace quern::server {
namespace {

constexpr int kMaxDepth = 128;

/// Where brackets outside of strings are nested too deep; npos if nowhere.
size_t too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return i;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }
std::string dump(const Input& json) { return json.dump(-1, ' ', false, Input::error_handler_t::replace); }

Input parse_body(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return Input::object();
  if (body.find('\0') != std::string_view::npos) throw ApiError(400, "the body is not JSON: it has a byte of value 0");
  if (const size_t at = too_deep(body); at != std::string_view::npos)
    throw ApiError(400, "the body is not accepted: nested more than " + std::to_string(kMaxDepth) + " deep at byte " +
                            std::to_string(at));
  try {
    Input json = Input::parse(body);
    if (!json.is_object()) throw ApiError(400, "the body must be a JSON object");
    return json;
  } catch (const nlohmann::json::parse_error& error) {
    // Its text is "[json.exception.parse_error.101] parse error at line 1, column 2: ...".
    const std::string text = error.what();
    const size_t at = text.find("parse error");
    throw ApiError(400, "the body is not JSON: " + (at == std::string::npos ? text : text.substr(at)));
  } catch (const nlohmann::json::exception& error) {
    throw ApiError(400, std::string("the body is not JSON: ") + error.what());
  }
}

}  // namespace quern::server
