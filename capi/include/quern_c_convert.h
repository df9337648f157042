/* Quern's C interface to making model files, and to judging them: evaluation, importance matrices, quantizing,
 * converting.
 * A part of quern_c.h, which includes it; the conventions told there hold here.
 */
#ifndef QUERN_C_CONVERT_H
#define QUERN_C_CONVERT_H

#include "quern_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- evaluation ------------------------------------------------------------------------------------------------- */

/* The figures so far, after each window; `result` is valid during the call. */
struct quern_perplexity_result;
typedef void (*quern_window_fn)(void* user, const struct quern_perplexity_result* result);

typedef struct quern_perplexity_options {
  size_t struct_size;
  uint32_t n_ctx;      /* window length; the second half of each window is scored. 0: 512 */
  uint32_t n_batch;    /* 0: 512 */
  int32_t max_windows; /* 0: all whole windows */
  quern_progress_fn progress;
  void* progress_user;
  const quern_cancel_token* cancel;
  const struct quern_adapter_use* adapters; /* what the model is run with (quern_c_adapter.h) */
  size_t n_adapters;
  quern_window_fn on_window;
  void* on_window_user;
} quern_perplexity_options;
#define QUERN_PERPLEXITY_OPTIONS_INIT \
  { sizeof(quern_perplexity_options), 0, 0, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL }

/* Set struct_size before the call; fields beyond it are left out. */
typedef struct quern_perplexity_result {
  size_t struct_size;
  double ppl;        /* exp(nll) */
  double nll;        /* mean negative log-likelihood of a scored token, in nats */
  double nll_stderr; /* its standard error */
  uint64_t n_tokens; /* tokens scored */
  uint32_t n_windows;
} quern_perplexity_result;
#define QUERN_PERPLEXITY_RESULT_INIT \
  { sizeof(quern_perplexity_result), 0.0, 0.0, 0.0, 0, 0 }

/* Windows of n_ctx tokens, each on its own, its first token replaced by BOS where the model adds one. */
QUERN_API quern_status quern_perplexity(const quern_model* model, const quern_token* tokens, size_t n_tokens,
                                        const quern_perplexity_options* options, quern_perplexity_result* out);

/* ---- importance matrices ---------------------------------------------------------------------------------------- */

#define QUERN_IMATRIX_GGUF 0 /* what llama-imatrix writes */
#define QUERN_IMATRIX_DAT 1  /* its older form */

/* After each chunk, with how many of this call's have been added. The matrix may be looked at and saved. */
typedef void (*quern_chunk_fn)(void* user, uint32_t n_chunks);

typedef struct quern_imatrix_options {
  size_t struct_size;
  uint32_t n_ctx;   /* tokens of a chunk; each is read on its own. 0: 512 */
  uint32_t n_batch; /* tokens of one pass; without effect on the result. 0: 512 */
  uint32_t first_chunk;
  int32_t max_chunks;         /* 0: all whole chunks of the text */
  int32_t process_output;     /* nonzero: also the weight that makes the logits */
  const char* dataset;        /* what the text is called in the file, or NULL */
  quern_progress_fn progress; /* stage "imatrix" */
  void* progress_user;
  const quern_cancel_token* cancel;
  quern_chunk_fn on_chunk;
  void* on_chunk_user;
} quern_imatrix_options;
#define QUERN_IMATRIX_OPTIONS_INIT \
  { sizeof(quern_imatrix_options), 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL }

/* Set struct_size before the call; fields beyond it are left out. */
typedef struct quern_imatrix_info {
  size_t struct_size;
  uint64_t n_tensors;
  uint32_t n_chunks;
  uint32_t chunk_size; /* in tokens */
} quern_imatrix_info;
#define QUERN_IMATRIX_INFO_INIT \
  { sizeof(quern_imatrix_info), 0, 0, 0 }

/* Of the mean squares of what one weight is multiplied with, by column. NaN: without a meaning. Set struct_size before
 * the call; fields beyond it are left out. `name` is valid until the matrix changes. */
