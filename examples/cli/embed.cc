// quern embed: texts to vectors, in the forms that llama-embedding prints.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

const std::map<std::string, Pooling> kPoolings = {
    {"none", Pooling::none}, {"mean", Pooling::mean}, {"cls", Pooling::cls},
    {"last", Pooling::last}, {"rank", Pooling::rank},
};

struct Args {
  ModelArgs model;
  AdapterArgs adapters;
  std::string prompt, file, pooling, format, separator = "\n";
  int32_t normalize = 2;
  uint32_t n_batch = 0;
  bool has_prompt = false, json = false;
};

/// A text's vector, or one of its tokens'.
using Row = std::span<const float>;

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> out;
  for (size_t begin = 0;;) {
    const size_t end = separator.empty() ? std::string::npos : text.find(separator, begin);
    out.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
    if (end == std::string::npos) return out;
    begin = end + separator.size();
  }
}

/// With 7 decimals, or none where the numbers are as large as 32760.
std::string decimals(float value, int32_t normalize) {
  return fixed(static_cast<double>(value), normalize == 0 ? 0 : 7);
}

/// The shortest text that reads as the same float.
std::string exact(float value, int32_t) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

template <class Print>
std::string joined(Row row, int32_t normalize, const char* between, Print&& number) {
  std::string out;
  for (size_t i = 0; i < row.size(); ++i) out += (i == 0 ? "" : between) + number(row[i], normalize);
  return out;
}

std::string array_text(const std::vector<Row>& rows, int32_t normalize) {
  std::string out;
  for (const Row row : rows) out += (out.empty() ? "[[" : ",[") + joined(row, normalize, ",", decimals) + "]";
  return out + "]\n";
}

std::string raw_text(const std::vector<Row>& rows, int32_t normalize) {
  std::string out;
  for (const Row row : rows) out += joined(row, normalize, " ", decimals) + "\n";
  return out;
}

/// As the OpenAI interface answers; with the cosines of all pairs behind it.
std::string list_text(const std::vector<Row>& rows, int32_t normalize, bool cosines) {
  std::string out = "{\n  \"object\": \"list\",\n  \"data\": [\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    out += "    {\n      \"object\": \"embedding\",\n      \"index\": " + std::to_string(i) +
           ",\n      \"embedding\": [" + joined(rows[i], normalize, ",", decimals) + "]\n    }" +
           (i + 1 < rows.size() ? ",\n" : "\n");
  }
  out += "  ]";
  if (cosines && rows.size() > 1) {
    out += ",\n  \"cosineSimilarity\": [\n";
    for (size_t i = 0; i < rows.size(); ++i) {
      out += "    [";
      for (size_t j = 0; j < rows.size(); ++j)
        out += (j == 0 ? "" : ", ") + fixed(cosine_similarity(rows[i], rows[j]), 2);
      out += i + 1 < rows.size() ? "],\n" : "]\n";
    }
    out += "  ]";
  }
  return out + "\n}\n";
}

/// One line with everything, the numbers exactly.
std::string json_text(const std::vector<Row>& rows, const Embedder& embedder, const std::vector<Embedding>& embeddings,
                      const std::string& pooling) {
  size_t n_tokens = 0;
  for (const Embedding& one : embeddings) n_tokens += one.n_tokens;
  std::string out = R"({"object":"list","data":[)";
  for (size_t i = 0; i < rows.size(); ++i) {
    out += (i == 0 ? "" : ",") + std::string(R"({"object":"embedding","index":)") + std::to_string(i) +
           R"(,"embedding":[)" + joined(rows[i], 0, ",", exact) + "]}";
  }
  return out + R"(],"pooling":")" + pooling + R"(","n_embd":)" + std::to_string(embedder.n_embd()) +
         R"(,"usage":{"prompt_tokens":)" + std::to_string(n_tokens) + R"(,"total_tokens":)" + std::to_string(n_tokens) +
         "}}\n";
}

/// The first numbers of each, and how near the texts are to each other.
std::string people_text(const std::vector<Row>& rows, int32_t normalize, bool cosines,
                        const std::vector<std::string>& texts) {
  std::string out;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row shown = rows.size() > 1 ? rows[i].first(std::min<size_t>(rows[i].size(), 8)) : rows[i];
    out += "embedding " + std::to_string(i) + ": " + joined(shown, normalize, " ", decimals) +
           (shown.size() < rows[i].size() ? " ...\n" : "\n");
  }
  if (!cosines || rows.size() < 2) return out;
  out += "\ncosine similarity:\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const Row other : rows) {
      const std::string value = fixed(cosine_similarity(rows[i], other), 2);
      out += std::string(value.size() < 6 ? 6 - value.size() : 0, ' ') + value;
    }
    out += "  " + texts[i].substr(0, 40) + "\n";
  }
  return out;
}

