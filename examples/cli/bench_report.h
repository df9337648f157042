// What quern bench prints: a Markdown table, CSV, JSON, JSON lines, or one JSON document.
#pragma once

#include <memory>

#include "examples/cli/bench_measure.h"
#include "examples/cli/bench_plan.h"

namespace quern::cli {

class BenchReport {
 public:
  virtual ~BenchReport() = default;
  /// A test is done. The model stays where it is until finish().
  virtual void add(const BenchModel& model, const BenchResult& result) = 0;
  /// All tests are done.
  virtual void finish() {}
};

/// The report that args.output or args.json asks for. Errc::argument for a form that does not exist.
Result<std::unique_ptr<BenchReport>> make_bench_report(const BenchArgs& args, const BenchPlan& plan);

}  // namespace quern::cli
