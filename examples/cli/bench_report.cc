#include "examples/cli/bench_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "examples/cli/console.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

int64_t nanoseconds(double seconds) { return std::llround(seconds * 1e9); }

/// "llama 1.1B Q4_K".
std::string model_type(const ModelInfo& info) {
  const auto n = static_cast<double>(info.n_parameters);
  const std::string size = n >= 1e10  ? fixed(n / 1e9, 0) + "B"
                           : n >= 1e9 ? fixed(n / 1e9, 1) + "B"
                                      : fixed(n / 1e6, 0) + "M";
  return info.architecture + " " + size + " " + info.file_type;
}

/// What the model's decoding read of what the machine can read.
std::optional<double> bandwidth_share(const BenchModel& model, const BenchResult& result) {
  const auto rate = result.read_rate();
  if (!rate || !model.read_bandwidth) return std::nullopt;
  return *rate / *model.read_bandwidth;
}

/// One test, named as llama-bench names its fields; without the samples.
Json record(const BenchModel& model, const BenchResult& result, const BenchArgs& args) {
  const BenchTest& test = result.test;
  const std::vector<double> rates = result.rates();
  return {{"version", version()},
          {"cpu_info", processor_name(model.backend)},
          {"backends", model.backend},
          {"model_filename", model.path},
          {"model_type", model_type(model.info)},
          {"model_size", model.info.size_bytes},
          {"model_n_params", model.info.n_parameters},
          {"model_bytes_in_memory", model.footprint.total_bytes},
          {"quantize", args.open.quantize},
          {"double_quant", args.open.double_quant},
          {"n_batch", test.n_batch},
          {"n_threads", model.n_threads},
          {"cpu_mask", args.open.placement.mask},
          {"cpu_range", args.open.placement.range},
          {"cpu_strict", args.open.placement.strict != 0},
          {"type_k", test.type_k},
          {"type_v", test.type_v},
          {"use_mmap", !args.open.no_mmap},
          {"n_prompt", test.n_prompt},
          {"n_gen", test.n_gen},
          {"n_depth", test.n_depth},
          {"n_parallel", test.n_parallel},
          {"test_time", result.time},
          {"avg_ns", nanoseconds(mean(result.seconds))},
          {"stddev_ns", nanoseconds(standard_deviation(result.seconds))},
          {"avg_ts", mean(rates)},
          {"stddev_ts", standard_deviation(rates)},
          {"median_ts", result.median_rate()},
          {"load_s", model.load_seconds},
          {"rss_bytes", result.rss_bytes},
          {"machine_read_bytes_s", or_null(model.read_bandwidth)},
          {"model_read_bytes_s", or_null(result.read_rate())},
          {"bandwidth_share", or_null(bandwidth_share(model, result))}};
}

Json record_with_samples(const BenchModel& model, const BenchResult& result, const BenchArgs& args) {
  Json out = record(model, result, args);
  Json& nanos = out["samples_ns"] = Json::array();
  for (const double seconds : result.seconds) nanos.push_back(nanoseconds(seconds));
  out["samples_ts"] = result.rates();
  return out;
}

class JsonLines final : public BenchReport {
 public:
  explicit JsonLines(const BenchArgs& args) : args_(args) {}
  void add(const BenchModel& model, const BenchResult& result) override {
    print(dump(record_with_samples(model, result, args_)));
  }

 private:
  const BenchArgs& args_;
};

class JsonArray final : public BenchReport {
 public:
  explicit JsonArray(const BenchArgs& args) : args_(args) {}
  void add(const BenchModel& model, const BenchResult& result) override {
    all_.push_back(record_with_samples(model, result, args_));
  }
  void finish() override { print(dump(all_, 2)); }

 private:
  const BenchArgs& args_;
  Json all_ = Json::array();
};

/// RFC 4180, a header first.
class Csv final : public BenchReport {
 public:
  explicit Csv(const BenchArgs& args) : args_(args) {}
  void add(const BenchModel& model, const BenchResult& result) override {
    std::string head, row;
    const Json test = record(model, result, args_);
    for (const auto& [name, value] : test.items()) {
      if (!row.empty()) head += ",", row += ",";
      head += name;
      row += quoted(value);
    }
    if (!std::exchange(headed_, true)) print(head + "\n");
    print(row + "\n");
  }

