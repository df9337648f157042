/* A C99 program over quern_c_convert.h, a part of client.c: evaluation, importance matrices, quantizing. */
#include "client.h"

#include <math.h>
#include <quern_c_convert.h>
#include <stdio.h>
#include <string.h>

static void test_perplexity(const quern_model* model) {
  quern_perplexity_options options = QUERN_PERPLEXITY_OPTIONS_INIT;
  quern_perplexity_result result = QUERN_PERPLEXITY_RESULT_INIT;
  quern_token tokens[70];
  size_t i;
  for (i = 0; i < 70; ++i) tokens[i] = (quern_token)(300 + i);
  options.n_ctx = 32;
  CHECK(quern_perplexity(model, tokens, 70, &options, &result) == QUERN_OK);
  CHECK(result.n_windows == 2 && result.n_tokens == 30 && result.ppl > 1 && fabs(log(result.ppl) - result.nll) < 1e-9);
  CHECK(quern_perplexity(model, tokens, 31, &options, &result) == QUERN_ERROR_ARGUMENT);
}

static void test_imatrix(const quern_model* model) {
  quern_imatrix_options options = QUERN_IMATRIX_OPTIONS_INIT;
  quern_imatrix_info info = QUERN_IMATRIX_INFO_INIT;
  quern_imatrix_tensor tensor = QUERN_IMATRIX_TENSOR_INIT;
  quern_imatrix* imatrix = NULL;
  quern_imatrix* opened = NULL;
  quern_cancel_token* cancel = NULL;
  quern_token tokens[70];
  float weights[256], again[256];
  size_t i, needed = 0;
  const char* path = "client_test_imatrix.gguf";
  for (i = 0; i < 70; ++i) tokens[i] = (quern_token)(300 + i);

  CHECK(quern_imatrix_create(&imatrix) == QUERN_OK);
  CHECK(quern_imatrix_save(imatrix, path, QUERN_IMATRIX_GGUF) == QUERN_ERROR_ARGUMENT); /* empty */
  CHECK(quern_imatrix_collect(imatrix, model, tokens, 70, NULL) == QUERN_ERROR_ARGUMENT && message_has("512"));
  options.n_ctx = 32;
  options.dataset = "numbers";
  CHECK(quern_imatrix_collect(imatrix, model, tokens, 70, &options) == QUERN_OK);
  CHECK(quern_imatrix_get_info(imatrix, &info) == QUERN_OK);
  CHECK(info.n_tensors == 42 && info.n_chunks == 2 && info.chunk_size == 32);
  CHECK(quern_imatrix_get_tensor(imatrix, 0, &tensor) == QUERN_OK);
  CHECK(strcmp(tensor.name, "blk.0.attn_k.weight") == 0 && tensor.layer == 0 && tensor.n_values == 256);
  CHECK(tensor.sum > 0 && tensor.mean * 256 > tensor.sum * 0.999 && isnan(tensor.cosine));
  CHECK(quern_imatrix_get_tensor(imatrix, 42, &tensor) == QUERN_ERROR_ARGUMENT && message_has("42"));
  CHECK(quern_imatrix_weights(imatrix, "blk.0.attn_k.weight", NULL, 0, &needed) == QUERN_ERROR_BUFFER_TOO_SMALL);
  CHECK(needed == 256);
  CHECK(quern_imatrix_weights(imatrix, "blk.0.attn_k.weight", weights, 256, &needed) == QUERN_OK);
  CHECK(weights[0] >= tensor.min && weights[0] <= tensor.max);
  CHECK(quern_imatrix_weights(imatrix, "output.weight", weights, 256, &needed) == QUERN_OK && needed == 0);

  CHECK(quern_imatrix_save(imatrix, path, QUERN_IMATRIX_DAT) == QUERN_OK);
  CHECK(quern_imatrix_open(path, &opened) == QUERN_OK);
  CHECK(quern_imatrix_weights(opened, "blk.0.attn_k.weight", again, 256, &needed) == QUERN_OK);
  for (i = 0; i < 256; ++i) CHECK(fabs(again[i] - weights[i]) <= 1e-6 * weights[i]);
  CHECK(quern_imatrix_merge(opened, imatrix) == QUERN_OK);
  CHECK(quern_imatrix_get_info(opened, &info) == QUERN_OK && info.n_chunks == 4);
  quern_imatrix_close(opened);
  CHECK(quern_imatrix_save(imatrix, path, 7) == QUERN_ERROR_ARGUMENT);
  CHECK(remove(path) == 0);
  CHECK(quern_imatrix_open(path, &opened) == QUERN_ERROR_NOT_FOUND && opened == NULL && message_has(path));

  CHECK(quern_cancel_token_create(&cancel) == QUERN_OK);
  quern_cancel_token_cancel(cancel);
  options.cancel = cancel;
  CHECK(quern_imatrix_collect(imatrix, model, tokens, 70, &options) == QUERN_ERROR_CANCELLED);
  options.cancel = NULL;
  options.progress = stop_progress;
  CHECK(quern_imatrix_collect(imatrix, model, tokens, 70, &options) == QUERN_ERROR_CANCELLED);
  CHECK(quern_imatrix_get_info(imatrix, &info) == QUERN_OK && info.n_chunks == 3); /* one chunk more was added */
  CHECK(quern_imatrix_create(NULL) == QUERN_ERROR_ARGUMENT && quern_imatrix_merge(imatrix, NULL) != QUERN_OK);
  quern_cancel_token_close(cancel);
  quern_imatrix_close(imatrix);
}

