/* Quern's C interface: runs large language models (GGUF) on CPUs. C99.
 *
 * A program linked with this header's functions keeps running with every later library of the same ABI version; ABI.md
 * beside this folder holds the rules and the history. The order here: version, status, cancel, runtime, model,
 * tokenizer, chat template, context, sampler, generation, chat. Included at the end: quern_c_adapter.h, adapters;
 * quern_c_check.h, whether a model file runs here; quern_c_convert.h, what makes model files smaller and judges them;
 * quern_c_embed.h, embeddings; quern_c_evaluate.h, how far models are apart; quern_c_logits.h, logits that outlive a
 * decode; quern_c_scheduler.h, many generations at once.
 *
 * Handles. Made by ..._create or ..._open, which set *out to NULL on failure; given back with ..._close, which accepts
 *   NULL. A handle keeps what it stands on: a model may be closed while its contexts are in use.
 * Errors. A quern_status is QUERN_OK or says why not; quern_last_error_message() has the text. Nothing ends the
 * process, prints, or throws. Options. A struct that begins with `struct_size`: start from its ..._INIT macro. NULL
 * stands for all defaults. Text. UTF-8 with its size in bytes, or QUERN_NUL_TERMINATED as the size. Buffers. The
 * caller's: (buffer, capacity, *needed). *needed is always set; if it exceeds the capacity the result is
 *   QUERN_ERROR_BUFFER_TOO_SMALL and nothing is written, so (NULL, 0) asks for the size. Texts get a terminating zero,
 *   which counts in the capacity and in *needed.
 * Callbacks. Take the `user` pointer given beside them. Those that return int stop the operation by returning nonzero.
 *   They must not throw (or longjmp) through the library.
 * Threads. Runtimes, models and chat templates may be used from many threads at once, and a scheduler as its header
 *   tells; every other handle from one at a time. Cancel tokens are made to be raised from anywhere, a signal handler
 * included.
 */
#ifndef QUERN_C_H
#define QUERN_C_H

#include <stddef.h>
#include <stdint.h>

#if defined(QUERN_C_BUILD) && defined(_WIN32)
#define QUERN_API __declspec(dllexport)
#elif defined(_WIN32)
#define QUERN_API __declspec(dllimport)
#elif defined(__GNUC__)
#define QUERN_API __attribute__((visibility("default")))
#else
#define QUERN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version ---------------------------------------------------------------------------------------------------- */

#define QUERN_C_ABI_VERSION 1

/* The ABI version of the library that is running. */
QUERN_API uint32_t quern_abi_version(void);
/* Its release, "major.minor.patch". Static storage. */
QUERN_API const char* quern_version(void);

/* ---- status ----------------------------------------------------------------------------------------------------- */

/* Grouped in tens, never renumbered; new codes may appear. */
typedef int32_t quern_status;
#define QUERN_OK ((quern_status)0)
#define QUERN_ERROR_IO ((quern_status)10)               /* the operating system refused to read or write */
#define QUERN_ERROR_NOT_FOUND ((quern_status)11)        /* no such file, key or name */
#define QUERN_ERROR_FORMAT ((quern_status)20)           /* a file or a text is malformed */
#define QUERN_ERROR_UNSUPPORTED ((quern_status)30)      /* well-formed, but not handled by this library */
#define QUERN_ERROR_ARGUMENT ((quern_status)40)         /* a caller's value is out of range */
#define QUERN_ERROR_BUFFER_TOO_SMALL ((quern_status)41) /* see "Buffers" above */
#define QUERN_ERROR_MEMORY ((quern_status)50)           /* out of memory, or over a limit */
#define QUERN_ERROR_DEVICE ((quern_status)60)           /* a device failed */
#define QUERN_ERROR_CANCELLED ((quern_status)70)        /* the caller asked the operation to stop */
#define QUERN_ERROR_CONTEXT_FULL ((quern_status)80)     /* the key-value cache has no room */
#define QUERN_ERROR_BUSY ((quern_status)90)             /* too much is waiting already: come again later */
#define QUERN_ERROR_INTERNAL ((quern_status)100)        /* a broken invariant of the library: please report */