 private:
  static std::string quoted(const Json& value) {
    if (value.is_null()) return "\"\"";
    std::string out = "\"";
    for (const char c : value.is_string() ? value.get<std::string>() : value.dump()) {
      if (c == '"') out += c;
      out += c;
    }
    return out + "\"";
  }

  const BenchArgs& args_;
  bool headed_ = false;
};

/// --json: the figures of the first prompt and the first answer stand at the top, medians; the tests are in "results".
class Document final : public BenchReport {
 public:
  explicit Document(const BenchArgs& args) : args_(args) {}
  void add(const BenchModel& model, const BenchResult& result) override {
    if (model_ == nullptr) model_ = &model;
    if (!prompt_ && result.test.n_gen == 0) prompt_ = result;
    if (!answer_ && result.test.n_prompt == 0) answer_ = result;
    last_rss_bytes_ = result.rss_bytes;
    all_.push_back(record_with_samples(model, result, args_));
  }
  void finish() override {
    const BenchTest test = answer_ ? answer_->test : prompt_ ? prompt_->test : BenchTest();
    Json out;
    out["pp_tok_s"] = prompt_ ? Json(prompt_->median_rate()) : Json();
    out["tg_tok_s"] = answer_ ? Json(answer_->median_rate()) : Json();
    out["load_s"] = model_->load_seconds;
    out["rss_bytes"] = answer_ ? answer_->rss_bytes : prompt_ ? prompt_->rss_bytes : last_rss_bytes_;
    out["n_prompt"] = prompt_ ? prompt_->test.n_prompt : 0;
    out["n_gen"] = test.n_gen;
    out["depth"] = test.n_depth;
    out["n_threads"] = model_->n_threads;
    out["n_sequences"] = test.n_parallel;
    out["n_batch"] = test.n_batch;
    out["repetitions"] = args_.repetitions;
    out["pp_seconds"] = prompt_ ? prompt_->seconds : std::vector<double>();
    out["tg_seconds"] = answer_ ? answer_->seconds : std::vector<double>();
    // The measurement of the machine takes more memory than many a model.
    out["peak_rss_bytes"] = args_.machine ? Json() : Json(peak_resident_bytes());
    out["model"] = model_->path;
    out["file_type"] = model_->info.file_type;
    out["n_parameters"] = model_->info.n_parameters;
    out["size_bytes"] = model_->info.size_bytes;
    out["footprint"] = footprint_json(model_->footprint);
    out["backend"] = model_->backend;
    out["version"] = version();
    out["machine_read_bytes_s"] = or_null(model_->read_bandwidth);
    out["bandwidth_share"] = answer_ ? or_null(bandwidth_share(*model_, *answer_)) : Json();
    out["results"] = std::move(all_);
    print(dump(out));
  }

 private:
  const BenchArgs& args_;
  const BenchModel* model_ = nullptr;
  std::optional<BenchResult> prompt_, answer_;
  uint64_t last_rss_bytes_ = 0;
  Json all_ = Json::array();
};

/// A column of the table. `get`: its cell.
struct Column {
  std::string head;
  size_t width;
  bool left;
  std::string (*get)(const BenchModel&, const BenchResult&);
};

