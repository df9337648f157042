#include "examples/store/card.h"

#include <quern/check.h>
#include <quern/convert.h>
#include <quern/model.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "examples/store/files.h"
#include "examples/store/manifest.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

using Json = nlohmann::ordered_json;

/// general.file_type of GGUF: llama.cpp's list of mixes (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
constexpr std::pair<uint32_t, std::string_view> kFileTypes[] = {
    {0, "F32"},     {1, "F16"},     {2, "Q4_0"},     {3, "Q4_1"},    {7, "Q8_0"},    {8, "Q5_0"},    {9, "Q5_1"},
    {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},  {13, "Q3_K_L"}, {14, "Q4_K_S"}, {15, "Q4_K_M"}, {16, "Q5_K_S"},
    {17, "Q5_K_M"}, {18, "Q6_K"},   {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"}, {22, "IQ3_XS"}, {23, "IQ3_XXS"},
    {24, "IQ1_S"},  {25, "IQ4_NL"}, {26, "IQ3_S"},   {27, "IQ3_M"},  {28, "IQ2_S"},  {29, "IQ2_M"},  {30, "IQ4_XS"},
    {31, "IQ1_M"},  {32, "BF16"},   {36, "TQ1_0"},   {37, "TQ2_0"},  {38, "MXFP4"},
};

uint64_t number_of(const Model& model, const std::string& key) {
  const auto text = model.metadata(key);
  uint64_t value = 0;
  if (!text) return 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  return error == std::errc() && end == text->data() + text->size() ? value : 0;
}

std::string quantization_of(const Model& model) {
  if (model.metadata("general.file_type")) {
    const uint64_t type = number_of(model, "general.file_type");
    for (const auto& [number, name] : kFileTypes) {
      if (number == type) return std::string(name);
    }
  }
  return model.info().file_type;
}

Result<Runtime> small_runtime() {
  RuntimeOptions options;
  options.n_threads = 1;
  return Runtime::create(options);
}

/// Metadata only: neither weights nor more than one thread are needed.
Result<Model> open_metadata(const std::string& path) {
  QUERN_TRY(Runtime runtime, small_runtime());
  ModelOptions options;
  options.runtime = std::move(runtime);
  options.vocab_only = true;
  return Model::open(path, options);
}

/// A Hugging Face folder, of which a model opened for its metadata has the tokenizer alone.
struct Folder {
  std::string architecture, file_type;
  uint64_t n_parameters = 0, context_length = 0, embedding_length = 0;
};

Result<Folder> read_folder(const std::string& path) {
  Folder out;
  QUERN_TRY(Runtime runtime, small_runtime());
  CheckOptions check;
  check.runtime = runtime;
  QUERN_TRY(const CheckReport report, check_model(path, check));
  // A folder that does not run here for want of memory or of an architecture is a model all the same.
  for (const auto& problem : report.problems) {
    if (problem.fatal && problem.part == CheckPart::file) return problem.error;
  }
  out.architecture = report.architecture;
  out.file_type = report.file_type;
  ConvertOptions convert;
  convert.dry_run = true;
  convert.type = "f16";
  if (const auto plan = convert_model(runtime, path, {}, convert)) {
    for (const auto& tensor : plan->tensors) {
      uint64_t n = 1;
      for (const uint64_t extent : tensor.shape) n *= extent;
      out.n_parameters += n;
    }
  }
  QUERN_TRY(const std::string text, read_file(std::filesystem::path(path) / "config.json", kMaxConfigBytes));
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto number = [&json](const char* key) -> uint64_t {
    for (const auto* part : {&json, json.is_object() && json.contains("text_config") ? &json["text_config"] : &json}) {
      if (part->is_object() && part->contains(key) && (*part)[key].is_number_unsigned())
        return (*part)[key].get<uint64_t>();
    }
    return 0;
  };
  out.context_length = number("max_position_embeddings");
  out.embedding_length = number("hidden_size");
  return out;
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

bool is_encoder(const Model& model, const std::string& architecture) {
  constexpr std::array<std::string_view, 8> kEncoders = {"bert",        "nomic-bert",    "modern-bert",
                                                         "eurobert",    "jina-bert-v3",  "gemma-embedding",
                                                         "llama-embed", "nomic-bert-moe"};
  return model.metadata(architecture + ".pooling_type").has_value() ||
         std::find(kEncoders.begin(), kEncoders.end(), architecture) != kEncoders.end();
}

std::vector<std::string> capabilities_of(const Model& model, const std::string& architecture,
                                         const StoredModel& stored) {
  std::vector<std::string> out;
  const std::string& source = model.chat_template();
  const auto mentions = [](const std::string& text, std::string_view word) {
    return text.find(word) != std::string::npos;
  };
  if (is_encoder(model, architecture)) {
    out.emplace_back("embedding");
    return out;
  }
  out.emplace_back("completion");
  if (mentions(source, "tools") || mentions(stored.tmpl, ".Tools")) out.emplace_back("tools");
  const bool infill =
      model.metadata("tokenizer.ggml.fim_pre_token_id") || model.metadata("tokenizer.ggml.prefix_token_id");
  if (infill || mentions(stored.tmpl, ".Suffix")) out.emplace_back("insert");
  if (!stored.projectors.empty()) out.emplace_back("vision");
  const bool thinks = mentions(source, "enable_thinking") || mentions(source, "<think>") ||
                      mentions(source, "reasoning_content") || mentions(stored.tmpl, ".Thinking");
  if (thinks) out.emplace_back("thinking");
  return out;
}

/// The text form of a value as JSON: numbers and booleans as such. Long arrays, which the text form cuts, become null.
Json value_json(const std::string& key, const std::string& text) {
  // Lists of tokens and the like.
  if (!text.empty() && text[0] == '[') return nullptr;
  const auto json = Json::parse(text, nullptr, false);
  const bool number_like = json.is_number() || json.is_boolean();
  return number_like && key.find("template") == std::string::npos ? json : Json(text);
}

Json model_info(const Model& model) {
  Json out = Json::object();
  for (const auto& [key, text] : model.metadata()) {
    if (key != "tokenizer.chat_template") out[key] = value_json(key, text);
  }
  return out;
}

}  // namespace

std::string parameter_size_text(uint64_t n) {
  constexpr std::pair<uint64_t, char> kUnits[] = {
      {1'000'000'000'000, 'T'}, {1'000'000'000, 'B'}, {1'000'000, 'M'}, {1'000, 'K'}};
  for (const auto& [unit, letter] : kUnits) {
    if (n < unit) continue;
    // Millions and thousands as whole numbers from a hundred up, as in Ollama's lists: "494.03M" is written there too.
    const double value = static_cast<double>(n) / static_cast<double>(unit);
    char digits[64];
    const int decimals = letter == 'M' || letter == 'K' ? 2 : 1;
    std::string out(digits,
                    std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, decimals).ptr);
    if (out.find('.') != std::string::npos) {
      while (out.back() == '0') out.pop_back();
      if (out.back() == '.') out.pop_back();
    }
    return out + letter;
  }
  return std::to_string(n);
}

