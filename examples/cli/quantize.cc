// quern quantize: a model file into one of fewer bits.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"
#include "examples/cli/quantize_report.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

struct Args {
  std::string in;
  std::vector<std::string> rest;  ///< [OUT] TYPE [THREADS]
  ModelArgs runtime;
  std::vector<std::string> tensor_types, tensor_type_files;
  std::string calibration_file, report_file, target_size;
  QuantizeOptions options;
  bool json = false, list = false, verbose = false;
};

bool same_name(const std::string& given, const std::string& name) {
  const auto same = [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; };
  return std::equal(given.begin(), given.end(), name.begin(), name.end(), same);
}

bool names_type(const std::string& name) {
  if (name == "COPY" || name == "copy") return true;
  const auto types = quantization_types();
  return std::any_of(types.begin(), types.end(),
                     [&](const QuantizationType& type) { return same_name(name, type.name); });
}

bool makes_folder(const std::string& type) {
  const auto types = quantization_types();
  return std::any_of(types.begin(), types.end(),
                     [&](const QuantizationType& known) { return known.makes_folder && same_name(type, known.name); });
}

/// "model-F16.gguf" and "Q4_K_M" make "model-Q4_K_M.gguf".
std::string default_output(std::string in, const std::string& type) {
  while (in.size() > 1 && in.back() == '/') in.pop_back();
  if (makes_folder(type)) return in + "-" + type;
  if (in.ends_with(".gguf")) in.resize(in.size() - 5);
  for (const char* suffix : {"-F32", "-f32", "-F16", "-f16", "-BF16", "-bf16", ".f16", ".F16"}) {
    if (!in.ends_with(suffix)) continue;
    in.resize(in.size() - std::string_view(suffix).size());
    break;
  }
  return in + "-" + type + ".gguf";
}

/// The words after IN into `out`, the type and the threads; a message where they make no sense.
std::string read_words(Args& args, std::string& out) {
  std::vector<std::string>& words = args.rest;
  const auto is_number = [](const std::string& s) {
    return !s.empty() && s.size() < 5 && s.find_first_not_of("0123456789") == std::string::npos;
  };
  if (words.size() > 1 && is_number(words.back()) && (words.size() == 3 || names_type(words[words.size() - 2]))) {
    args.runtime.n_threads = std::stoi(words.back());
    words.pop_back();
  }
  const bool by_size = !args.target_size.empty() || args.options.target_bpw > 0;
  if (by_size && words.size() == 1 && !names_type(words[0])) {  // OUT alone: the size says the rest
    out = words[0];
    return {};
  }
  if (words.empty() || words.size() > 2) return "expected IN [OUT] TYPE [THREADS]";
  args.options.type = words.back();
  out = words.size() == 2 ? words[0] : default_output(args.in, words[0]);
  return {};
}

/// "REGEX=TYPE" lines and arguments.
std::string read_overrides(Args& args) {
  for (const std::string& path : args.tensor_type_files) {
    const auto text = read_text(path);
    if (!text) return text.error().message;
    for (size_t begin = 0; begin < text->size();) {
      const size_t end = std::min(text->find_first_of(" \t\r\n", begin), text->size());
      if (end > begin) args.tensor_types.push_back(text->substr(begin, end - begin));
      begin = end + 1;
    }
  }
  for (const std::string& word : args.tensor_types) {
    const size_t equals = word.rfind('=');
    if (equals == std::string::npos || equals == 0) return "--tensor-type " + word + ": expected REGEX=TYPE";
    args.options.tensor_types.push_back({word.substr(0, equals), word.substr(equals + 1)});
  }
  return {};
}

int list_types(bool json) {
  auto out = nlohmann::ordered_json::array();
  for (const QuantizationType& type : quantization_types()) {
    if (json) {
      out.push_back({{"name", type.name},
                     {"bits_per_weight", type.bits_per_weight},
                     {"needs_imatrix", type.needs_imatrix},
                     {"makes_folder", type.makes_folder},
                     {"description", type.description}});
      continue;
    }
    char line[256];
    std::snprintf(line, sizeof line, "%-12s %5s  %s%s\n", type.name.c_str(),
                  type.bits_per_weight > 0 ? fixed(type.bits_per_weight, 2).c_str() : "", type.description.c_str(),
                  type.needs_imatrix  ? " (needs --imatrix)"
                  : type.makes_folder ? " (makes a folder)"
                                      : "");
    print(line);
  }
  if (json) print(dump(out));
  return finish_output(kOk);
}

