/* Quern's C interface to the check of a model file: whether it runs here, found out without loading its weights.
 * A part of quern_c.h, which includes it; the conventions told there hold here.
 */
#ifndef QUERN_C_CHECK_H
#define QUERN_C_CHECK_H

#include "quern_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a problem is about. New parts may appear. */
#define QUERN_CHECK_FILE 0          /* cannot be read, or is malformed */
#define QUERN_CHECK_ARCHITECTURE 1  /* not named, or not known */
#define QUERN_CHECK_TOKENIZER 2     /* its data is at fault, or of a kind that is not known */
#define QUERN_CHECK_PARAMETERS 3    /* keys of the architecture */
#define QUERN_CHECK_TENSORS 4       /* missing, of another shape, or of a type that this library does not run */
#define QUERN_CHECK_CHAT_TEMPLATE 5 /* does not parse */
#define QUERN_CHECK_MEMORY 6        /* more is needed than there is */

/* "tensors"; "unknown" for parts that this library does not know. Static storage. */
QUERN_API const char* quern_check_part_name(int32_t part);

typedef struct quern_check_options {
  size_t struct_size;
  const quern_runtime* runtime;         /* what it would run on; NULL: a private one with default options */
  int32_t no_mmap;                      /* as in quern_model_options, for the memory needed */
  int32_t no_repack;                    /* the same */
  const quern_context_options* context; /* what the memory is counted for; NULL: defaults. Its n_ctx 0 stands for the
                                           model's training context, but at most 4096 */
  const char* quantize;                 /* as in quern_model_options */
  int32_t double_quant;                 /* the same */
  int32_t reserved;                     /* 0 */
} quern_check_options;
#define QUERN_CHECK_OPTIONS_INIT \
  { sizeof(quern_check_options), NULL, 0, 0, NULL, NULL, 0, 0 }

/* Sizes in bytes. Set struct_size before the call; fields beyond it are left out. */
typedef struct quern_check_info {
  size_t struct_size;
  int32_t opens;      /* nonzero: quern_model_open accepts the file */
  int32_t runs;       /* nonzero: and there is enough memory, as far as the system tells */
  const char* format; /* "GGUF v3"; empty if the file could not be read */
  const char* architecture;
  const char* tokenizer;
  const char* pretokenizer;
  const char* file_type; /* the commonest tensor type */
  const char* backend;
  int32_t architecture_known; /* nonzero: it is */
  int32_t tokenizer_known;
  int32_t has_chat_template;
  uint32_t n_ctx;            /* what the memory is counted for, in tokens */
  uint64_t n_problems;       /* all; more than are listed where many tensors are at fault */
  uint64_t n_listed;         /* quern_check_report_get_problem() has so many, fatal ones first */
  uint64_t n_tensors;        /* of the file */
  uint64_t n_unused;         /* tensors that the architecture has no use for */
  uint64_t n_skipped;        /* tensors of extra layers that predict further tokens, which are not used */
  uint32_t n_skipped_layers; /* how many such layers */
  uint32_t reserved;         /* 0 */
  uint64_t file_bytes, weight_bytes, cache_bytes, buffer_bytes;
  uint64_t needed_bytes;    /* 0: could not be found out */
  uint64_t available_bytes; /* 0: the system does not tell */
} quern_check_info;
#define QUERN_CHECK_INFO_INIT                                                                                        \
  {                                                                                                                  \
    sizeof(quern_check_info), 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0                                                                                                         \
  }

/* Set struct_size before the call; fields beyond it are left out. */
typedef struct quern_check_problem {
  size_t struct_size;
  int32_t part;        /* QUERN_CHECK_... */
  int32_t fatal;       /* nonzero: the model does not run because of it */
  quern_status code;   /* what quern_model_open would return */
  int32_t missing;     /* nonzero: the file does not have that tensor */
  const char* message; /* names the file, key, tensor and value concerned */
  const char* tensor;  /* its name; empty where it is about none */
} quern_check_problem;
#define QUERN_CHECK_PROBLEM_INIT \
  { sizeof(quern_check_problem), 0, 0, 0, 0, NULL, NULL }

/* What a check found out. Texts live as long as it. */
typedef struct quern_check_report quern_check_report;
/* Goes as far as quern_model_open does before it takes memory, and does not stop at the first fault. Whatever is wrong
 * with the file is in the report; a status other than QUERN_OK means that the check itself failed. */
QUERN_API quern_status quern_check(const char* path, const quern_check_options* options, quern_check_report** out);
QUERN_API quern_status quern_check_report_get_info(const quern_check_report* report, quern_check_info* out);
QUERN_API quern_status quern_check_report_get_problem(const quern_check_report* report, size_t index,
                                                      quern_check_problem* out);
/* The name of a tensor that the architecture has no use for, of which at most 64 are listed, or NULL. */
QUERN_API const char* quern_check_report_unused_tensor(const quern_check_report* report, size_t index);
QUERN_API void quern_check_report_close(quern_check_report* report);

#ifdef __cplusplus
}
#endif

#endif