Result<Details> read_details(const std::string& path) {
  Details out;
  uint64_t n_parameters = 0;
  if (is_folder(path)) {
    QUERN_TRY(const Folder folder, read_folder(path));
    out.format = "safetensors";
    out.family = folder.architecture;
    out.quantization_level = folder.file_type;
    n_parameters = folder.n_parameters;
  } else {
    QUERN_TRY(const Model model, open_metadata(path));
    out.format = "gguf";
    out.family = model.info().architecture;
    out.quantization_level = quantization_of(model);
    n_parameters = model.info().n_parameters;
  }
  if (!out.family.empty()) out.families = {out.family};
  if (n_parameters > 0) out.parameter_size = parameter_size_text(n_parameters);
  return out;
}

Result<Card> read_card(const StoredModel& stored) {
  QUERN_TRY(const Model model, open_metadata(stored.path));
  Card out;
  Json info = model_info(model);
  out.chat_template = model.chat_template();
  if (is_folder(stored.path)) {
    QUERN_TRY(const Folder folder, read_folder(stored.path));
    out.architecture = folder.architecture;
    out.n_parameters = folder.n_parameters;
    out.quantization = folder.file_type;
    out.context_length = folder.context_length;
    out.embedding_length = folder.embedding_length;
    info["general.architecture"] = folder.architecture;
    if (folder.context_length > 0) info[folder.architecture + ".context_length"] = folder.context_length;
    if (folder.embedding_length > 0) info[folder.architecture + ".embedding_length"] = folder.embedding_length;
  } else {
    out.architecture = model.info().architecture;
    out.n_parameters = model.info().n_parameters;
    out.quantization = quantization_of(model);
    out.context_length = number_of(model, out.architecture + ".context_length");
    out.embedding_length = number_of(model, out.architecture + ".embedding_length");
  }
  if (!info.contains("general.parameter_count")) info["general.parameter_count"] = out.n_parameters;
  out.model_info_json = info.dump(-1, ' ', false, Json::error_handler_t::replace);
  out.capabilities = capabilities_of(model, out.architecture, stored);
  return out;
}

}  // namespace quern::store