typedef struct quern_imatrix_tensor {
  size_t struct_size;
  const char* name;
  uint64_t n_values; /* columns, of all experts */
  int32_t layer;     /* -1: of no layer */
  int32_t reserved;  /* 0 */
  double sum, min, max, mean, stddev;
  double active;  /* share of the columns above 1e-5 */
  double entropy; /* of the distribution over the columns, in bits */
  double normalized_entropy;
  double zd_score; /* share of the columns more than one standard deviation above the mean */
  double cosine;   /* similarity to the same weight in the layer before */
} quern_imatrix_tensor;
#define QUERN_IMATRIX_TENSOR_INIT \
  { sizeof(quern_imatrix_tensor), NULL, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0 }

/* The same of a layer: means over its weights, each as heavy as it has columns. Set struct_size before the call; fields
 * beyond it are left out. */
typedef struct quern_imatrix_layer {
  size_t struct_size;
  int32_t layer;
  int32_t reserved; /* 0 */
  double sum, zd_score, cosine;
} quern_imatrix_layer;
#define QUERN_IMATRIX_LAYER_INIT \
  { sizeof(quern_imatrix_layer), 0, 0, 0.0, 0.0, 0.0 }

/* Which input columns of a model's weights matter, measured on a text. */
typedef struct quern_imatrix quern_imatrix;
/* An empty one, to collect into. */
QUERN_API quern_status quern_imatrix_create(quern_imatrix** out);
/* A file of either format. */
QUERN_API quern_status quern_imatrix_open(const char* path, quern_imatrix** out);
QUERN_API void quern_imatrix_close(quern_imatrix* imatrix);
/* Adds what the model's weights are multiplied with while it reads the tokens. On an error, QUERN_ERROR_CANCELLED
 * included, the whole chunks before it have been added. */
QUERN_API quern_status quern_imatrix_collect(quern_imatrix* imatrix, const quern_model* model,
                                             const quern_token* tokens, size_t n_tokens,
                                             const quern_imatrix_options* options);
/* Adds another one: as if both texts had been read. */
QUERN_API quern_status quern_imatrix_merge(quern_imatrix* imatrix, const quern_imatrix* other);
/* Whole or not at all. */
QUERN_API quern_status quern_imatrix_save(const quern_imatrix* imatrix, const char* path,
                                          int32_t format); /* QUERN_IMATRIX_... */
QUERN_API quern_status quern_imatrix_get_info(const quern_imatrix* imatrix, quern_imatrix_info* out);
/* By layer, then by name; `index` from 0. */
QUERN_API quern_status quern_imatrix_get_tensor(quern_imatrix* imatrix, size_t index, quern_imatrix_tensor* out);
/* By layer; `index` from 0; QUERN_ERROR_ARGUMENT behind the last one. */
QUERN_API quern_status quern_imatrix_get_layer(const quern_imatrix* imatrix, size_t index, quern_imatrix_layer* out);
/* What a text that was read is called, or NULL behind the last one. Valid until the matrix changes. */
QUERN_API const char* quern_imatrix_dataset(const quern_imatrix* imatrix, size_t index);
/* The mean squares for one weight, by its name in the model file; none where there are none. */
QUERN_API quern_status quern_imatrix_weights(const quern_imatrix* imatrix, const char* tensor, float* buffer,
                                             size_t capacity, size_t* needed);

/* ---- quantizing -------------------------------------------------------------------------------------------------- */

/* A type of model files: which tensor gets which tensor type. The texts are of static storage. Set struct_size before
 * the call; fields beyond it are left out. */
typedef struct quern_quantization_type {
  size_t struct_size;
  const char* name; /* "Q4_K_M" */
  const char* description;
  double bits_per_weight; /* of an ordinary model of 8 billion weights; 0 where it keeps the source's types */
  int32_t needs_imatrix;  /* nonzero: cannot be made without an importance matrix */
  int32_t reserved;       /* 0 */
  int32_t makes_folder;   /* nonzero: of a Hugging Face folder, a checkpoint for other tools, and no GGUF file */
  int32_t reserved2;      /* 0 */
} quern_quantization_type;
#define QUERN_QUANTIZATION_TYPE_INIT \
  { sizeof(quern_quantization_type), NULL, NULL, 0.0, 0, 0, 0, 0 }

/* What quern_quantize_options.type takes: types of files from few bits to many, then those of folders; `index` from 0.
 */
QUERN_API size_t quern_n_quantization_types(void);
QUERN_API quern_status quern_get_quantization_type(size_t index, quern_quantization_type* out);

