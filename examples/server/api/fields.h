// Fields: reads a request's fields, each checked, with errors that name it.
#pragma once

#include <quern/generate.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "examples/server/api/error.h"
#include "examples/server/api/json.h"

namespace quern::server {

/// Borrows the object. A field that is absent or null is not there. All throw ApiError 400.
class Fields {
 public:
  explicit Fields(const Input& object, std::string prefix = {}) : object_(object), prefix_(std::move(prefix)) {}
  explicit Fields(const Json& object, std::string prefix = {}) = delete;  // would borrow a copy

  const Input* find(const char* name) const;  ///< Null if it is not there.
  bool has(const char* name) const { return find(name) != nullptr; }
  std::string name(const char* field) const { return prefix_ + field; }

  std::optional<std::string> text(const char* name) const;
  std::string required_text(const char* name) const;
  std::optional<bool> flag(const char* name) const;
  /// Whole numbers; 3.0 counts as 3.
  std::optional<int64_t> integer(const char* name, int64_t least, int64_t most) const;
  std::optional<double> number(const char* name, double least, double most) const;
  /// A string or an array of strings.
  std::vector<std::string> texts(const char* name, size_t most) const;
  /// An object's fields; nothing if it is not there.
  std::optional<Fields> object(const char* name) const;
  const Input& json() const { return object_; }

  /// For what is not served here: null, false, "none", [] and {} are as good as absent.
  void refuse(const char* name, const char* why) const;

 private:
  const Input& object_;
  std::string prefix_;
};

/// Sets the options of sampling that the request has, under the names of llama-server, of which OpenAI's and Ollama's
/// are a part. `base` holds the defaults.
void read_sampler(const Fields& fields, SamplerOptions& options);
/// A map from token id to bias (OpenAI), or a list of [id or text, bias or false] (llama-server).
void read_logit_bias(const Fields& fields, const Model& model, SamplerOptions& options);
/// `stop`: at most 16 texts of 1 KiB.
std::vector<std::string> read_stop(const Fields& fields);
/// A token list, checked against the vocabulary.
std::vector<Token> read_tokens(const Input& list, const Model& model, const std::string& field);

}  // namespace quern::server
