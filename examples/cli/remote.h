// `run` and `chat` on a running server, where there is one that has the model: the model need not be loaded twice.
#pragma once

#include <quern/chat.h>
#include <quern/generate.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "examples/cli/sampler_args.h"
#include "examples/cli/server_client.h"

namespace quern::cli {

class RemoteModel {
 public:
  /// The server of QUERN_HOST, if it has a model of this name, and if the command line has no flag that only a program
  /// of its own can honour (how the model is opened, threads, context, adapters, --json, --no-server). Says on stderr
  /// that it is used. Nothing for the name of a file that is there.
  static std::optional<RemoteModel> find(const CLI::App& command, const std::string& model, const SamplerArgs& sampler);

  Result<Generation> chat(std::span<const ChatMessage> messages, const GenerateOptions& options) const;
  Result<Generation> complete(const std::string& prompt, const GenerateOptions& options) const;

 private:
  ServerClient::Json body(const GenerateOptions& options) const;
  ServerClient client_;
  std::string name_;
  ServerClient::Json fields_;  ///< sampling flags that were given
};

/// The flag --no-server, which find() looks for.
void add_server_flag(CLI::App& command);

/// A conversation, wherever the model runs. As of ChatSession.
class Conversation {
 public:
  virtual ~Conversation() = default;
  virtual Result<Generation> send(const std::string& message, const GenerateOptions& options) = 0;
  virtual std::span<const ChatMessage> messages() const = 0;
  virtual void undo() = 0;
  virtual void clear() = 0;
};
std::unique_ptr<Conversation> converse(ChatSession session);
std::unique_ptr<Conversation> converse(RemoteModel model, const std::string& system);

}  // namespace quern::cli