/* The tensors whose names match a regular expression (anywhere in them) get a tensor type of their own. */
typedef struct quern_tensor_type_override {
  const char* pattern; /* Perl-compatible, e.g. "ffn_down|attn_v" */
  const char* type;    /* "Q6_K" */
} quern_tensor_type_override;

typedef struct quern_quantize_options {
  size_t struct_size;
  const char* type;    /* NULL: "Q4_K_M" */
  const char* imatrix; /* a file, of either format; NULL: all inputs of a weight count alike */
  /* How the levels of weights are chosen. NULL or "nearest": the nearest ones. "gptq": so that rounding errors cancel
   * out in what the model computes from `calibration`. Takes the source model in memory, and about a gigabyte. */
  const char* method;
  const char* calibration;     /* a text like those that the model will read; some tens of thousands of tokens */
  size_t calibration_size;     /* or QUERN_NUL_TERMINATED */
  uint32_t calibration_ctx;    /* it is read in pieces of so many tokens. 0: 512 */
  uint32_t calibration_chunks; /* at most so many pieces. 0: all */
  const quern_tensor_type_override* tensor_types; /* the first that matches counts; goes before what the type says */
  size_t n_tensor_types;
  const char* output_tensor_type;   /* of output.weight; NULL: as the type says */
  const char* token_embedding_type; /* of token_embd.weight; NULL: as the type says */
  int32_t pure;                     /* nonzero: every tensor in the one tensor type that `type` is named after */
  int32_t leave_output_tensor;      /* nonzero: output.weight stays as it is */
  int32_t allow_requantize;         /* nonzero: also from tensor types that have lost precision; otherwise an error */
  int32_t dry_run;                  /* nonzero: only say what would be done */
  int32_t keep_split;               /* nonzero: as many files as the source has; otherwise one */
  int32_t reserved;                 /* 0 */
  const char* const* override_kv;   /* "key=type:value" with type int, float, bool or str: metadata of the new file */
  size_t n_override_kv;
  quern_progress_fn progress; /* stage "quantize"; before, "load" and "calibrate" for gptq */
  void* progress_user;
  const quern_cancel_token* cancel;
  /* Where one of these is not 0, types are chosen for the least loss within this size, measured on `calibration`. */
  uint64_t target_size_bytes; /* of the file */
  double target_bpw;          /* bits per weight, over all tensors */
  /* Where given, the new model and its source read it, and how far they are apart is in quern_quantize_info and in the
   * file's metadata. Both are in memory then. Not together with keep_split. */
  const char* report;
  size_t report_size;     /* or QUERN_NUL_TERMINATED */
  uint32_t report_chunks; /* at most so many pieces of 512 tokens. 0: all */
  uint32_t reserved2;     /* 0 */
  /* Of GPTQ_INT4: so many columns share a scale, a multiple of 32 (0: 128); nonzero: zero points are fitted to the
   * weights, and not all in the middle, which some readers insist on. */
  uint32_t group_size;
  int32_t asymmetric;
} quern_quantize_options;
#define QUERN_QUANTIZE_OPTIONS_INIT                                                                                  \
  {                                                                                                                  \
    sizeof(quern_quantize_options), NULL, NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 0, \
        NULL, NULL, NULL, 0, 0.0, NULL, 0, 0, 0, 0, 0                                                                \
  }

/* Set struct_size before the call; fields beyond it are left out. */
typedef struct quern_quantize_info {
  size_t struct_size;
  uint64_t n_tensors;
  uint64_t n_files;              /* 0 after a dry run */
  uint64_t from_bytes, to_bytes; /* of all tensors */
  double bits_per_weight;        /* of the new file's tensors */
  /* Of a report; without one, n_report_tokens is 0. */
  uint64_t n_report_tokens;
  double kl_divergence;  /* mean, in nats, of the source's predictions from the new model's */
  double top1_agreement; /* the share of tokens where both would choose the same one */
  double ppl, source_ppl;
} quern_quantize_info;
#define QUERN_QUANTIZE_INFO_INIT \
  { sizeof(quern_quantize_info), 0, 0, 0, 0, 0.0, 0, 0.0, 0.0, 0.0, 0.0 }

