// Whether a model file runs here.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

const char* quern_check_part_name(int32_t part) { return quern::check_part_name(static_cast<quern::CheckPart>(part)); }

quern_status quern_check(const char* path, const quern_check_options* options, quern_check_report** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(path);
  return guard([&] {
    quern_check_options o = QUERN_CHECK_OPTIONS_INIT;
    QUERN_C_CHECK(read_options(options, o, "quern_check_options", offsetof(quern_check_options, quantize)));
    quern::CheckOptions wanted;
    if (o.runtime) wanted.runtime = o.runtime->runtime;
    wanted.use_mmap = o.no_mmap == 0;
    wanted.repack = o.no_repack == 0;
    if (o.quantize) wanted.quantize = o.quantize;
    wanted.double_quant = o.double_quant != 0;
    QUERN_C_CHECK(read_context_options(o.context, wanted.context));
    auto report = quern::check_model(path, wanted);
    if (!report) return refuse(report.error());
    *out = new quern_check_report{std::move(*report)};
    return QUERN_OK;
  });
}

quern_status quern_check_report_get_info(const quern_check_report* report, quern_check_info* out) {
  QUERN_C_NEED(report);
  QUERN_C_NEED(out);
  return guard([&] {
    const quern::CheckReport& from = report->report;
    quern_check_info info = QUERN_CHECK_INFO_INIT;
    info.opens = from.opens ? 1 : 0;
    info.runs = from.runs ? 1 : 0;
    info.format = from.format.c_str();
    info.architecture = from.architecture.c_str();
    info.tokenizer = from.tokenizer.c_str();
    info.pretokenizer = from.pretokenizer.c_str();
    info.file_type = from.file_type.c_str();
    info.backend = from.backend.c_str();
    info.architecture_known = from.architecture_known ? 1 : 0;
    info.tokenizer_known = from.tokenizer_known ? 1 : 0;
    info.has_chat_template = from.has_chat_template ? 1 : 0;
    info.n_ctx = from.n_ctx;
    info.n_problems = from.n_problems;
    info.n_listed = from.problems.size();
    info.n_tensors = from.n_tensors;
    info.n_unused = from.n_unused;
    info.n_skipped = from.n_skipped;
    info.n_skipped_layers = from.n_skipped_layers;
    info.file_bytes = from.file_bytes;
    info.weight_bytes = from.weight_bytes;
    info.cache_bytes = from.cache_bytes;
    info.buffer_bytes = from.buffer_bytes;
    info.needed_bytes = from.needed_bytes;
    info.available_bytes = from.available_bytes;
    return write_info(info, out, "quern_check_info");
  });
}

quern_status quern_check_report_get_problem(const quern_check_report* report, size_t index, quern_check_problem* out) {
  QUERN_C_NEED(report);
  QUERN_C_NEED(out);
  return guard([&] {
    const auto& problems = report->report.problems;
    if (index >= problems.size()) {
      return refuse(quern::Errc::argument,
                    "problem " + std::to_string(index) + " of " + std::to_string(problems.size()));
    }
    const quern::CheckProblem& from = problems[index];
    quern_check_problem problem = QUERN_CHECK_PROBLEM_INIT;
    problem.part = static_cast<int32_t>(from.part);
    problem.fatal = from.fatal ? 1 : 0;
    problem.code = static_cast<quern_status>(from.error.code);
    problem.missing = from.missing ? 1 : 0;
    problem.message = from.error.message.c_str();
    problem.tensor = from.tensor.c_str();
    return write_info(problem, out, "quern_check_problem");
  });
}

const char* quern_check_report_unused_tensor(const quern_check_report* report, size_t index) {
  return report && index < report->report.unused.size() ? report->report.unused[index].c_str() : nullptr;
}

void quern_check_report_close(quern_check_report* report) { delete report; }

}  // extern "C"