int run(Args& args) {
  if (args.list) return list_types(args.json);
  std::string out;
  if (const std::string message = read_words(args, out); !message.empty()) return report_usage(message);
  if (const std::string message = read_overrides(args); !message.empty()) return report_usage(message);
  if (!args.calibration_file.empty()) {
    auto text = read_text(args.calibration_file);
    if (!text) return report(text.error());
    args.options.calibration = std::move(*text);
  }
  if (!args.report_file.empty()) {
    auto text = read_text(args.report_file);
    if (!text) return report(text.error());
    args.options.report = std::move(*text);
  }
  if (!args.target_size.empty()) {
    args.options.target_size_bytes = size_of(args.target_size);
    if (args.options.target_size_bytes == 0)
      return report_usage("--target-size " + args.target_size + ": expected a size such as 4.2G");
  }
  const auto in = resolve_model(args.in);
  if (!in) return report(in.error());
  const auto runtime = create_runtime(args.runtime);
  if (!runtime) return report(runtime.error());
  ProgressBar bar;
  args.options.cancel = catch_interrupts();
  args.options.progress = [&bar](const Progress& progress) {
    bar.update(progress);
    return true;
  };
  const auto start = std::chrono::steady_clock::now();
  const auto result = quantize(*runtime, *in, out, args.options);
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
    if (result->quality) print_quality(*result->quality);
    for (const std::string& file : result->files) print(file + "\n");
  }
  return finish_output(kOk);
}

void add_tensor_args(CLI::App& command, Args& args) {
  command
      .add_option(
          "--tensor-type", args.tensor_types,
          "The type of tensors whose names match, e.g. 'ffn_down=q6_k'; may be repeated, the first match counts")
      ->type_name("REGEX=TYPE")
      ->allow_extra_args(false);  // one word each: what follows is IN
  command.add_option("--tensor-type-file", args.tensor_type_files, "A file of such words")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.add_option("--output-tensor-type", args.options.output_tensor_type, "The type of output.weight")
      ->type_name("TYPE");
  command.add_option("--token-embedding-type", args.options.token_embedding_type, "The type of token_embd.weight")
      ->type_name("TYPE");
  command.add_flag("--pure", args.options.pure, "All tensors in the one type of TYPE, no mix");
  command.add_flag("--leave-output-tensor", args.options.leave_output_tensor, "Leave output.weight as it is");
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("quantize", "Make a model file smaller: weights in fewer bits");
  command->add_option("IN", args->in, "GGUF file or Hugging Face folder with F32, F16 or BF16 weights")
      ->type_name("IN");
  command->add_option("OUT TYPE", args->rest, "New file or folder (default: named after IN), type (--list), threads")
      ->type_name("[OUT] TYPE [THREADS]")
      ->expected(0, 3);
  command->add_flag("--list", args->list, "List the types");
  command->add_option("--imatrix", args->options.imatrix, "Importance matrix (see quern imatrix)")->type_name("FILE");
  command
      ->add_option("--method", args->options.method,
                   "nearest, or gptq: levels chosen so that errors cancel out on --calibration (nearest)")
      ->type_name("METHOD");
  command
      ->add_option("--target-size", args->target_size,
                   "Choose types for the least loss in a file of this size, e.g. 4.2G")
      ->type_name("SIZE");
  command->add_option("--target-bpw", args->options.target_bpw, "The same, in bits per weight")
      ->type_name("BITS")
      ->check(CLI::Range(0.5, 32.0));
  command->add_option("--report", args->report_file, "Measure how far the new model is from its source on this text")
      ->type_name("FILE");
  command
      ->add_option("--report-chunks", args->options.report_chunks, "Read so many pieces of 512 tokens of it (0: all)")
      ->type_name("N");
  command
      ->add_option("--calibration", args->calibration_file,
                   "Text like what the model will read, for gptq and --target-...")
      ->type_name("FILE");
  command->add_option("--chunks", args->options.calibration_chunks, "Read so many pieces of 512 tokens of it (0: all)")
      ->type_name("N");
  add_tensor_args(*command, *args);
  command->add_option("--group-size", args->options.group_size, "GPTQ_INT4: so many columns share a scale (128)")
      ->type_name("N");
  command->add_flag("--asym{false},--sym{true}", args->options.symmetric,
                    "GPTQ_INT4: zero points fitted to the weights, or all in the middle (--sym)");
  command->add_flag("--allow-requantize", args->options.allow_requantize, "Take weights that are quantized already");
  command->add_flag("--keep-split", args->options.keep_split, "As many files as IN has");
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
      "  quern quantize model-F16.gguf Q4_K_M                 writes model-Q4_K_M.gguf\n"
      "  quern quantize model-F16.gguf small.gguf IQ4_XS --imatrix model.imatrix.gguf\n"
      "  quern quantize model-F16.gguf Q4_K_M --method gptq --calibration text.txt --report other.txt\n"
      "  quern quantize model-F16.gguf fits.gguf --target-size 4.2G --calibration text.txt\n"
      "  quern quantize hf-folder BNB_NF4                     a checkpoint for transformers: hf-folder-BNB_NF4\n"
      "  quern quantize hf-folder out-folder GPTQ_INT4 --method gptq --calibration text.txt\n"
      "  quern quantize model-F16.gguf Q4_K_M --tensor-type 'ffn_down=q6_k' --dry-run\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