/* What was done to a tensor. Set struct_size before the call; fields beyond it are left out. */
typedef struct quern_quantized_tensor {
  size_t struct_size;
  const char* name;
  const char* from; /* tensor types; equal where the tensor was copied */
  const char* to;
  const char* reason;   /* why this type; may be empty */
  const char* fallback; /* the type that the shape ruled out, or empty */
  uint32_t n_dims;
  uint32_t reserved; /* 0 */
  uint64_t shape[4]; /* fastest dimension first */
  uint64_t from_bytes, to_bytes;
} quern_quantized_tensor;
#define QUERN_QUANTIZED_TENSOR_INIT \
  { sizeof(quern_quantized_tensor), NULL, NULL, NULL, NULL, NULL, 0, 0, {0, 0, 0, 0}, 0, 0 }

/* The result of quantizing. What it hands out lives as long as it. */
typedef struct quern_quantize_result quern_quantize_result;
/* Writes `to`, a file or where the type says so a folder, from `from`, a GGUF file or a Hugging Face folder, with the
 * runtime's threads (NULL: a private one); a few megabytes of the model are in memory at a time. On any error and when
 * cancelled `to` stays as it was. A dry run needs no `to`. */
QUERN_API quern_status quern_quantize(const quern_runtime* runtime, const char* from, const char* to,
                                      const quern_quantize_options* options, quern_quantize_result** out);
QUERN_API quern_status quern_quantize_result_get_info(const quern_quantize_result* result, quern_quantize_info* out);
/* In file order; `index` from 0. */
QUERN_API quern_status quern_quantize_result_get_tensor(const quern_quantize_result* result, size_t index,
                                                        quern_quantized_tensor* out);
/* The path of a file that was written, or NULL. */
QUERN_API const char* quern_quantize_result_file(const quern_quantize_result* result, size_t index);
QUERN_API void quern_quantize_result_close(quern_quantize_result* result);

/* ---- converting -------------------------------------------------------------------------------------------------- */

/* An adapter by its path, and how much of it counts. */
typedef struct quern_merged_adapter {
  const char* path;
  float scale;
  int32_t reserved; /* 0 */
} quern_merged_adapter;

typedef struct quern_convert_options {
  size_t struct_size;
  /* Of the weights: "f32", "f16", "bf16", "q8_0" or any other quantization type's name. NULL or "auto": F16 or BF16,
   * whichever the source's first matrix of 16 bits is in, else F16. Norms, biases and routers become F32. */
  const char* type;
  /* Nonzero: weights that are quantized already become `type` too; otherwise they keep their numbers where GGUF has a
   * type for these. */
  int32_t dequantize;
  int32_t allow_requantize;       /* nonzero: such weights may become a type of fewer than 8 bits; otherwise an error */
  const char* imatrix;            /* as in quern_quantize_options */
  const char* model_name;         /* general.name; NULL: the source's */
  int32_t vocab_only;             /* nonzero: metadata and tokenizer, no tensors */
  int32_t dry_run;                /* nonzero: only say what would be done */
  uint64_t split_max_bytes;       /* several files, of at most so many bytes of tensors each. 0: one file */
  uint64_t split_max_tensors;     /* several files, of at most so many tensors each. 0: one file */
  const char* const* override_kv; /* "key=type:value" with type int, float, bool or str: metadata of the new file */
  size_t n_override_kv;
  quern_progress_fn progress; /* stage "quantize" */
  void* progress_user;
  const quern_cancel_token* cancel;
  /* Low-rank adapters to add to the weights: GGUF files or PEFT folders. Changed weights become `type`. */
  const quern_merged_adapter* adapters;
  size_t n_adapters;
} quern_convert_options;
#define QUERN_CONVERT_OPTIONS_INIT \
  { sizeof(quern_convert_options), NULL, 0, 0, NULL, NULL, 0, 0, 0, 0, NULL, 0, NULL, NULL, NULL, NULL, 0 }

/* Writes the GGUF file `to` from a Hugging Face folder (config.json, safetensors, tokenizer) or a GGUF file, with the
 * runtime's threads (NULL: a private one); a few megabytes of the model are in memory at a time. On any error and when
 * cancelled `to` stays as it was. A dry run needs no `to`. The result is closed as that of quern_quantize(). */
QUERN_API quern_status quern_convert_model(const quern_runtime* runtime, const char* from, const char* to,
                                           const quern_convert_options* options, quern_quantize_result** out);

#ifdef __cplusplus
}
#endif

#endif
