// quern inspect: what is in a model file.
#include <algorithm>
#include <map>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/model_args.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

struct Args {
  ModelArgs model;
  bool json = false, tensors = false, footprint = false;
};

struct TypeSum {
  uint64_t count = 0, elements = 0, bytes = 0;
};

std::map<std::string, TypeSum> sum_by_type(const std::vector<TensorInfo>& tensors) {
  std::map<std::string, TypeSum> out;
  for (const auto& tensor : tensors) {
    TypeSum& sum = out[tensor.type];
    uint64_t elements = 1;
    for (const uint64_t length : tensor.shape) elements *= length;
    ++sum.count;
    sum.elements += elements;
    sum.bytes += tensor.size_bytes;
  }
  return out;
}

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string out;
  for (const uint64_t length : shape) out += (out.empty() ? "" : " x ") + std::to_string(length);
  return out;
}

void print_json(const Model& model, bool with_footprint) {
  const ModelInfo& info = model.info();
  const auto tensors = model.tensors();
  nlohmann::ordered_json json = {{"path", info.path},
                                 {"name", info.name},
                                 {"architecture", info.architecture},
                                 {"file_type", info.file_type},
                                 {"n_parameters", info.n_parameters},
                                 {"size_bytes", info.size_bytes},
                                 {"n_vocab", info.n_vocab},
                                 {"n_embd", info.n_embd},
                                 {"n_layer", info.n_layer},
                                 {"n_head", info.n_head},
                                 {"n_head_kv", info.n_head_kv},
                                 {"n_ff", info.n_ff},
                                 {"n_ctx_train", info.n_ctx_train},
                                 {"chat_template", model.chat_template()}};
  if (with_footprint) json["footprint"] = footprint_json(model.footprint());
  auto& metadata = json["metadata"] = nlohmann::ordered_json::object();
  for (const auto& [key, value] : model.metadata()) metadata[key] = value;
  auto& types = json["types"] = nlohmann::ordered_json::object();
  for (const auto& [type, sum] : sum_by_type(tensors)) {
    types[type] = {{"tensors", sum.count}, {"elements", sum.elements}, {"bytes", sum.bytes}};
  }
  auto& list = json["tensors"] = nlohmann::ordered_json::array();
  for (const auto& tensor : tensors) {
    list.push_back(
        {{"name", tensor.name}, {"type", tensor.type}, {"shape", tensor.shape}, {"size_bytes", tensor.size_bytes}});
  }
  print(dump(json));
}

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

/// One line of text, of what may be long or have control characters.
std::string one_line(const std::string& text) {
  constexpr size_t kWidth = 100;
  std::string out;
  for (const char c : text) {
    if (out.size() >= kWidth && (static_cast<unsigned char>(c) & 0xC0) != 0x80) return out + "...";
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 32 || c == 127) {
      out += '?';
    } else {
      out += c;
    }
  }
  return out;
}

void print_footprint(const Footprint& f) {
  const auto line = [](const char* name, uint64_t bytes) { print("  " + padded(name, 36) + bytes_text(bytes) + "\n"); };
  print("\nin memory\n");
  line("matrices", f.matrix_bytes);
  line("norms and biases", f.vector_bytes);
  line("tables, read from the file by rows", f.table_bytes);
  if (f.kept_bytes > 0) line("matrices, read from the file", f.kept_bytes);
  line("together", f.total_bytes);
  line(f.file_mapped ? "the file, mapped" : "the file, read into memory", f.file_bytes);
}

void print_text(const Model& model, bool with_tensors, bool with_footprint) {
  const ModelInfo& info = model.info();
  const auto tensors = model.tensors();
  const auto line = [](const char* name, const std::string& value) {
    print(padded(name, 14) + one_line(value) + "\n");
  };
  line("file", info.path);
  if (!info.name.empty()) line("name", info.name);
  line("architecture", info.architecture);
  line("parameters", count_text(info.n_parameters));
  line("tensors", std::to_string(tensors.size()) + ", " + bytes_text(info.size_bytes));
  line("context", std::to_string(info.n_ctx_train) + " tokens in training");
  line("shape", std::to_string(info.n_layer) + " layers, " + std::to_string(info.n_embd) + " wide, " +
                    std::to_string(info.n_head) + " heads (" + std::to_string(info.n_head_kv) +
                    " key-value), feed-forward " + std::to_string(info.n_ff));
  line("vocabulary", std::to_string(info.n_vocab) + " tokens");
  print("\nweights by type\n");
  for (const auto& [type, sum] : sum_by_type(tensors)) {
    const double bits = sum.elements > 0 ? 8.0 * static_cast<double>(sum.bytes) / static_cast<double>(sum.elements) : 0;
    print("  " + padded(type, 10) + padded(std::to_string(sum.count) + " tensors", 14) +
          padded(bytes_text(sum.bytes), 12) + fixed(bits, 2) + " bits each\n");
  }
  if (with_footprint) print_footprint(model.footprint());
  print("\nmetadata\n");
  for (const auto& [key, value] : model.metadata())
    print("  " + padded(one_line(key), 40) + " " + one_line(value) + "\n");
  if (!with_tensors) {
    note(dim("--tensors lists the tensors, --json prints everything"));
    return;
  }
  print("\ntensors\n");
  for (const auto& tensor : tensors) {
    print("  " + padded(one_line(tensor.name), 32) + padded(tensor.type, 10) + shape_text(tensor.shape) + "\n");
  }
}

int run(const Args& args) {
  auto model = open_model(args.model, !args.footprint);
  if (!model) return report(model.error());
  if (args.json) {
    print_json(*model, args.footprint);
  } else {
    print_text(*model, args.tensors, args.footprint);
  }
  return finish_output(kOk);
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("inspect", "Show what is in a model file");
  add_model_args(*command, args->model, false);
  command->add_flag("--tensors", args->tensors, "List the tensors too");
  command->add_flag("--footprint", args->footprint, "Open the whole model, and say what its weights take in memory");
  command->add_flag("--json", args->json, "Print one JSON document with everything");
  add_examples(*command,
               "  quern inspect demo\n  quern inspect model.gguf --json | jq .types\n"
               "  quern inspect model.gguf --footprint --quantize Q4_K\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
