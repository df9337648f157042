// The flags that say which model to open and how to run it.
#pragma once

#include <quern/quern.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "examples/cli/adapter_args.h"
#include "examples/cli/placement.h"

namespace quern::cli {

struct ModelArgs {
  std::string model;
  bool offline = false;
  int32_t n_threads = 0;
  int32_t n_threads_batch = 0;
  bool no_mmap = false;
  bool no_repack = false;
  std::string quantize;
  bool double_quant = false;
  std::string backend = "cpu";
  bool verbose = false;
  PlacementArgs placement;
};

struct ContextArgs {
  uint32_t n_ctx = 0;
  uint32_t n_batch = 512;
  std::string type_k = "f16", type_v = "f16";
  uint32_t n_checkpoints = 32;
  AdapterArgs adapters;
};

/// MODEL as the first argument or after -m; threads and where they run, where `with_threads`.
void add_model_args(CLI::App& command, ModelArgs& args, bool with_threads = true);
/// Of these, how a model is opened.
void add_open_args(CLI::App& command, ModelArgs& args);
void add_context_args(CLI::App& command, ContextArgs& args);

/// The threads and the backend; the calling thread is bound as the arguments ask for.
Result<Runtime> create_runtime(const ModelArgs& args);
/// Opens the model with a progress bar; Ctrl-C cancels. Errc::argument if none was named.
Result<Model> open_model(const ModelArgs& args, bool vocab_only = false);
Result<Model> open_model(const ModelArgs& args, const Runtime& runtime, bool vocab_only = false);
Result<ContextOptions> context_options(const ContextArgs& args);
Result<Context> create_context(const Model& model, const ContextArgs& args, uint32_t n_seq_max = 1);

/// As -ctk and -ctv spell it.
Result<CacheType> cache_type(std::string_view name);

/// The path of a model that is named as find_model (model_source.h) takes it.
Result<std::string> resolve_model(const std::string& name, bool offline = false);

}  // namespace quern::cli