static void test_types(void) {
  quern_quantization_type type = QUERN_QUANTIZATION_TYPE_INIT;
  double bits = 0;
  size_t i, n = quern_n_quantization_types(), n_found = 0;
  CHECK(n > 30);
  for (i = 0; i < n; ++i) {
    CHECK(quern_get_quantization_type(i, &type) == QUERN_OK && type.description[0] != 0);
    if (strcmp(type.name, "Q4_K_M") == 0) {
      ++n_found;
      CHECK(type.bits_per_weight > 4.5 && type.bits_per_weight < 5 && !type.needs_imatrix);
    }
    if (strcmp(type.name, "IQ1_S") == 0) {
      ++n_found;
      CHECK(type.bits_per_weight > 1.5 && type.bits_per_weight < 2.5 && type.needs_imatrix);
    }
    if (strcmp(type.name, "COPY") == 0) break; /* behind it come those that make folders */
    CHECK(type.bits_per_weight >= bits);       /* from few bits to many */
    bits = type.bits_per_weight;
  }
  CHECK(n_found == 2);
  CHECK(quern_get_quantization_type(n, &type) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_get_quantization_type(0, NULL) == QUERN_ERROR_ARGUMENT);
  type.struct_size = 8;
  CHECK(quern_get_quantization_type(0, &type) == QUERN_ERROR_ARGUMENT && message_has("struct_size"));
}

struct seen {
  int n_calls, in_order, calibrated;
  uint64_t done, total;
};

static int watch(void* user, const char* stage, uint64_t done, uint64_t total) {
  struct seen* seen = user;
  if (strcmp(stage, "calibrate") == 0) seen->calibrated = 1;
  if (strcmp(stage, "quantize") != 0) return 0;
  ++seen->n_calls;
  if (done < seen->done || done > total) seen->in_order = 0;
  seen->done = done;
  seen->total = total;
  return 0;
}

/* -1 if there is no such file. */
static long file_size(const char* path) {
  FILE* file = fopen(path, "rb");
  long size = -1;
  if (file == NULL) return -1;
  if (fseek(file, 0, SEEK_END) == 0) size = ftell(file);
  fclose(file);
  return size;
}

