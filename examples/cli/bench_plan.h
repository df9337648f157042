// What quern bench is to measure: the lists of the command line, and all their combinations.
#pragma once

#include <quern/result.h>

#include <cstdint>
#include <string>
#include <vector>

#include "examples/cli/model_args.h"

namespace quern::cli {

/// Lists are kept as they were given, one text per flag.
struct BenchArgs {
  std::vector<std::string> models, more_models;
  ModelArgs open;  ///< how each of them is opened
  AdapterArgs adapters;
  std::vector<std::string> n_prompt{"512"}, n_gen{"128"}, prompt_gen, n_depth{"0"}, n_parallel{"1"};
  std::vector<std::string> threads{"0"}, n_batch{"512"}, type_k{"f16"}, type_v{"f16"};
  uint32_t n_ctx = 0, repetitions = 5;
  double delay_seconds = 0;
  bool no_warmup = false, machine = false, json = false;
  std::string output = "md";
};

/// One row: a prompt (n_gen 0), an answer (n_prompt 0), or an answer behind a prompt, timed together.
struct BenchTest {
  uint32_t n_prompt = 0, n_gen = 0;
  uint32_t n_depth = 0;     ///< tokens already in each sequence, not timed
  uint32_t n_parallel = 1;  ///< sequences
  uint32_t n_batch = 512;
  std::string type_k, type_v;

  /// Tokens that a repetition computes.
  uint64_t n_tokens() const { return uint64_t{n_parallel} * (n_prompt + n_gen); }
  /// "pp512", "tg64 x8 @ d4096".
  std::string name() const;
};

struct BenchPlan {
  std::vector<std::string> models;
  std::vector<uint32_t> threads;
  std::vector<BenchTest> tests;  ///< of each model at each number of threads
};

/// Numbers as llama-bench takes them: commas, repeated flags, and the ranges FIRST-LAST, FIRST-LAST+STEP and
/// FIRST-LAST*FACTOR.
Result<std::vector<uint32_t>> parse_numbers(const std::string& flag, const std::vector<std::string>& texts);

Result<BenchPlan> make_plan(const BenchArgs& args);

}  // namespace quern::cli
