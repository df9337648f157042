// Generation: runs what a request asks for on its model, and gives each step to the shape of the answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "examples/server/service.h"

namespace quern::server {

struct Plan {
  std::shared_ptr<Lease> lease;
  std::vector<std::vector<Token>> prompts;
  uint32_t n = 1;  ///< Answers to each prompt. With a seed, each has a seed of its own.
  GenerateOptions options;
  bool stream = false;
  /// Tokens of one prompt with its answer; 0: as many as the model's host allows.
  uint32_t n_ctx = 0;
};

/// The shape of an answer: how steps and ends of generations are told. Choices are numbered from 0: prompt i's are
/// i * n to i * n + n - 1. Calls come one at a time.
class Format {
 public:
  virtual ~Format() = default;
  /// The content type of a stream.
  virtual const char* stream_type() const = 0;
  /// What a stream begins with.
  virtual std::string first() { return {}; }
  /// One step; for a stream, what is sent (may be nothing). Without a stream it is called too, to collect.
  virtual std::string step(uint32_t choice, const GeneratedToken& token) = 0;
  virtual std::string end(uint32_t choice, const Generation& generation) = 0;
  /// What a stream ends with, when all choices have ended.
  virtual std::string last(const std::vector<Generation>& all) = 0;
  virtual std::string error(const ApiError& error) = 0;
  /// The whole answer, where it is no stream.
  virtual Json whole(const std::vector<Generation>& all) = 0;
};

/// Submits the plan's generations. The exchange is answered when they have ended, or as they go. Throws ApiError if
/// they cannot begin.
void generate(const std::shared_ptr<Call>& call, Plan plan, std::unique_ptr<Format> format);

/// An event of a stream of server-sent events.
inline std::string event(const Json& json) { return "data: " + dump(json) + "\n\n"; }

}  // namespace quern::server
