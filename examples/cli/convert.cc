// quern convert: a Hugging Face folder as a GGUF file.
#include <quern/convert.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"
#include "examples/cli/quantize_report.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

struct Args {
  std::string in, out, split_max_size;
  AdapterArgs adapters;
  ModelArgs runtime;
  ConvertOptions options;
  bool json = false, verbose = false;
};

/// "models/Qwen3-0.6B/" and "bf16" make "models/Qwen3-0.6B-BF16.gguf".
std::string default_output(std::string in, std::string type) {
  while (in.size() > 1 && in.back() == '/') in.pop_back();
  if (in.ends_with(".gguf")) in.resize(in.size() - 5);
  if (type == "auto") return in + ".gguf";
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::toupper(c); });
  return in + "-" + type + ".gguf";
}

int run(Args& args) {
  if (!args.split_max_size.empty()) {
    args.options.split_max_bytes = size_of(args.split_max_size);
    if (args.options.split_max_bytes == 0)
      return report_usage("--split-max-size " + args.split_max_size + ": expected a size such as 2G");
  }
  const auto adapters = named_adapters(args.adapters);
  if (!adapters) return report(adapters.error());
  for (const auto& [path, scale] : *adapters) args.options.adapters.push_back({path, scale});
  const auto in = resolve_model(args.in);
  if (!in) return report(in.error());
  if (args.out.empty()) args.out = default_output(args.in, args.options.type);
  const auto runtime = create_runtime(args.runtime);
  if (!runtime) return report(runtime.error());
  ProgressBar bar;
  args.options.cancel = catch_interrupts();
  args.options.progress = [&bar](const Progress& progress) {
    bar.update(progress);
    return true;
  };
  const auto start = std::chrono::steady_clock::now();
  const auto result = convert_model(*runtime, *in, args.out, args.options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  bar.clear();
  if (!result) return report(result.error());
  if (args.verbose || (args.options.dry_run && !args.json)) note_tensors(*result);
  note_fallbacks(*result);
  if (args.json) {
    print(dump(result_json(*result, seconds)));
  } else {
    note(bytes_text(result->from_bytes) + " -> " + bytes_text(result->to_bytes) + ", " +
         fixed(result->bits_per_weight, 2) + " bits per weight" +
         (args.options.dry_run ? ", nothing written" : ", " + fixed(seconds, 1) + " s"));
    for (const std::string& file : result->files) print(file + "\n");
  }
  return finish_output(kOk);
}

}  // namespace

void add_convert(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("convert", "Make a GGUF file of a Hugging Face folder");
  command->add_option("IN", args->in, "Folder with config.json, *.safetensors and a tokenizer; or a GGUF file")
      ->type_name("IN")
      ->required();
  command->add_option("OUT,--outfile", args->out, "New file (default: named after IN)")->type_name("OUT");
  command
      ->add_option("--outtype", args->options.type,
                   "Of the weights: f32, f16, bf16, q8_0, any type of `quern quantize --list`, or auto: f16 or bf16 as "
                   "in IN (auto)")
      ->type_name("TYPE");
  command->add_flag(
      "--dequantize", args->options.dequantize,
      "Weights that are quantized already become TYPE too; otherwise they stay as they are where GGUF has "
      "a type for them");
  command->add_flag("--allow-requantize", args->options.allow_requantize,
                    "Quantized weights may become a type of fewer bits");
  add_adapter_args(*command, args->adapters, "--merge-lora");
  command->add_option("--imatrix", args->options.imatrix, "Importance matrix (see quern imatrix)")->type_name("FILE");
  command->add_option("--model-name", args->options.model_name, "general.name of the new file")->type_name("NAME");
  command->add_flag("--vocab-only", args->options.vocab_only, "Metadata and tokenizer, no tensors");
  command->add_option("--split-max-size", args->split_max_size, "Several files, of at most this size each, e.g. 2G")
      ->type_name("SIZE");
  command
      ->add_option("--split-max-tensors", args->options.split_max_tensors, "Several files, of at most N tensors each")
      ->type_name("N");
  command->add_option("--override-kv", args->options.override_kv, "Metadata of the new file; may be repeated")
      ->type_name("KEY=TYPE:VALUE");
  command->add_flag("--dry-run", args->options.dry_run, "Say what would be done, write nothing");
  command->add_option("-t,--threads", args->runtime.n_threads, "Threads (0: the physical cores this process may use)")
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
  command->add_flag("-v,--verbose", args->verbose, "A line for each tensor");
  command->add_flag("--json", args->json, "Print one JSON document");
  add_examples(
      *command,
      "  quern convert Qwen3-0.6B                             writes Qwen3-0.6B.gguf, in the folder's 16 bits\n"
      "  quern convert Qwen3-0.6B small.gguf --outtype Q4_K_M\n"
      "  quern convert gpt-oss-20b --outfile oss.gguf         experts stay in MXFP4\n"
      "  quern convert Qwen3-0.6B tuned.gguf --lora adapter   with the adapter merged into the weights\n"
      "  quern convert model-Q4_K_M.gguf model-f32.gguf --outtype f32 --dequantize\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