static void test_what_is_refused(const char* path, const char* to, const quern_runtime* runtime) {
  quern_quantize_options options = QUERN_QUANTIZE_OPTIONS_INIT;
  quern_tensor_type_override override = {"attn_v", "Q9_9"};
  const char* kv[] = {"general.name=renamed", NULL};
  quern_quantize_result* result = NULL;

  CHECK(quern_quantize(runtime, path, to, NULL, &result) == QUERN_ERROR_ARGUMENT && message_has("already quantized"));
  options.allow_requantize = 1;
  options.type = "Q9_Z";
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("Q9_Z"));
  options.type = "IQ2_XS";
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("importance"));
  options.imatrix = "no_such_matrix.gguf";
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_NOT_FOUND && message_has(options.imatrix));
  options.type = options.imatrix = NULL;
  options.method = "guess";
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("guess"));
  options.method = "gptq";
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("calibration"));
  options.calibration_size = 3;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("is NULL"));
  options.calibration_size = 0;
  options.method = NULL;
  options.target_bpw = 5;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("calibration"));
  options.target_bpw = 0;
  options.report = "short";
  options.report_size = QUERN_NUL_TERMINATED;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("window"));
  options.report = NULL;
  options.report_size = 0;
  options.n_tensor_types = 1;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("tensor_types"));
  options.tensor_types = &override;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("Q9_9"));
  override.type = NULL;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("[0]: type"));
  options.n_tensor_types = 0;
  options.override_kv = kv;
  options.n_override_kv = 1;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has(kv[0]));
  options.override_kv = kv + 1;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("[0] is NULL"));
  options.n_override_kv = 0;
  CHECK(quern_quantize(runtime, to, path, &options, &result) == QUERN_ERROR_NOT_FOUND && message_has(to));
  CHECK(quern_quantize(runtime, path, path, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("itself"));
  CHECK(quern_quantize(runtime, path, NULL, &options, &result) == QUERN_ERROR_ARGUMENT && result == NULL);
  CHECK(quern_quantize(runtime, NULL, to, &options, &result) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_quantize(runtime, path, to, &options, NULL) == QUERN_ERROR_ARGUMENT);
  options.progress = stop_progress;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_CANCELLED && result == NULL);
  options.struct_size = 16;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("struct_size"));
  CHECK(file_size(to) == -1); /* nothing of all this was written */
}

/* The new file, opened as a model, holds what the result says of it. */
static void test_new_file(const char* to, const quern_quantize_result* result) {
  quern_model_info model_info = QUERN_MODEL_INFO_INIT;
  quern_quantize_info info = QUERN_QUANTIZE_INFO_INIT;
  quern_tensor_info written = QUERN_TENSOR_INFO_INIT;
  quern_quantized_tensor tensor = QUERN_QUANTIZED_TENSOR_INIT;
  quern_model* model = NULL;
  uint64_t from_bytes = 0, to_bytes = 0;
  size_t i, n_chosen = 0;
  CHECK(quern_quantize_result_get_info(result, &info) == QUERN_OK);
  CHECK(info.n_files == 1 && strcmp(quern_quantize_result_file(result, 0), to) == 0);
  CHECK(quern_quantize_result_file(result, 1) == NULL);
  CHECK(quern_model_open(to, NULL, &model) == QUERN_OK);
  if (model == NULL) return;
  CHECK(quern_model_get_info(model, &model_info) == QUERN_OK);
  CHECK(strcmp(model_info.file_type, "Q4_K") == 0 && strcmp(model_info.name, "renamed") == 0);
  CHECK(model_info.size_bytes == info.to_bytes && info.from_bytes > info.to_bytes * 3 / 2);
  CHECK(fabs(info.bits_per_weight - 8.0 * (double)info.to_bytes / (double)model_info.n_parameters) < 1e-9);
  CHECK(quern_model_n_tensors(model) == info.n_tensors);
  for (i = 0; i < info.n_tensors; ++i) {
    CHECK(quern_quantize_result_get_tensor(result, i, &tensor) == QUERN_OK);
    CHECK(quern_model_get_tensor(model, i, &written) == QUERN_OK);
    CHECK(strcmp(tensor.name, written.name) == 0 && strcmp(tensor.to, written.type) == 0);
    CHECK(tensor.n_dims == written.n_dims && memcmp(tensor.shape, written.shape, tensor.n_dims * 8) == 0);
    CHECK(tensor.to_bytes == written.size_bytes && tensor.reason != NULL && tensor.fallback != NULL);
    CHECK(strcmp(tensor.from, tensor.n_dims == 1 ? "F32" : "Q8_0") == 0);
    if (strstr(tensor.name, "attn_v") != NULL) {
      ++n_chosen;
      CHECK(strcmp(tensor.to, "Q5_1") == 0);
    }
    if (strcmp(tensor.name, "token_embd.weight") == 0) CHECK(strcmp(tensor.to, "Q5_0") == 0);
    from_bytes += tensor.from_bytes;
    to_bytes += tensor.to_bytes;
  }
  CHECK(n_chosen == 6 && from_bytes == info.from_bytes && to_bytes == info.to_bytes);
  CHECK(quern_quantize_result_get_tensor(result, i, &tensor) == QUERN_ERROR_ARGUMENT);
  quern_model_close(model);
}

