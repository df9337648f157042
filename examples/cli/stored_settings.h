// What a model of the store brings along (PARAMETER, SYSTEM, TEMPLATE, ADAPTER, MESSAGE), for `run` and `chat`. A flag
// goes before it.
#pragma once

#include <quern/chat.h>

#include <CLI/CLI.hpp>
#include <set>
#include <string>
#include <vector>

#include "examples/cli/model_args.h"
#include "examples/cli/model_source.h"
#include "examples/cli/sampler_args.h"

namespace quern::cli {

/// Long names, without dashes, of the flags that a command line has.
std::set<std::string> given_flags(const CLI::App& command);

/// Where the settings go.
struct SettingsTarget {
  ModelArgs& model;
  ContextArgs& context;
  SamplerArgs& sampler;
  int32_t& n_predict;
  std::string& system;
  std::vector<std::string>& stop;
};

/// Sets what no flag has set. Errc::format for a value that makes no sense.
Status apply_stored(const store::StoredModel& stored, const std::set<std::string>& given, const SettingsTarget& target);

/// The stored TEMPLATE where it is Jinja, else the model's own.
Result<ChatTemplate> template_for(const Model& model, const std::optional<store::StoredModel>& stored);

}  // namespace quern::cli
