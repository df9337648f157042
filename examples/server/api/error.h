// ApiError: what a handler throws to answer with an error, and the shapes that errors have.
#pragma once

#include <quern/result.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "examples/server/http/exchange.h"

namespace quern::server {

/// The shape of errors: {"error":{"message","type","param","code"}} of OpenAI, {"error":{"code","message","type"}} of
/// llama-server, {"error":"message"} of Ollama.
enum class ErrorStyle : uint8_t { openai, llama, ollama };

struct ApiError : std::runtime_error {
  ApiError(unsigned s, std::string message, std::string p = {}, std::string c = {})
      : std::runtime_error(std::move(message)), status(s), param(std::move(p)), code(std::move(c)) {}
  unsigned status;
  std::string param;  ///< the field at fault
  std::string code;   ///< "context_length_exceeded", "model_not_found", ...
};

/// 400, and the field at fault.
[[noreturn]] inline void bad_field(const std::string& field, const std::string& message) {
  throw ApiError(400, field + ": " + message, field);
}

/// What the library's error means to a client. Messages of errors that are not the client's stay in: they name files of
/// this machine only for those that the server's owner chose.
ApiError api_error(const Error& error);

/// The answer.
HttpResponse error_response(const ApiError& error, ErrorStyle style);
/// Its body alone, for streams that have begun.
std::string error_body(const ApiError& error, ErrorStyle style);

}  // namespace quern::server