static void test_convert_model(const char* path) {
  quern_convert_options options = QUERN_CONVERT_OPTIONS_INIT;
  quern_quantize_info info = QUERN_QUANTIZE_INFO_INIT;
  quern_quantized_tensor tensor = QUERN_QUANTIZED_TENSOR_INIT;
  quern_model_info model_info = QUERN_MODEL_INFO_INIT;
  quern_quantize_result* result = NULL;
  quern_model* model = NULL;
  const char* kv[] = {"general.description=str:converted"};
  const char* to = "client_test_converted.gguf";
  uint64_t n_bytes = 0;
  remove(to);
  options.type = "f99";
  CHECK(quern_convert_model(NULL, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("f99"));
  options.type = "Q4_0";
  CHECK(quern_convert_model(NULL, path, to, &options, &result) == QUERN_ERROR_ARGUMENT);
  CHECK(message_has("already quantized") && result == NULL);
  options.type = NULL;
  CHECK(quern_convert_model(NULL, path, NULL, &options, &result) == QUERN_ERROR_ARGUMENT && result == NULL);
  CHECK(quern_convert_model(NULL, path, to, &options, NULL) == QUERN_ERROR_ARGUMENT);
  options.n_override_kv = 1;
  CHECK(quern_convert_model(NULL, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("override_kv"));
  options.override_kv = kv;
  options.progress = stop_progress;
  CHECK(quern_convert_model(NULL, path, to, &options, &result) == QUERN_ERROR_CANCELLED && result == NULL);
  options.progress = NULL;

  options.model_name = "renamed";
  CHECK(quern_convert_model(NULL, path, to, &options, &result) == QUERN_OK);
  CHECK(quern_quantize_result_get_info(result, &info) == QUERN_OK && info.n_files == 1 && info.n_tensors > 50);
  CHECK(info.from_bytes == info.to_bytes); /* the weights are in Q8_0 and stay so */
  quern_quantize_result_close(result);

  options.type = "f16";
  options.dequantize = 1;
  CHECK(quern_convert_model(NULL, path, to, &options, &result) == QUERN_OK);
  CHECK(quern_quantize_result_get_info(result, &info) == QUERN_OK && info.to_bytes > info.from_bytes * 3 / 2);
  CHECK(quern_quantize_result_get_tensor(result, 0, &tensor) == QUERN_OK && strcmp(tensor.to, "F16") == 0);
  CHECK(quern_model_open(to, NULL, &model) == QUERN_OK);
  if (model != NULL) {
    CHECK(quern_model_get_info(model, &model_info) == QUERN_OK && strcmp(model_info.name, "renamed") == 0);
    n_bytes = model_info.size_bytes;
    quern_model_close(model);
  }
  CHECK(n_bytes == info.to_bytes);
  quern_quantize_result_close(result);
  CHECK(remove(to) == 0);
}

static void test_quantize(const char* path) {
  static const char calibration[] =
      "The old house stood near the river, and nobody had lived in it for many years. What is the capital of France? "
      "The capital of France is Paris. Who are you? I am a small model that shows that the installation works.";
  quern_quantize_options options = QUERN_QUANTIZE_OPTIONS_INIT;
  quern_runtime_options runtime_options = QUERN_RUNTIME_OPTIONS_INIT;
  const quern_tensor_type_override overrides[] = {{"attn_v", "Q5_1"}, {"attn_[vq]", "Q8_0"}};
  const char* kv[] = {"general.name=str:renamed"};
  quern_quantize_info info = QUERN_QUANTIZE_INFO_INIT;
  quern_runtime* runtime = NULL;
  quern_quantize_result* result = NULL;
  quern_cancel_token* cancel = NULL;
  struct seen seen = {0, 1, 0, 0, 0};
  uint64_t planned = 0;
  long size = 0;
  const char* to = "client_test_quantized.gguf";
  remove(to);
  runtime_options.n_threads = 2;
  CHECK(quern_runtime_create(&runtime_options, &runtime) == QUERN_OK);
  test_what_is_refused(path, to, runtime);

  options.allow_requantize = 1;
  options.tensor_types = overrides;
  options.n_tensor_types = 2;
  options.token_embedding_type = "Q5_0";
  options.override_kv = kv;
  options.n_override_kv = 1;
  options.dry_run = 1;
  CHECK(quern_quantize(runtime, path, NULL, &options, &result) == QUERN_OK);
  CHECK(quern_quantize_result_get_info(result, &info) == QUERN_OK && info.n_files == 0 && info.n_tensors > 50);
  CHECK(quern_quantize_result_file(result, 0) == NULL);
  planned = info.to_bytes;
  quern_quantize_result_close(result);

  options.dry_run = 0;
  options.progress = watch;
  options.progress_user = &seen;
  CHECK(quern_quantize(NULL, path, to, &options, &result) == QUERN_OK);
  CHECK(seen.n_calls > 50 && seen.in_order && !seen.calibrated && seen.done == seen.total);
  CHECK(quern_quantize_result_get_info(result, &info) == QUERN_OK);
  CHECK(info.to_bytes == planned && seen.total == info.from_bytes);
  test_new_file(to, result);
  quern_quantize_result_close(result);
  size = file_size(to);

  CHECK(quern_cancel_token_create(&cancel) == QUERN_OK);
  quern_cancel_token_cancel(cancel);
  options.cancel = cancel;
  options.type = "Q8_0";
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_CANCELLED && result == NULL);
  CHECK(file_size(to) == size); /* the file is as it was */
  options.cancel = NULL;

  options.type = "Q4_0";
  options.method = "gptq";
  options.calibration = calibration;
  options.calibration_size = QUERN_NUL_TERMINATED;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_ERROR_ARGUMENT && message_has("512"));
  options.calibration_ctx = 16;
  options.calibration_chunks = 2;
  CHECK(quern_quantize(runtime, path, to, &options, &result) == QUERN_OK && seen.calibrated);
  CHECK(file_size(to) != size);
  quern_quantize_result_close(result);
  CHECK(remove(to) == 0);
  quern_cancel_token_close(cancel);
  quern_runtime_close(runtime);
}

