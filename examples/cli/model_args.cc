#include "examples/cli/model_args.h"

#include "examples/cli/console.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_source.h"

namespace quern::cli {
Result<CacheType> cache_type(std::string_view name) {
  if (name == "f16") return CacheType::f16;
  if (name == "f32") return CacheType::f32;
  if (name == "q8_0") return CacheType::q8_0;
  if (name == "q4_0") return CacheType::q4_0;
  return Error{Errc::argument, "cache type '" + std::string(name) + "': expected f16, f32, q8_0 or q4_0"};
}

void add_model_args(CLI::App& command, ModelArgs& args, bool with_threads) {
  command
      .add_option(
          "MODEL,-m,--model", args.model,
          "GGUF file, Hugging Face folder, name (hf:user/repo:Q4_K_M, llama3.2), or `demo`: the small model that "
          "comes with Quern")
      ->type_name("MODEL");
  command
      .add_option_function<std::string>(
          "--hf-repo", [&args](const std::string& name) { args.model = "hf:" + name; },
          "-hf: user/repo[:QUANT] of the Hugging Face Hub, the same as MODEL hf:user/repo[:QUANT]")
      ->type_name("REPO");
  add_open_args(command, args);
  if (!with_threads) return;
  command.add_option("-t,--threads", args.n_threads, "Threads (0: the physical cores this process may use)")
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
  command.add_option("--threads-batch", args.n_threads_batch)->group("");
  add_placement_args(command, args.placement);
}

void add_open_args(CLI::App& command, ModelArgs& args) {
  command.add_flag("--no-mmap", args.no_mmap, "Read the file into memory instead of mapping it");
  command.add_flag("--no-repack", args.no_repack,
                   "Read weights from the mapped file: little memory, slower answers, the same results");
  command
      .add_option("--quantize", args.quantize,
                  "Quantize the weights as they are read: nf4, fp4, int8, or a type of GGUF such as Q4_K")
      ->type_name("TYPE");
  command.add_flag("--double-quant", args.double_quant, "With --quantize nf4: quantize its scales too");
  command.add_flag("--offline", args.offline, "Do not download a model that is not there (also QUERN_OFFLINE=1)");
  command.add_flag("-v,--verbose", args.verbose, "Say more on stderr");
  command.add_option("--backend", args.backend, "cpu, or reference: scalar, for comparison")->group("");
}

void add_context_args(CLI::App& command, ContextArgs& args) {
  command.add_option("-c,--ctx-size", args.n_ctx, "Context size in tokens (0: the model's own)")->type_name("N");
  command.add_option("-b,--batch-size", args.n_batch, "Prompt tokens of one pass (512)")
      ->type_name("N")
      ->check(CLI::Range(1, 65536));
  command.add_option("--cache-type-k", args.type_k, "-ctk: type of cached keys: f16, f32, q8_0, q4_0 (f16)")
      ->type_name("TYPE");
  command.add_option("--cache-type-v", args.type_v, "-ctv: type of cached values: f16, f32, q8_0, q4_0 (f16)")
      ->type_name("TYPE");
  command
      .add_option("--ctx-checkpoints", args.n_checkpoints,
                  "-ctxcp: points that a text can go back to in models with sliding windows (32)")
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
}

Result<std::string> resolve_model(const std::string& name, bool offline) {
  const auto found = find_model(name, offline);
  if (!found) return found.error();
  return found->path;
}

Result<Runtime> create_runtime(const ModelArgs& args) {
  if (args.n_threads_batch != 0 && args.n_threads_batch != args.n_threads) {
    note("quern: -tb is not used: the same threads compute prompts and answers (-t)");
  }
  RuntimeOptions options;
  options.n_threads = static_cast<uint32_t>(args.n_threads);
  options.backend = args.backend;
  options.log = [verbose = args.verbose](LogLevel level, std::string_view message) {
    if (level >= LogLevel::warning || verbose) note("quern: " + std::string(message));
  };
  if (Status status = place_threads(args.placement, options); !status) return status.error();
  auto runtime = Runtime::create(options);
  if (!runtime) return runtime;
  if (args.placement.given()) {
    if (Status status = runtime->bind_this_thread(); !status) return status.error();
  }
  if (args.verbose) note("quern: " + runtime->description() + ", " + std::to_string(runtime->n_threads()) + " threads");
  return runtime;
}

Result<Model> open_model(const ModelArgs& args, bool vocab_only) {
  auto path = resolve_model(args.model, args.offline);  // a command without a model needs no threads
  if (!path) return path.error();
  auto runtime = create_runtime(args);
  if (!runtime) return runtime.error();
  return open_model(args, *runtime, vocab_only);
}

Result<Model> open_model(const ModelArgs& args, const Runtime& runtime, bool vocab_only) {
  auto path = resolve_model(args.model, args.offline);
  if (!path) return path.error();
  ModelOptions options;
  options.runtime = runtime;
  options.use_mmap = !args.no_mmap;
  options.repack = !args.no_repack;
  options.vocab_only = vocab_only;
  options.quantize = args.quantize;
  options.double_quant = args.double_quant;
  options.cancel = catch_interrupts();
  ProgressBar bar;
  options.progress = [&bar](const Progress& progress) {
    bar.update(progress);
    return true;
  };
  return Model::open(*path, options);
}

Result<ContextOptions> context_options(const ContextArgs& args) {
  const auto type_k = cache_type(args.type_k), type_v = cache_type(args.type_v);
  if (!type_k) return type_k.error();
  if (!type_v) return type_v.error();
  ContextOptions options;
  options.n_ctx = args.n_ctx;
  options.n_batch = args.n_batch;
  options.type_k = *type_k;
  options.type_v = *type_v;
  options.n_checkpoints = args.n_checkpoints;
  return options;
}

Result<Context> create_context(const Model& model, const ContextArgs& args, uint32_t n_seq_max) {
  auto options = context_options(args);
  if (!options) return options.error();
  options->n_seq_max = n_seq_max;
  auto adapters = open_adapters(model, args.adapters);
  if (!adapters) return adapters.error();
  options->adapters = std::move(*adapters);
  return Context::create(model, *options);
}

}  // namespace quern::cli