Result<std::vector<std::string>> read_texts(const Args& args) {
  std::string text = args.prompt;
  if (!args.file.empty() || args.prompt == "-") {
    auto content = read_text(args.file.empty() ? "-" : args.file);
    if (!content) return content.error();
    text = std::move(*content);
    if (!text.empty() && text.back() == '\n') text.pop_back();
  }
  return split(text, args.separator);
}

int print_embeddings(const Args& args, const Embedder& embedder, const std::vector<Embedding>& embeddings,
                     const std::vector<std::string>& texts) {
  std::vector<Row> rows;
  for (const Embedding& one : embeddings) {
    for (size_t i = 0; i < one.n_rows; ++i) rows.push_back(one.row(i));
  }
  const bool pooled = embedder.pooling() != Pooling::none;
  const auto is_used = [&](const auto& entry) { return entry.second == embedder.pooling(); };
  const std::string& pooling = std::find_if(kPoolings.begin(), kPoolings.end(), is_used)->first;
  if (args.json) {
    print(json_text(rows, embedder, embeddings, pooling));
  } else if (args.format == "array") {
    print(array_text(rows, args.normalize));
  } else if (args.format == "raw") {
    print(raw_text(rows, args.normalize));
  } else if (!args.format.empty()) {
    print(list_text(rows, args.normalize, args.format == "json+"));
  } else {
    print(people_text(rows, args.normalize, pooled, texts));
  }
  return finish_output(kOk);
}

int run(const Args& args) {
  if (!args.has_prompt && args.file.empty())
    return report_usage("no text: give -p TEXT, -p - (standard input) or -f FILE");
  const auto texts = read_texts(args);
  if (!texts) return report(texts.error());
  auto model = open_model(args.model);
  if (!model) return report(model.error());
  EmbedderOptions options;
  if (!args.pooling.empty()) options.pooling = kPoolings.at(args.pooling);
  options.normalize = args.normalize;
  options.n_batch = args.n_batch;
  auto adapters = open_adapters(*model, args.adapters);
  if (!adapters) return report(adapters.error());
  options.adapters = std::move(*adapters);
  auto embedder = Embedder::create(*model, options);
  if (!embedder) return report(embedder.error());
  ProgressBar bar;
  EmbedOptions call;
  call.cancel = catch_interrupts();
  call.progress = [&bar](const Progress& progress) {
    bar.update(progress);
    return true;
  };
  const auto embeddings = embedder->embed(*texts, call);
  bar.clear();
  if (!embeddings) return report(embeddings.error());
  return print_embeddings(args, *embedder, *embeddings, *texts);
}

}  // namespace

void add_embed(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("embed", "Turn texts into vectors that tell how near they are in meaning");
  add_model_args(*command, args->model);
  add_adapter_args(*command, args->adapters);
  command->add_option("-p,--prompt", args->prompt, "The texts, one a line; - reads them from the standard input")
      ->type_name("TEXT");
  command->add_option("-f,--file", args->file, "Read the texts from a file")->type_name("FILE");
  command
      ->add_option("--pooling", args->pooling,
                   "How tokens' vectors become one: none, mean, cls, last (what the file says, else none)")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"none", "mean", "cls", "last", "rank"}));
  command
      ->add_option("--embd-normalize", args->normalize,
                   "-1: none, 0: largest magnitude 32760, 1: sum of magnitudes, 2: length, p > 2: p-norm (2)")
      ->type_name("N")
      ->check(CLI::Range(-1, 1 << 20));
  command->add_option("--embd-separator", args->separator, "What stands between texts (the end of a line)")
      ->type_name("TEXT");
  command
      ->add_option("--embd-output-format", args->format,
                   "array, json (as from OpenAI), json+ (with cosines), raw (a line each); else for people")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"array", "json", "json+", "raw"}));
  command->add_option("-b,--batch-size", args->n_batch, "Tokens of the longest text (0: the model's training context)")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 20));
  command->add_flag("--json", args->json, "Print one JSON document on a line, with exact numbers and the tokens used");
  add_examples(*command,
               "  quern embed bge-small.gguf -p \"A man is playing a guitar.\" --embd-output-format raw\n"
               "  quern embed embeddinggemma.gguf -f sentences.txt --embd-output-format json+\n"
               "  quern embed demo --pooling mean -p \"the hidden states of a language model\" --json\n");
  command->callback([args, command, &action] {
    args->has_prompt = command->count("--prompt") > 0;
    action = [args] { return run(*args); };
  });
}

}  // namespace quern::cli
