// quern imatrix: which input columns of a model's weights matter, measured on a text.
#include <cmath>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

struct Args {
  ModelArgs model;
  std::string file, output, format;
  std::vector<std::string> in_files;
  uint32_t n_ctx = 512, n_batch = 512, first_chunk = 0, output_frequency = 10;
  int32_t chunks = -1;
  bool process_output = false, parse_special = false, show_statistics = false, json = false;

  /// Without a text, and with nothing to do but to look: no file is written.
  bool only_looks() const { return file.empty() && output.empty() && show_statistics; }
  std::string path() const { return output.empty() ? "imatrix.gguf" : output; }
  ImatrixFormat output_format() const {
    const bool dat = format == "dat" || (format.empty() && path().ends_with(".dat"));
    return dat ? ImatrixFormat::dat : ImatrixFormat::gguf;
  }
};

/// Numbers of every size in ten columns.
std::string number_text(double value) {
  if (std::isnan(value)) return "-";
  if (value != 0 && (std::fabs(value) < 1e-3 || std::fabs(value) >= 1e7)) {
    const int exponent = static_cast<int>(std::floor(std::log10(std::fabs(value))));
    return fixed(value / std::pow(10, exponent), 3) + "e" + std::to_string(exponent);
  }
  return fixed(value, 4);
}

std::string cell(const std::string& text, size_t width) {
  return (text.size() < width ? std::string(width - text.size(), ' ') : " ") + text;
}

void print_statistics(const Imatrix& imatrix) {
  constexpr size_t kWidth = 12;
  const auto tensors = imatrix.statistics();
  size_t longest = 6;
  for (const auto& tensor : tensors) longest = std::max(longest, tensor.name.size());
  const auto line = [&](const std::string& name, const std::vector<std::string>& cells) {
    std::string text = name + std::string(longest - name.size(), ' ');
    for (const auto& each : cells) text += cell(each, kWidth);
    print(text + "\n");
  };
  line("tensor",
       {"columns", "sum E[x^2]", "min", "max", "mean", "stddev", "active %", "entropy", "E norm", "ZD %", "cosine"});
  for (const auto& t : tensors) {
    line(t.name, {std::to_string(t.n_values), number_text(t.sum), number_text(t.min), number_text(t.max),
                  number_text(t.mean), number_text(t.stddev), fixed(100 * t.active, 2), number_text(t.entropy),
                  number_text(t.normalized_entropy), fixed(100 * t.zd_score, 2), number_text(t.cosine)});
  }
  print("\nby layer, each weight as heavy as it has columns\n");
  line("layer", {"sum E[x^2]", "ZD %", "cosine"});
  for (const auto& layer : imatrix.layer_statistics()) {
    line(std::to_string(layer.layer),
         {number_text(layer.sum), fixed(100 * layer.zd_score, 2), number_text(layer.cosine)});
  }
}

nlohmann::ordered_json statistics_json(const Imatrix& imatrix) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& t : imatrix.statistics()) {  // NaN becomes null
    out.push_back({{"tensor", t.name},
                   {"layer", t.layer},
                   {"columns", t.n_values},
                   {"sum", t.sum},
                   {"min", t.min},
                   {"max", t.max},
                   {"mean", t.mean},
                   {"stddev", t.stddev},
                   {"active", t.active},
                   {"entropy", t.entropy},
                   {"normalized_entropy", t.normalized_entropy},
                   {"zd_score", t.zd_score},
                   {"cosine", t.cosine}});
  }
  return out;
}

Status collect(const Args& args, Imatrix& imatrix) {
  auto text = read_text(args.file);
  if (!text) return text.error();
  auto model = open_model(args.model);
  if (!model) return model.error();
  const auto tokens = model->tokenizer().tokenize(*text, {true, args.parse_special});
  ProgressBar bar;
  ImatrixOptions options;
  options.n_ctx = args.n_ctx;
  options.n_batch = args.n_batch;
  options.first_chunk = args.first_chunk;
  options.max_chunks = args.chunks;
  options.process_output = args.process_output;
  options.dataset = args.file;
  options.cancel = catch_interrupts();
  options.progress = [&bar](const Progress& progress) {
    bar.update(progress);
    return true;
  };
  Status saved;
  options.on_chunk = [&](uint32_t n_chunks) {
    if (args.output_frequency > 0 && n_chunks % args.output_frequency == 0 && saved)
      saved = imatrix.save(args.path(), args.output_format());
    if (!saved) options.cancel.cancel();  // rather now than after hours
  };
  const Status status = imatrix.collect(*model, tokens, options);
  bar.clear();
  return saved ? status : saved;
}

