#include "examples/server/api/error.h"

#include "examples/server/api/json.h"

namespace quern::server {
namespace {

const char* error_type(unsigned status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 501:
      return "not_supported_error";
    case 503:
      return "unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

}  // namespace

ApiError api_error(const Error& error) {
  switch (error.code) {
    case Errc::context_full:
      return ApiError(400, error.message, {}, "context_length_exceeded");
    case Errc::busy:
      return ApiError(503, error.message, {}, "busy");
    case Errc::argument:
      return ApiError(400, error.message);
    case Errc::unsupported:
      return ApiError(400, error.message, {}, "unsupported");
    case Errc::not_found:
      return ApiError(404, error.message, {}, "model_not_found");
    case Errc::cancelled:
      return ApiError(503, error.message, {}, "cancelled");
    default:
      return ApiError(500, error.message);
  }
}

std::string error_body(const ApiError& error, ErrorStyle style) {
  const std::string message = error.what();
  switch (style) {
    case ErrorStyle::openai:
      return dump(Json{{"error",
                        {{"message", message},
                         {"type", error_type(error.status)},
                         {"param", text_or_null(error.param)},
                         {"code", text_or_null(error.code)}}}});
    case ErrorStyle::llama:
      return dump(Json{{"error", {{"code", error.status}, {"message", message}, {"type", error_type(error.status)}}}});
    case ErrorStyle::ollama:
      break;
  }
  return dump(Json{{"error", message}});
}

HttpResponse error_response(const ApiError& error, ErrorStyle style) {
  HttpResponse response;
  response.status = error.status;
  response.body = error_body(error, style) + "\n";
  if (error.status == 503) response.headers.emplace_back("Retry-After", "1");
  if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace quern::server
