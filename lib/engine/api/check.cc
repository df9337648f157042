#include <quern/check.h>

#include <algorithm>
#include <array>

#include "lib/base/memory.h"
#include "lib/engine/api/impl.h"
#include "lib/engine/meta_text.h"
#include "lib/model/requantize.h"

namespace quern {
namespace {

constexpr uint32_t kUsualContext = 4096;  // tokens; few have a use for all that newer models were trained with
constexpr size_t kMaxNames = 64;

constexpr std::array<CheckPart, 5> kParts = {CheckPart::file, CheckPart::architecture, CheckPart::tokenizer,
                                             CheckPart::parameters, CheckPart::tensors};  // by model::OpenStep

void add_problem(CheckReport& report, CheckPart part, bool fatal, Error error) {
  CheckProblem problem;
  problem.part = part;
  problem.fatal = fatal;
  problem.error = std::move(error);
  report.problems.push_back(std::move(problem));
  ++report.n_problems;
}

/// The text of a key, or nothing where it is absent or no text.
std::string text_of(const io::MetaTable& meta, const char* key) {
  const auto text = meta.get_string(key);
  return text && *text != nullptr ? **text : std::string();
}

void describe_file(const model::LoadedModel& model, CheckReport& report) {
  const io::ModelFile& file = model.file;
  report.format = cat("GGUF v", file.version);
  report.architecture = model.architecture;
  report.architecture_known = model.spec != nullptr;
  report.tokenizer = text_of(file.meta, "tokenizer.ggml.model");
  report.pretokenizer = text_of(file.meta, "tokenizer.ggml.pre");
  report.tokenizer_known = model.tokenizer != nullptr;
  report.file_type = model.file_type;
  report.n_tensors = file.tensors.entries().size();
  for (const base::FileBytes& part : file.parts) report.file_bytes += part.bytes().size();
}

void describe_tensors(const model::Survey& survey, CheckReport& report) {
  report.n_unused = survey.plan.unused.size();
  for (size_t i = 0; i < std::min(survey.plan.unused.size(), kMaxNames); ++i)
    report.unused.push_back(survey.plan.unused[i]->name);
  report.n_skipped = survey.plan.skipped.size();
  report.n_skipped_layers = survey.model->hparams ? survey.model->hparams->n_layer_skipped : 0;
}

/// A template that does not parse keeps nobody from using the model without it.
void check_template(const model::LoadedModel& model, CheckReport& report) {
  const auto texts = engine::model_texts(model.file.meta);
  if (!texts) return add_problem(report, CheckPart::parameters, true, texts.error());
  report.has_chat_template = !texts->chat_template.empty();
  if (!report.has_chat_template) return;
  const auto compiled = chat::Template::compile(texts->chat_template);
  if (compiled) return;
  add_problem(report, CheckPart::chat_template, false,
              fail(compiled.error().code, model.file.path, ": chat template: ", compiled.error().message));
}

/// Of a model without faults.
Status check_memory(const model::Survey& survey, const CheckOptions& options, CheckReport& report) {
  const model::LoadedModel& model = *survey.model;
  const auto weights = model::weight_bytes(model.file, survey.plan.bindings, *model.backend, options.repack);
  if (!weights) {
    add_problem(report, CheckPart::tensors, true, weights.error());
    return {};
  }
  ContextOptions context = options.context;
  if (context.n_ctx == 0) context.n_ctx = std::min(model.hparams->n_ctx_train, kUsualContext);
  QUERN_TRY(const context::Context::Memory memory, context::Context::needed_memory(survey, context));
  report.n_ctx = memory.n_ctx;
  report.weight_bytes = *weights;
  report.cache_bytes = memory.cache_bytes;
  report.buffer_bytes = memory.buffer_bytes;
  report.needed_bytes =
      *weights + memory.cache_bytes + memory.buffer_bytes + (options.use_mmap ? 0 : report.file_bytes);
  report.available_bytes = base::available_memory_bytes();
  if (report.available_bytes > 0 && report.needed_bytes > report.available_bytes) {
    add_problem(report, CheckPart::memory, true,
                fail(Errc::memory, model.file.path, ": needs ", report.needed_bytes, " bytes of memory with ",
                     report.n_ctx, " tokens of context, but ", report.available_bytes, " are available"));
  }
  return {};
}

Result<CheckReport> check(const std::string& path, const engine::RuntimeState& state, const CheckOptions& options) {
  CheckReport report;
  report.path = path;
  report.backend = state.backend->description();
  model::OpenOptions open;
  open.use_mmap = options.use_mmap;
  open.log = state.log;
  open.load.repack = options.repack;
  QUERN_TRY(open.load.quantize, model::find_load_format(options.quantize, options.double_quant));
  const model::Survey survey = model::survey(path, *state.backend, open);
  for (const model::OpenFault& fault : survey.faults) {
    report.problems.push_back(
        {kParts[static_cast<size_t>(fault.step)], true, fault.error, fault.tensor, fault.missing});
  }
  report.n_problems = survey.n_faults;
  if (!survey.model->file.parts.empty()) {
    describe_file(*survey.model, report);
    describe_tensors(survey, report);
    check_template(*survey.model, report);
    if (survey.faults.empty()) QUERN_CHECK(check_memory(survey, options, report));
  }
  std::stable_partition(report.problems.begin(), report.problems.end(),
                        [](const CheckProblem& problem) { return problem.fatal; });
  report.runs = report.problems.empty() || !report.problems.front().fatal;
  report.opens = report.runs || report.problems.front().part == CheckPart::memory;
  return report;
}

}  // namespace

const char* check_part_name(CheckPart part) noexcept {
  constexpr std::array<const char*, 7> kNames = {"file",    "architecture",  "tokenizer", "parameters",
                                                 "tensors", "chat_template", "memory"};
  const auto i = static_cast<size_t>(part);
  return i < kNames.size() ? kNames[i] : "unknown";
}

Result<CheckReport> check_model(const std::string& path, const CheckOptions& options) {
  return engine::guarded([&]() -> Result<CheckReport> {
    if (options.runtime) return check(path, *options.runtime->impl().state, options);
    QUERN_TRY(const Runtime runtime, Runtime::create());
    return check(path, *runtime.impl().state, options);
  });
}

}  // namespace quern