static void test_check(const char* path) {
  quern_check_options options = QUERN_CHECK_OPTIONS_INIT;
  quern_context_options context = QUERN_CONTEXT_OPTIONS_INIT;
  quern_check_info info = QUERN_CHECK_INFO_INIT;
  quern_check_problem problem = QUERN_CHECK_PROBLEM_INIT;
  quern_check_report* report = NULL;
  uint64_t cache_bytes;
  CHECK(quern_check(path, NULL, &report) == QUERN_OK);
  CHECK(quern_check_report_get_info(report, &info) == QUERN_OK);
  CHECK(info.opens && info.runs && info.architecture_known && info.tokenizer_known && info.has_chat_template);
  CHECK(strcmp(info.format, "GGUF v3") == 0 && strcmp(info.architecture, "llama") == 0);
  CHECK(strcmp(info.tokenizer, "llama") == 0 && strcmp(info.file_type, "Q8_0") == 0 && strlen(info.backend) > 2);
  CHECK(info.n_problems == 0 && info.n_listed == 0 && info.n_unused == 0 && info.n_skipped == 0);
  CHECK(info.n_tensors > 50 && info.weight_bytes > 1000000 && info.cache_bytes > 0);
  CHECK(info.needed_bytes == info.weight_bytes + info.cache_bytes + info.buffer_bytes);
  CHECK(quern_check_report_get_problem(report, 0, &problem) == QUERN_ERROR_ARGUMENT && message_has("problem 0"));
  CHECK(quern_check_report_unused_tensor(report, 0) == NULL);
  cache_bytes = info.cache_bytes;
  CHECK(info.n_ctx > 64);
  quern_check_report_close(report);

  context.n_ctx = 64;
  options.context = &context;
  options.no_mmap = 1;
  CHECK(quern_check(path, &options, &report) == QUERN_OK);
  CHECK(quern_check_report_get_info(report, &info) == QUERN_OK && info.n_ctx == 64 && info.cache_bytes < cache_bytes);
  CHECK(info.needed_bytes == info.file_bytes + info.weight_bytes + info.cache_bytes + info.buffer_bytes);
  quern_check_report_close(report);

  CHECK(quern_check("no/such/file.gguf", NULL, &report) == QUERN_OK);
  CHECK(quern_check_report_get_info(report, &info) == QUERN_OK && !info.opens && !info.runs && info.n_listed == 1);
  CHECK(quern_check_report_get_problem(report, 0, &problem) == QUERN_OK);
  CHECK(problem.part == QUERN_CHECK_FILE && problem.fatal && problem.code == QUERN_ERROR_NOT_FOUND);
  CHECK(strstr(problem.message, "no/such/file.gguf") != NULL && problem.tensor[0] == 0 && !problem.missing);
  quern_check_report_close(report);

  context.type_k = 77;
  CHECK(quern_check(path, &options, &report) == QUERN_ERROR_UNSUPPORTED && report == NULL);
  CHECK(quern_check(NULL, NULL, &report) == QUERN_ERROR_ARGUMENT && quern_check(path, NULL, NULL) != QUERN_OK);
  CHECK(strcmp(quern_check_part_name(QUERN_CHECK_TENSORS), "tensors") == 0);
  CHECK(strcmp(quern_check_part_name(99), "unknown") == 0);
  quern_check_report_close(NULL);
  CHECK(quern_check_report_get_info(NULL, &info) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_check_report_unused_tensor(NULL, 0) == NULL);
}

