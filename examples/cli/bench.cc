// quern bench: how fast a model reads a prompt and writes an answer.
#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <thread>

#include "examples/cli/bench_measure.h"
#include "examples/cli/bench_plan.h"
#include "examples/cli/bench_report.h"
#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"

namespace quern::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Lets the machine cool down; Ctrl-C ends it, which the next test notices.
void pause_for(double seconds) {
  const CancelToken& cancel = catch_interrupts();
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end && !cancel.cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

/// All tests of one model on one number of threads.
Status run_model(const BenchArgs& args, const BenchPlan& plan, const std::string& path, uint32_t n_threads,
                 std::deque<BenchModel>& models, BenchReport& out) {
  ModelArgs open = args.open;
  open.model = path;
  open.n_threads = static_cast<int32_t>(n_threads);
  const auto runtime = create_runtime(open);
  if (!runtime) return runtime.error();
  BenchModel& head = models.emplace_back();
  if (args.machine) {  // before the model takes its memory
    const auto bandwidth = runtime->measure_read_bandwidth();
    if (!bandwidth) return bandwidth.error();
    head.read_bandwidth = *bandwidth;
  }
  const auto start = Clock::now();
  const auto model = open_model(open, *runtime);
  if (!model) return model.error();
  head.load_seconds = std::chrono::duration<double>(Clock::now() - start).count();
  head.info = model->info();
  head.footprint = model->footprint();
  head.path = head.info.path;
  head.backend = runtime->description();
  head.n_threads = runtime->n_threads();
  for (const BenchTest& test : plan.tests) {
    if (args.delay_seconds > 0) pause_for(args.delay_seconds);
    const auto result = run_bench_test(*model, args, test);
    if (!result) return result.error();
    out.add(head, *result);
  }
  return {};
}

int run(const BenchArgs& args) {
  const auto plan = make_plan(args);
  if (!plan) return report(plan.error());
  const auto out = make_bench_report(args, *plan);
  if (!out) return report(out.error());
  catch_interrupts();
  std::deque<BenchModel> models;  // does not move them
  for (const auto& path : plan->models) {
    for (const uint32_t n_threads : plan->threads) {
      // On a thread of its own: it may be bound to a processor, and what comes next is to have all of them again.
      const auto work = [&] { return run_model(args, *plan, path, n_threads, models, **out); };
      const Status status = std::async(std::launch::async, work).get();
      if (!status) return report(status.error());
    }
  }
  (*out)->finish();
  return finish_output(kOk);
}

/// Options that take lists.
void add_lists(CLI::App& command, BenchArgs& args) {
  const auto list = [&](const char* name, std::vector<std::string>& value, const char* help, const char* type) {
    command.add_option(name, value, help)->type_name(type)->allow_extra_args(false);
  };
  list("-p,--n-prompt", args.n_prompt, "Prompt tokens; 0 skips (512)", "N,N");
  list("-n,--n-gen", args.n_gen, "Answer tokens; 0 skips (128)", "N,N");
  list("--pg", args.prompt_gen, "-pg: a prompt and an answer, timed together; may be repeated", "PROMPT,ANSWER");
  list("-d,--n-depth", args.n_depth, "Tokens already in the context (0)", "N,N");
  list("--parallel,--batch", args.n_parallel, "-np: sequences that are decoded together; t/s counts them all (1)",
       "N,N");
  list("-t,--threads", args.threads, "Threads; 0: the fast physical cores this process may use (0)", "N,N");
  list("-b,--batch-size", args.n_batch, "Prompt tokens of one pass (512)", "N,N");
  list("--cache-type-k", args.type_k, "-ctk: type of cached keys: f16, f32, q8_0, q4_0 (f16)", "TYPE");
  list("--cache-type-v", args.type_v, "-ctv: type of cached values: f16, f32, q8_0, q4_0 (f16)", "TYPE");
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto args = std::make_shared<BenchArgs>();
  CLI::App* command = app.add_subcommand("bench", "Measure speed: tokens a second for prompt (pp) and answer (tg)");
  command->add_option("MODEL", args->models, "GGUF files, or `demo`")->type_name("");
  command->add_option("-m,--model", args->more_models, "The same; may be repeated")
      ->type_name("MODEL")
      ->allow_extra_args(false);
  add_open_args(*command, args->open);
  add_adapter_args(*command, args->adapters);
  add_lists(*command, *args);
  command->add_option("-c,--ctx-size", args->n_ctx, "Context size in tokens (0: what each test needs)")->type_name("N");
  add_placement_args(*command, args->open.placement);
  command->add_option("-r,--repetitions", args->repetitions, "How often each test is repeated (5)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  command->add_option("--delay", args->delay_seconds, "Seconds to wait before each test (0)")
      ->type_name("N")
      ->check(CLI::Range(0.0, 86400.0));
  command->add_flag("--no-warmup", args->no_warmup, "No run before those that count");
  command->add_flag("--machine", args->machine,
                    "Measure how fast the memory can be read, and which share of that decoding reached");
  CLI::Option* output =
      command->add_option("-o,--output", args->output, "md, csv, json or jsonl (md)")->type_name("FORM");
  command->add_flag("--json", args->json, "One JSON document: medians of the first pp and tg, all tests in \"results\"")
      ->excludes(output);
  add_examples(
      *command,
      "  quern bench model.gguf\n"
      "  quern bench model.gguf -p 512 -n 128 -t 1-8*2 -d 0,4096\n"
      "  quern bench -m a.gguf -m b.gguf -pg 512,128 -r 10 -o csv\n"
      "  quern bench model.gguf -p 0 -n 64 -np 1,8 --machine\n"
      "Lists: numbers with commas between, ranges FIRST-LAST, FIRST-LAST+STEP, FIRST-LAST*FACTOR, or the flag\n"
      "again. All combinations are run; a prompt alone is read as one sequence whatever -np says.\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