/* Short name of a code, e.g. "format". Static storage; "unknown" for codes that this library does not have. */
QUERN_API const char* quern_status_name(quern_status status);

/* The message of the last call on this thread that failed; names the file, key, tensor and value concerned. Valid until
 * the next call on this thread that fails. Never NULL. */
QUERN_API const char* quern_last_error_message(void);

/* For the size of a text: it ends at its terminating zero. */
#define QUERN_NUL_TERMINATED ((size_t)-1)

/* ---- progress, cancel ------------------------------------------------------------------------------------------- */

/* How far a long operation is. `stage` ("load", "prefill", "embed", "evaluate", "imatrix", "calibrate", "quantize") is
 * valid during the call; `total` may be 0 while it is not known; bytes for "load" and "quantize", tokens otherwise.
 * Called on the thread of the operation. Nonzero cancels it. */
typedef int (*quern_progress_fn)(void* user, const char* stage, uint64_t done, uint64_t total);

/* A flag that stops the operations it was given to. Stays raised until reset. */
typedef struct quern_cancel_token quern_cancel_token;
QUERN_API quern_status quern_cancel_token_create(quern_cancel_token** out);
QUERN_API void quern_cancel_token_cancel(const quern_cancel_token* token);
QUERN_API void quern_cancel_token_reset(const quern_cancel_token* token);
QUERN_API int quern_cancel_token_cancelled(const quern_cancel_token* token);
QUERN_API void quern_cancel_token_close(quern_cancel_token* token);

/* ---- runtime: threads, backend, log ----------------------------------------------------------------------------- */

#define QUERN_LOG_DEBUG 0
#define QUERN_LOG_INFO 1
#define QUERN_LOG_WARNING 2
#define QUERN_LOG_ERROR 3

/* Receives the messages of one runtime, from whichever thread meets the event. `message` is valid during the call. */
typedef void (*quern_log_fn)(void* user, int32_t level, const char* message);

typedef struct quern_runtime_options {
  size_t struct_size;
  uint32_t n_threads;  /* 0: the physical cores that this process may use, without the slow ones of two kinds */
  const char* backend; /* NULL: "cpu". "reference": scalar, slow, the oracle of the tests */
  quern_log_fn log;    /* NULL: no messages */
  void* log_user;
  const int32_t* processors; /* logical processors that the runtime's threads may run on (Linux) */
  size_t n_processors;       /* 0: all that this process may use */
  int32_t pin_threads;       /* nonzero: each thread stays on one of them, a core of its own while there are enough */
  int32_t reserved;          /* 0 */
} quern_runtime_options;
#define QUERN_RUNTIME_OPTIONS_INIT \
  { sizeof(quern_runtime_options), 0, NULL, NULL, NULL, NULL, 0, 0, 0 }

typedef struct quern_runtime quern_runtime;
QUERN_API quern_status quern_runtime_create(const quern_runtime_options* options, quern_runtime** out);
QUERN_API uint32_t quern_runtime_n_threads(const quern_runtime* runtime);
/* The backend and its instruction set, e.g. "cpu (AVX3_ZEN4)". Lives as long as the handle. */
QUERN_API const char* quern_runtime_description(const quern_runtime* runtime);
/* Binds the calling thread as the options say. The runtime binds only threads that it starts itself; the thread that
 * calls it takes part in the work, so with pin_threads call this from that thread. */
QUERN_API quern_status quern_runtime_bind_this_thread(const quern_runtime* runtime);
/* Bytes a second that the runtime's threads together read from memory, which bounds how fast a model can answer. Takes
 * `size_bytes` of memory, which should be much more than the caches hold (0: 512 MiB), and about a second. */
QUERN_API quern_status quern_runtime_measure_read_bandwidth(const quern_runtime* runtime, uint64_t size_bytes,
                                                            double* bytes_per_second);
QUERN_API void quern_runtime_close(quern_runtime* runtime);

/* ---- model ------------------------------------------------------------------------------------------------------ */