/* What the weights take, as the file has them and quantized as it is opened; `path` is a file of Q8_0. */
static void test_footprint(const char* path, const quern_model* model) {
  quern_model_options options = QUERN_MODEL_OPTIONS_INIT;
  quern_check_options check_options = QUERN_CHECK_OPTIONS_INIT;
  quern_check_report* report = NULL;
  quern_footprint plain = QUERN_FOOTPRINT_INIT, other = QUERN_FOOTPRINT_INIT;
  quern_model* opened = NULL;
  CHECK(quern_model_footprint(model, &plain) == QUERN_OK);
  CHECK(plain.matrix_bytes > 1000000 && plain.vector_bytes > 0 && plain.table_bytes > 0 && plain.kept_bytes == 0);
  CHECK(plain.total_bytes == plain.matrix_bytes + plain.vector_bytes + plain.table_bytes);
  CHECK(plain.file_mapped && plain.file_needed_bytes == plain.table_bytes &&
        plain.file_bytes == (uint64_t)file_size(path));
  CHECK(quern_model_footprint(NULL, &plain) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_model_footprint(model, NULL) == QUERN_ERROR_ARGUMENT);
  other.struct_size = 8;
  CHECK(quern_model_footprint(model, &other) == QUERN_ERROR_ARGUMENT && message_has("struct_size"));
  other.struct_size = sizeof other;

  options.no_repack = options.no_mmap = 1;
  options.struct_size = offsetof(quern_model_options, quantize); /* an older program's */
  options.quantize = "not read";
  CHECK(quern_model_open(path, &options, &opened) == QUERN_OK);
  CHECK(quern_model_footprint(opened, &other) == QUERN_OK && !other.file_mapped && other.matrix_bytes == 0);
  CHECK(other.kept_bytes > 1000000 && other.file_needed_bytes == other.kept_bytes + other.table_bytes);
  quern_model_close(opened);

  options.struct_size = sizeof options;
  CHECK(quern_model_open(path, &options, &opened) == QUERN_ERROR_ARGUMENT && message_has("Q4_K"));
  options.quantize = "q4_0";
  options.double_quant = 1;
  CHECK(quern_model_open(path, &options, &opened) == QUERN_ERROR_ARGUMENT && message_has("double_quant"));
  CHECK(opened == NULL);
  options.double_quant = options.no_repack = options.no_mmap = 0;
  CHECK(quern_model_open(path, &options, &opened) == QUERN_OK); /* quantized already: it stays */
  CHECK(quern_model_footprint(opened, &other) == QUERN_OK && other.total_bytes == plain.total_bytes);
  quern_model_close(opened);

  check_options.quantize = "not a type";
  CHECK(quern_check(path, &check_options, &report) == QUERN_ERROR_ARGUMENT && message_has("'not a type'"));
  check_options.struct_size = offsetof(quern_check_options, quantize);
  CHECK(quern_check(path, &check_options, &report) == QUERN_OK);
  quern_check_report_close(report);
}

void test_convert(const char* path, const quern_model* model) {
  test_check(path);
  test_footprint(path, model);
  test_perplexity(model);
  test_imatrix(model);
  test_types();
  test_quantize(path);
  test_convert_model(path);
}