int finish(const Args& args, const Imatrix& imatrix, int code) {
  if (!args.only_looks()) {
    if (Status status = imatrix.save(args.path(), args.output_format()); !status) return report(status.error());
  }
  if (args.json) {
    nlohmann::ordered_json json = {{"tensors", imatrix.n_tensors()},
                                   {"chunks", imatrix.n_chunks()},
                                   {"chunk_size", imatrix.chunk_size()},
                                   {"datasets", imatrix.datasets()}};
    if (!args.only_looks()) json["output"] = args.path();
    if (args.show_statistics) json["statistics"] = statistics_json(imatrix);
    print(dump(json));
  } else if (args.show_statistics) {
    print_statistics(imatrix);
  }
  if (!args.only_looks() && !args.json) {
    note(args.path() + ": " + std::to_string(imatrix.n_tensors()) + " tensors, " + std::to_string(imatrix.n_chunks()) +
         " chunks of " + std::to_string(imatrix.chunk_size()) + " tokens");
  }
  return finish_output(code);
}

int run(const Args& args) {
  if (args.file.empty() && args.in_files.empty())
    return report_usage("no text: give -f FILE (or -f - for the standard input), or --in-file");
  Imatrix imatrix;
  for (const auto& path : args.in_files) {
    const auto one = Imatrix::open(path);
    if (!one) return report(one.error());
    if (Status status = imatrix.merge(*one); !status) return report(status.error());
  }
  if (args.file.empty()) return finish(args, imatrix, kOk);
  const uint32_t before = imatrix.n_chunks();
  const Status status = collect(args, imatrix);
  if (status) return finish(args, imatrix, kOk);
  const bool keeps = status.error().code == Errc::cancelled && imatrix.n_chunks() > before;
  if (!keeps) return report(status.error());
  note("quern: stopped after " + std::to_string(imatrix.n_chunks() - before) + " chunks, which are kept");
  return finish(args, imatrix, kFailed);
}

void add_output_args(CLI::App& command, Args& args) {
  command.add_option("-o,--output,--output-file", args.output, "Where the matrix goes (imatrix.gguf)")
      ->type_name("FILE");
  command.add_option("--output-format", args.format, "gguf, or dat: the older form (gguf, unless FILE ends with .dat)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"gguf", "dat"}));
  command
      .add_option("--output-frequency", args.output_frequency, "-ofreq: save after every N chunks; 0: at the end (10)")
      ->type_name("N");
  command.add_flag("--show-statistics", args.show_statistics, "Print what the matrix says about each tensor and layer");
  command.add_flag("--json", args.json, "Print one JSON document: tensors, chunks, chunk_size, datasets, output");
}

}  // namespace

void add_imatrix(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("imatrix", "Measure which weights matter, for better quantization");
  add_model_args(*command, args->model);
  command->add_option("-f,--file", args->file, "The text: like what the model will be used for")->type_name("FILE");
  command->add_option("--in-file", args->in_files, "Begin with this matrix; several are added up")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command->add_option("-c,--ctx-size", args->n_ctx, "Tokens of a chunk (512)")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 30));
  command->add_option("-b,--batch-size", args->n_batch, "Tokens of one pass (512)")
      ->type_name("N")
      ->check(CLI::Range(1, 65536));
  command->add_option("--chunk,--from-chunk", args->first_chunk, "Skip this many chunks (0)")->type_name("N");
  command->add_option("--chunks", args->chunks, "Chunks to read (-1: all whole ones)")->type_name("N");
  command->add_flag("--process-output", args->process_output, "Also measure the weight that makes the logits");
  command->add_flag("--parse-special", args->parse_special, "Read control tokens written out in the text");
  add_output_args(*command, *args);
  add_examples(*command,
               "  quern imatrix model-f16.gguf -f calibration.txt -o imatrix.gguf\n"
               "  quern quantize model-f16.gguf IQ3_XXS --imatrix imatrix.gguf       what it is for\n"
               "  quern imatrix --in-file a.gguf --in-file b.gguf -o both.gguf\n"
               "  quern imatrix --in-file old.dat -o new.gguf\n"
               "  quern imatrix --in-file imatrix.gguf --show-statistics\n"
               "Ctrl-C saves what the whole chunks so far have given.\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
