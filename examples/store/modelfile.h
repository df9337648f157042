// Modelfiles: the text form of a model made from another one. Instructions as in Ollama's documentation
// (https://docs.ollama.com/modelfile): FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE, REQUIRES; '#'
// begins a comment line; a value may be in "quotes" or """triple quotes""", and then have several lines.
#pragma once

#include <quern/result.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern::store {

struct Message {
  std::string role, content;
};

/// The type of a PARAMETER's value.
enum class ParameterKind { integer, number, boolean, text };

/// How a parameter is spelt in a Modelfile and in the options of a request.
struct ParameterInfo {
  std::string_view name;
  ParameterKind kind;
  bool used;  ///< False: known and kept, but it changes nothing here.
};

/// Every parameter that a Modelfile may set; nullptr for other names.
const ParameterInfo* find_parameter(std::string_view name);

struct Modelfile {
  /// The value of FROM: a model's name, or the path of a GGUF file or of a Hugging Face folder. Empty only in a
  /// Modelfile that was not parsed.
  std::string from;
  std::vector<std::string> adapters;                            ///< Paths.
  std::vector<std::pair<std::string, std::string>> parameters;  ///< In order; `stop` may come several times.
  std::string tmpl;                                             ///< TEMPLATE.
  std::string system;
  std::vector<std::string> licenses;
  std::vector<Message> messages;
  std::string requires_version;  ///< REQUIRES: the least version of Ollama; kept, not acted upon.

  /// Errc::format, with the line. UTF-8, or UTF-16 with a byte order mark. `name` is for messages.
  static Result<Modelfile> parse(std::string_view text, const std::string& name = "Modelfile");
  /// The text again: parse() of it gives the same. Errc::argument where a value cannot be written down (it holds
  /// three quotes in a row, or NUL).
  Result<std::string> print() const;

  /// The parameters as a JSON object with numbers and booleans as such, and `stop` as a list: the form in which they
  /// are stored, and which the options of an Ollama request have.
  Result<std::string> parameters_json() const;
};

/// The other direction: a JSON object of parameters as lines "name value". Errc::format.
Result<std::vector<std::pair<std::string, std::string>>> parameters_from_json(std::string_view json);

/// The lines that /api/show and `quern show --parameters` print: names padded, texts in quotes.
std::string parameters_text(const std::vector<std::pair<std::string, std::string>>& parameters);

/// Whether a TEMPLATE is Jinja, as the chat templates of GGUF files are; else it is a Go template, as Ollama's are.
/// Jinja has "{%" or "{#" tags, or expressions that name its variables (messages, bos_token, add_generation_prompt)
/// without the leading dot or dollar of Go.
bool is_jinja(std::string_view source);

}  // namespace quern::store