size_t shown_width(const std::string& text) {  // bytes that begin a character
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

class Table final : public BenchReport {
 public:
  Table(const BenchArgs& args, const BenchPlan& plan) {
    columns_ = {
        {"model", 30, true, [](auto& m, auto&) { return model_type(m.info); }},
        {"size", 10, false, [](auto& m, auto&) { return bytes_text(m.info.size_bytes); }},
        {"params", 10, false, [](auto& m, auto&) { return count_text(m.info.n_parameters); }},
        {"backend", 10, true, [](auto& m, auto&) { return m.backend.substr(0, m.backend.find(' ')); }},
        {"threads", 7, false, [](auto& m, auto&) { return std::to_string(m.n_threads); }},
    };
    // What is as it is by default is not shown.
    const auto varies = [&](auto BenchTest::*member, const auto& usual) {
      return std::any_of(plan.tests.begin(), plan.tests.end(), [&](const auto& t) { return t.*member != usual; });
    };
    if (varies(&BenchTest::n_batch, 512u)) {
      columns_.push_back({"n_batch", 7, false, [](auto&, auto& r) { return std::to_string(r.test.n_batch); }});
    }
    if (varies(&BenchTest::type_k, "f16")) {
      columns_.push_back({"type_k", 6, false, [](auto&, auto& r) { return r.test.type_k; }});
    }
    if (varies(&BenchTest::type_v, "f16")) {
      columns_.push_back({"type_v", 6, false, [](auto&, auto& r) { return r.test.type_v; }});
    }
    size_t longest = 15;
    for (const BenchTest& test : plan.tests) longest = std::max(longest, test.name().size());
    columns_.push_back({"test", longest, false, [](auto&, auto& r) { return r.test.name(); }});
    columns_.push_back({"t/s", 20, false, [](auto&, auto& r) {
                          const auto rates = r.rates();
                          return fixed(mean(rates), 2) + " \xC2\xB1 " + fixed(standard_deviation(rates), 2);
                        }});
    if (args.machine) {
      columns_.push_back({"reads GB/s", 10, false, [](auto&, auto& r) {
                            const auto rate = r.read_rate();
                            return rate ? fixed(*rate / 1e9, 1) : std::string();
                          }});
      columns_.push_back({"of machine", 10, false, [](auto& m, auto& r) {
                            const auto share = bandwidth_share(m, r);
                            return share ? fixed(*share * 100, 0) + "%" : std::string();
                          }});
    }
  }

  void add(const BenchModel& model, const BenchResult& result) override {
    if (models_.empty()) print_head();
    if (models_.empty() || models_.back().first != &model) models_.emplace_back(&model, 0);
    models_.back().second = std::max(models_.back().second, result.rss_bytes);
    std::string line = "|";
    for (const Column& column : columns_) {
      const std::string cell = column.get(model, result);
      const size_t width = shown_width(cell);
      const std::string space(column.width > width ? column.width - width : 0, ' ');
      line += " " + (column.left ? cell + space : space + cell) + " |";
    }
    print(line + "\n");
  }

  void finish() override {
    print("\n");
    for (const auto& [model, rss_bytes] : models_) {
      std::string line = model->path + ", " + std::to_string(model->n_threads) + " threads: loaded in " +
                         fixed(model->load_seconds, 2) + " s, " + bytes_text(rss_bytes) + " of memory";
      if (model->read_bandwidth) line += "; the machine reads " + fixed(*model->read_bandwidth / 1e9, 1) + " GB/s";
      print(line + "\n");
    }
    const std::string& backend = models_.front().first->backend;
    print(std::string("quern ") + version() + ", " + backend + ", " + processor_name("") + "\n");
  }

 private:
  void print_head() const {
    std::string names = "|", line = "|";
    for (const Column& column : columns_) {
      const std::string space(column.width - column.head.size(), ' ');
      names += " " + (column.left ? column.head + space : space + column.head) + " |";
      line += " " + std::string(column.width - 1, '-') + (column.left ? "-" : ":") + " |";
    }
    print(names + "\n" + line + "\n");
  }

  std::vector<Column> columns_;
  std::vector<std::pair<const BenchModel*, uint64_t>> models_;  ///< with the memory of their largest test
};

}  // namespace

Result<std::unique_ptr<BenchReport>> make_bench_report(const BenchArgs& args, const BenchPlan& plan) {
  std::unique_ptr<BenchReport> out;
  if (args.json) {
    out = std::make_unique<Document>(args);
  } else if (args.output == "md") {
    out = std::make_unique<Table>(args, plan);
  } else if (args.output == "csv") {
    out = std::make_unique<Csv>(args);
  } else if (args.output == "json") {
    out = std::make_unique<JsonArray>(args);
  } else if (args.output == "jsonl") {
    out = std::make_unique<JsonLines>(args);
  } else {
    return Error{Errc::argument, "-o: expected md, csv, json or jsonl, found '" + args.output + "'"};
  }
  return out;
}

}  // namespace quern::cli