typedef struct quern_model_options {
  size_t struct_size;
  const quern_runtime* runtime; /* NULL: a private one */
  int32_t no_mmap;              /* nonzero: read the file into memory instead of mapping it */
  int32_t vocab_only;           /* nonzero: metadata and tokenizer only; such a model makes no context */
  quern_progress_fn progress;
  void* progress_user;
  const quern_cancel_token* cancel;
  int32_t no_repack;    /* nonzero: read weights from the mapped file: less memory, slower answers, the same results */
  const char* quantize; /* quantize the matrices of products as the model is opened: "nf4", "fp4", "int8", or a type of
                           GGUF ("Q4_K"); NULL or "": as they are stored */
  int32_t double_quant; /* nonzero, with "nf4": quantize its scales too */
  int32_t reserved;     /* 0 */
} quern_model_options;
#define QUERN_MODEL_OPTIONS_INIT \
  { sizeof(quern_model_options), NULL, 0, 0, NULL, NULL, NULL, 0, NULL, 0, 0 }

typedef struct quern_model quern_model;
/* Opens a GGUF file; the other parts of a split one are found by name. */
QUERN_API quern_status quern_model_open(const char* path, const quern_model_options* options, quern_model** out);
QUERN_API void quern_model_close(quern_model* model);
/* What it runs on, as a handle of its own, which is to be closed: the runtime given when it was opened, or its private
 * one. */
QUERN_API quern_status quern_model_get_runtime(const quern_model* model, quern_runtime** out);

/* Texts live as long as the model's handle. Set struct_size before the call; fields beyond it are left out. */
typedef struct quern_model_info {
  size_t struct_size;
  const char* path;
  const char* name;
  const char* architecture;
  const char* file_type; /* the commonest tensor type by bytes, e.g. "Q4_K" */
  uint64_t n_parameters;
  uint64_t size_bytes; /* tensor bytes in the file */
  uint32_t n_vocab, n_embd, n_layer, n_head, n_head_kv, n_ff;
  uint32_t n_ctx_train; /* context length of the training */
} quern_model_info;
#define QUERN_MODEL_INFO_INIT \
  { sizeof(quern_model_info), NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
QUERN_API quern_status quern_model_get_info(const quern_model* model, quern_model_info* out);

/* The bytes of a model's weights, by what they are for. Set struct_size before the call; fields beyond it are left out.
 */
typedef struct quern_footprint {
  size_t struct_size;
  uint64_t matrix_bytes;      /* matrices of products, rearranged in memory */
  uint64_t vector_bytes;      /* norms and biases, as floats in memory */
  uint64_t table_bytes;       /* tables of embeddings, whose rows are read from the file */
  uint64_t kept_bytes;        /* matrices of products that are read from the file each time: no_repack */
  uint64_t total_bytes;       /* the sum of these */
  uint64_t file_bytes;        /* all of the model's files */
  uint64_t file_needed_bytes; /* of these, what is still read: tables and kept matrices */
  int32_t file_mapped;        /* nonzero: the files are mapped, and their other pages need not be in memory */
  int32_t reserved;           /* 0 */
} quern_footprint;
#define QUERN_FOOTPRINT_INIT \
  { sizeof(quern_footprint), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
QUERN_API quern_status quern_model_footprint(const quern_model* model, quern_footprint* out);

/* The file's chat template (Jinja); empty if it has none. Lives as long as the handle, as do the texts below. */
QUERN_API const char* quern_model_chat_template(const quern_model* model);
/* Metadata in file order, values in text form (arrays shortened). NULL for an index or a key that does not exist. */
QUERN_API size_t quern_model_n_metadata(const quern_model* model);
QUERN_API const char* quern_model_metadata_key(const quern_model* model, size_t index);
QUERN_API const char* quern_model_metadata_value(const quern_model* model, size_t index);
QUERN_API const char* quern_model_metadata_find(const quern_model* model, const char* key);

typedef struct quern_tensor_info {
  size_t struct_size;
  const char* name;
  const char* type;
  uint32_t n_dims;
  uint64_t shape[4]; /* fastest dimension first */
  uint64_t size_bytes;
} quern_tensor_info;
#define QUERN_TENSOR_INFO_INIT \
  { sizeof(quern_tensor_info), NULL, NULL, 0, {0, 0, 0, 0}, 0 }
QUERN_API size_t quern_model_n_tensors(const quern_model* model);
QUERN_API quern_status quern_model_get_tensor(const quern_model* model, size_t index, quern_tensor_info* out);

/* ---- tokenizer -------------------------------------------------------------------------------------------------- */

/* Index into the model's vocabulary; -1 stands for "none". */
typedef int32_t quern_token;

/* Add BOS/EOS where the model asks for them. */
#define QUERN_TOKENIZE_ADD_SPECIAL 1u
/* Read control tokens written out in the text: not for text that users typed. */
#define QUERN_TOKENIZE_PARSE_SPECIAL 2u

/* Any bytes are accepted. Unknown flags are refused. */
QUERN_API quern_status quern_tokenize(const quern_model* model, const char* text, size_t size, uint32_t flags,
                                      quern_token* buffer, size_t capacity, size_t* needed);
/* Control tokens are left out unless `special` is nonzero. */
QUERN_API quern_status quern_detokenize(const quern_model* model, const quern_token* tokens, size_t n_tokens,
                                        int32_t special, char* buffer, size_t capacity, size_t* needed);
/* The bytes of one token, possibly part of a character: join them with a text stream. */
QUERN_API quern_status quern_token_piece(const quern_model* model, quern_token token, int32_t special, char* buffer,
                                         size_t capacity, size_t* needed);
QUERN_API int32_t quern_n_tokens(const quern_model* model);
QUERN_API quern_token quern_token_bos(const quern_model* model);
QUERN_API quern_token quern_token_eos(const quern_model* model);
QUERN_API int quern_adds_bos(const quern_model* model);
/* Whether a token ends a generation: EOS, end of turn and the like. */
QUERN_API int quern_token_is_end(const quern_model* model, quern_token token);
QUERN_API int quern_token_is_control(const quern_model* model, quern_token token);
/* The token of this exact vocabulary text ("<|im_end|>"), or -1. */
QUERN_API quern_token quern_token_find(const quern_model* model, const char* text, size_t size);

/* Turns a stream of tokens into text that never ends inside a character. */
typedef struct quern_text_stream quern_text_stream;
QUERN_API quern_status quern_text_stream_create(const quern_model* model, quern_text_stream** out);
/* The characters that this token completes, possibly none. *text is valid until the next call on the stream. */
QUERN_API quern_status quern_text_stream_push(quern_text_stream* stream, quern_token token, const char** text,
                                              size_t* size);
/* What remains at the end; an unfinished character becomes U+FFFD. */
QUERN_API quern_status quern_text_stream_finish(quern_text_stream* stream, const char** text, size_t* size);
QUERN_API void quern_text_stream_close(quern_text_stream* stream);

/* ---- chat template ---------------------------------------------------------------------------------------------- */

typedef struct quern_chat_message {
  const char* role; /* "system", "user", "assistant", "tool" */
  const char* content;
  size_t content_size; /* or QUERN_NUL_TERMINATED */
} quern_chat_message;

typedef struct quern_template_options {
  size_t struct_size;
  int32_t no_generation_prompt; /* nonzero: do not end with the opening of an assistant turn */
  const char* extra_json;       /* NULL, or a JSON object of further template variables */
} quern_template_options;
#define QUERN_TEMPLATE_OPTIONS_INIT \
  { sizeof(quern_template_options), 0, NULL }

typedef struct quern_chat_template quern_chat_template;
/* The model's template, or ChatML where it has none. */
QUERN_API quern_status quern_chat_template_from_model(const quern_model* model, quern_chat_template** out);
QUERN_API quern_status quern_chat_template_from_source(const quern_model* model, const char* jinja, size_t size,
                                                       quern_chat_template** out);
/* The prompt as text. */
QUERN_API quern_status quern_chat_template_render(const quern_chat_template* chat_template,
                                                  const quern_chat_message* messages, size_t n_messages,
                                                  const quern_template_options* options, char* buffer, size_t capacity,
                                                  size_t* needed);
/* The prompt as tokens, with exactly one BOS where the model wants one. */
QUERN_API quern_status quern_chat_template_tokenize(const quern_chat_template* chat_template,
                                                    const quern_chat_message* messages, size_t n_messages,
                                                    const quern_template_options* options, quern_token* buffer,
                                                    size_t capacity, size_t* needed);
QUERN_API void quern_chat_template_close(quern_chat_template* chat_template);

/* ---- context: the key-value cache of sequences, and the forward pass --------------------------------------------- */

/* Element type of cached keys and values. */
#define QUERN_CACHE_F16 0
#define QUERN_CACHE_F32 1
#define QUERN_CACHE_Q8_0 2
#define QUERN_CACHE_Q4_0 3

typedef struct quern_context_options {
  size_t struct_size;
  uint32_t n_ctx;     /* cached tokens, all sequences together. 0: the model's training context */
  uint32_t n_batch;   /* tokens of one pass through the model. 0: 512 */
  uint32_t n_seq_max; /* sequence ids are 0 ... n_seq_max-1. 0: 1 */
  int32_t type_k;     /* QUERN_CACHE_... */
  int32_t type_v;
  /* Points that a sequence can go back to although layers with a sliding window have forgotten what they saw there: of
     one sequence; the oldest goes first. 0: 32, below 0: none. */
  int64_t n_checkpoints;
} quern_context_options;
#define QUERN_CONTEXT_OPTIONS_INIT \
  { sizeof(quern_context_options), 0, 0, 0, QUERN_CACHE_F16, QUERN_CACHE_F16, 0 }

/* One token of a batch. */
typedef struct quern_batch_token {
  quern_token token;
  int32_t position; /* must exceed every position that its sequence holds */
  int32_t sequence;
  int32_t logits; /* nonzero: compute this row's logits */
} quern_batch_token;

typedef struct quern_decode_options {
  size_t struct_size;
  quern_progress_fn progress; /* stage "prefill", after each pass */
  void* progress_user;
  const quern_cancel_token* cancel; /* looked at once per layer at least */
} quern_decode_options;
#define QUERN_DECODE_OPTIONS_INIT \
  { sizeof(quern_decode_options), NULL, NULL, NULL }

/* A row's logits depend on its sequence alone, bit for bit: not on its batch, the threads, or the other sequences. */
typedef struct quern_context quern_context;
QUERN_API quern_status quern_context_create(const quern_model* model, const quern_context_options* options,
                                            quern_context** out);
QUERN_API void quern_context_close(quern_context* context);

/* Runs the tokens and appends them to their sequences. On an error the sequences are as they were before the call. */
QUERN_API quern_status quern_context_decode(quern_context* context, const quern_batch_token* batch, size_t n_tokens,
                                            const quern_decode_options* options);
/* Appends tokens to one sequence; logits of the last one, or of all if `all_logits` is nonzero. */
QUERN_API quern_status quern_context_append(quern_context* context, const quern_token* tokens, size_t n_tokens,
                                            int32_t sequence, int32_t all_logits, const quern_decode_options* options);
/* Logits [n_vocab] of the i-th row of the last decode that asked for them, or NULL. Valid until the next decode. */
QUERN_API const float* quern_context_logits(const quern_context* context, size_t index);
QUERN_API size_t quern_context_n_logits(const quern_context* context);
/* Of the last such row, or NULL. */
QUERN_API const float* quern_context_last_logits(const quern_context* context);

/* Tokens that a sequence holds, and the position that follows its last one. */
QUERN_API uint32_t quern_context_sequence_length(const quern_context* context, int32_t sequence);
QUERN_API int32_t quern_context_next_position(const quern_context* context, int32_t sequence);
/* The tokens of a sequence, in the order of their positions. */
QUERN_API quern_status quern_context_sequence_tokens(const quern_context* context, int32_t sequence,
                                                     quern_token* buffer, size_t capacity, size_t* needed);
/* Forgets the tokens of a sequence at positions [from, to); to < 0 means the end. Later positions stay as they are.
   QUERN_ERROR_UNSUPPORTED where the sequence would end at a position that it cannot go back to. */
QUERN_API quern_status quern_context_sequence_remove(quern_context* context, int32_t sequence, int32_t from,
                                                     int32_t to);
/* Goes back to `position`, or as close before it as the model's memory allows: forgets everything from *reached on,
   from where the caller decodes again. That is `position`, or the sequence's end if that comes first, for models whose
   layers all see the whole sequence. Layers with a sliding window forget: there, the last 64 positions and the
   checkpoints can be gone back to (the end of each decode that brought the sequence several tokens, and one every 8192
   tokens); otherwise *reached is 0, and the sequence empty. */
QUERN_API quern_status quern_context_sequence_rewind(quern_context* context, int32_t sequence, int32_t position,
                                                     int32_t* reached);
/* Forgets every sequence but this one. */
QUERN_API quern_status quern_context_sequence_keep(quern_context* context, int32_t sequence);
/* Makes `to` a copy of `from`, sharing memory until they diverge. */
QUERN_API quern_status quern_context_sequence_fork(quern_context* context, int32_t from, int32_t to);
QUERN_API void quern_context_clear(quern_context* context);
/* The state of one sequence as bytes, for a context of the same model, cache types and backend. */
QUERN_API quern_status quern_context_sequence_save(const quern_context* context, int32_t sequence, void* buffer,
                                                   size_t capacity, size_t* needed);
QUERN_API quern_status quern_context_sequence_restore(quern_context* context, int32_t sequence, const void* state,
                                                      size_t size);
QUERN_API uint32_t quern_context_n_ctx(const quern_context* context);
QUERN_API uint32_t quern_context_n_used(const quern_context* context);
/* Memory that the cache takes at present. */
QUERN_API uint64_t quern_context_cache_bytes(const quern_context* context);

/* ---- sampler ---------------------------------------------------------------------------------------------------- */

typedef struct quern_logit_bias {
  quern_token token;
  float bias; /* added to the logit; -infinity forbids the token */
} quern_logit_bias;

#define QUERN_RANDOM_SEED 0xFFFFFFFFu

/* Start from QUERN_SAMPLER_OPTIONS_INIT (or, from a language without macros, quern_sampler_options_init): the defaults
 * of the fields are not all zero. "off" tells the value that switches a step off. */
typedef struct quern_sampler_options {
  size_t struct_size;
  uint32_t seed;                            /* QUERN_RANDOM_SEED: a random one, which quern_sampler_seed() tells */
  float temperature;                        /* 0.8; <= 0: greedy */
  float dynatemp_range;                     /* off 0 */
  float dynatemp_exponent;                  /* 1 */
  int32_t top_k;                            /* 40; off <= 0 */
  float top_p;                              /* 0.95; off 1 */
  float min_p;                              /* 0.05; off 0 */
  float typical_p;                          /* off 1 */
  float top_n_sigma;                        /* -1; off <= 0 */
  uint32_t min_keep;                        /* tokens that top_p, min_p, typical_p and XTC leave at least */
  float xtc_probability;                    /* off 0 */
  float xtc_threshold;                      /* 0.1; off > 0.5 */
  int32_t penalty_last_n;                   /* 64; 0 off, -1 all */
  float repeat_penalty;                     /* off 1 */
  float frequency_penalty;                  /* off 0 */
  float presence_penalty;                   /* off 0 */
  float dry_multiplier;                     /* off 0 */
  float dry_base;                           /* 1.75 */
  int32_t dry_allowed_length;               /* 2 */
  int32_t dry_penalty_last_n;               /* 64; 0 off, -1 all */
  const char* const* dry_sequence_breakers; /* NULL: newline, colon, double quote, asterisk */
  size_t n_dry_sequence_breakers;
  int32_t mirostat;   /* 1 or 2: replaces every step but bias, penalties and temperature. off 0 */
  float mirostat_tau; /* 5 */
  float mirostat_eta; /* 0.1 */
  int32_t ignore_eos; /* nonzero: forbids the tokens that end a generation */
  const quern_logit_bias* logit_bias;
  size_t n_logit_bias;
  const char* order; /* NULL: "edskypmxt": e penalties, d dry, s top_n_sigma, k top_k, y typical_p, p top_p, m min_p, x
                        xtc, t temperature. A step not named does not run. */
} quern_sampler_options;
#define QUERN_SAMPLER_OPTIONS_INIT                                                                                    \
  {                                                                                                                   \
    sizeof(quern_sampler_options), QUERN_RANDOM_SEED, 0.8f, 0.0f, 1.0f, 40, 0.95f, 0.05f, 1.0f, -1.0f, 0, 0.0f, 0.1f, \
        64, 1.0f, 0.0f, 0.0f, 0.0f, 1.75f, 2, 64, NULL, 0, 0, 5.0f, 0.1f, 0, NULL, 0, NULL                            \
  }

/* Fills the first `struct_size` bytes with the defaults, struct_size included. */
QUERN_API quern_status quern_sampler_options_init(quern_sampler_options* options, size_t struct_size);

typedef struct quern_token_probability {
  quern_token token;
  float probability;
} quern_token_probability;

/* Seeded: the same logits, history and options give the same tokens on every platform. One per sequence. */
typedef struct quern_sampler quern_sampler;
QUERN_API quern_status quern_sampler_create(const quern_model* model, const quern_sampler_options* options,
                                            quern_sampler** out);
QUERN_API void quern_sampler_close(quern_sampler* sampler);
/* Chooses a token from logits [n_vocab]. Does not change the history. */
QUERN_API quern_status quern_sampler_sample(quern_sampler* sampler, const float* logits, size_t n_logits,
                                            quern_token* token);
/* Adds a token to the history that penalties look at. */
QUERN_API void quern_sampler_accept(quern_sampler* sampler, quern_token token);
/* Forgets the history and starts again from the seed. */
QUERN_API void quern_sampler_reset(quern_sampler* sampler);
QUERN_API uint32_t quern_sampler_seed(const quern_sampler* sampler);
/* What the last sample chose from, most probable first, at most `capacity` of them; *n tells how many were written. */
QUERN_API quern_status quern_sampler_candidates(const quern_sampler* sampler, quern_token_probability* buffer,
                                                size_t capacity, size_t* n);

/* ---- generation ------------------------------------------------------------------------------------------------- */

/* One step of a generation. `text` (not zero-terminated, valid during the call) is what became certain with this token:
 * it never ends inside a character, and waits where a stop text may have begun. What was waiting at the end comes with
 * token -1. Nonzero ends the generation with what there is. */
typedef int (*quern_token_fn)(void* user, quern_token token, const char* text, size_t size);

/* A token, and the natural logarithm of the model's probability of it, before any step of sampling. */
typedef struct quern_token_logprob {
  quern_token token;
  float logprob;
} quern_token_logprob;

/* One step of a generation, with what quern_token_fn is told and the probabilities. Made by the library, which sets
 * struct_size: fields beyond it are not there. Valid during the call. */
typedef struct quern_step {
  size_t struct_size;
  quern_token token; /* -1: the text that was waiting at the end */
  float logprob;     /* where quern_generate_options.logprobs asks for it, else 0 */
  const char* text;  /* not zero-terminated */
  size_t size;
  const quern_token_logprob* top; /* the most probable tokens, the first the most */
  size_t n_top;
} quern_step;
/* Nonzero ends the generation with what there is. */
typedef int (*quern_step_fn)(void* user, const quern_step* step);

typedef struct quern_generate_options {
  size_t struct_size;
  int32_t max_tokens;                   /* 0: until the model ends or the context is full */
  const quern_sampler_options* sampler; /* NULL: defaults */
  const char* const* stop;              /* texts that end the generation; they are not part of the output */
  size_t n_stop;
  quern_token_fn on_token;
  void* on_token_user;
  quern_progress_fn progress; /* stage "prefill" */
  void* progress_user;
  const quern_cancel_token* cancel; /* ends the generation with what there is; not an error */
  /* What sequence 0 is to be computed with (quern_c_adapter.h), `adapters` being not NULL: where these are others than
   * it has, what it holds is forgotten, and it keeps them. */
  const struct quern_adapter_use* adapters;
  size_t n_adapters;
  quern_step_fn on_step; /* called for each step, after on_token where both are given */
  void* on_step_user;
  int32_t logprobs;    /* nonzero: on_step is told the tokens' probabilities, which takes time */
  uint32_t n_logprobs; /* and so many of the highest ones */
} quern_generate_options;
#define QUERN_GENERATE_OPTIONS_INIT \
  { sizeof(quern_generate_options), 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, 0 }

#define QUERN_STOP_LENGTH 0
#define QUERN_STOP_END_OF_GENERATION 1
#define QUERN_STOP_TEXT 2
#define QUERN_STOP_CANCELLED 3
#define QUERN_STOP_CONTEXT_FULL 4

/* Set struct_size before the call; fields beyond it are left out. */
typedef struct quern_timings {
  size_t struct_size;
  uint32_t n_prompt; /* prompt tokens that were computed */
  uint32_t n_cached; /* prompt tokens found in the cache */
  uint32_t n_generated;
  double prompt_seconds, generate_seconds;
} quern_timings;
#define QUERN_TIMINGS_INIT \
  { sizeof(quern_timings), 0, 0, 0, 0.0, 0.0 }

/* The result of a generation. What it hands out lives as long as it. */
typedef struct quern_generation quern_generation;
/* Continues `prompt` on sequence 0. What the sequence holds in common with it is not computed again; the rest is
 * forgotten. */
QUERN_API quern_status quern_generate(quern_context* context, const quern_token* prompt, size_t n_tokens,
                                      const quern_generate_options* options, quern_generation** out);
/* The text, zero-terminated; *size (where not NULL) receives its bytes without the zero. */
QUERN_API const char* quern_generation_text(const quern_generation* generation, size_t* size);
/* The tokens, without the one that ended it and those of a stop text. */
QUERN_API const quern_token* quern_generation_tokens(const quern_generation* generation, size_t* n_tokens);
QUERN_API int32_t quern_generation_stop_reason(const quern_generation* generation); /* QUERN_STOP_... */
QUERN_API quern_status quern_generation_get_timings(const quern_generation* generation, quern_timings* out);
QUERN_API void quern_generation_close(quern_generation* generation);

/* ---- chat: a conversation --------------------------------------------------------------------------------------- */

/* Keeps the messages, renders the model's template, reuses the cache of a context of its own. */
typedef struct quern_chat quern_chat;
/* `system_prompt` may be NULL. */
QUERN_API quern_status quern_chat_create(const quern_model* model, const quern_context_options* options,
                                         const char* system_prompt, size_t size, quern_chat** out);
/* Adds the message and the answer to the conversation. A cancelled answer is kept as far as it came. If the
 * conversation no longer fits: QUERN_ERROR_CONTEXT_FULL, and the message is not added. */
QUERN_API quern_status quern_chat_send(quern_chat* chat, const char* message, size_t size,
                                       const quern_generate_options* options, quern_generation** out);
QUERN_API size_t quern_chat_n_messages(const quern_chat* chat);
/* The texts are valid until the conversation changes. */
QUERN_API quern_status quern_chat_get_message(const quern_chat* chat, size_t index, quern_chat_message* out);
/* Takes back the last question and its answer. */
QUERN_API void quern_chat_undo(quern_chat* chat);
/* Forgets all but the system prompt. */
QUERN_API void quern_chat_clear(quern_chat* chat);
/* The chat's own context: lives as long as the chat; do not close it. */
QUERN_API quern_context* quern_chat_context(quern_chat* chat);
QUERN_API void quern_chat_close(quern_chat* chat);

#ifdef __cplusplus
}
#endif

#include "quern_c_adapter.h"
#include "quern_c_check.h"
#include "quern_c_convert.h"
#include "quern_c_embed.h"
#include "quern_c_evaluate.h"
#include "quern_c_logits.h"
#include "quern_c_scheduler.h"

#endif
