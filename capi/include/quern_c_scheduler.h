/* Quern's C interface to many generations on one model at once. Their passes go through the model together, and what
 * prompts have in common is computed once; each gets the answer that quern_generate() would give.
 * A part of quern_c.h, which includes it; the conventions told there hold here.
 */
#ifndef QUERN_C_SCHEDULER_H
#define QUERN_C_SCHEDULER_H

#include "quern_c.h"
#include "quern_c_adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct quern_scheduler_options {
  size_t struct_size;
  uint32_t n_parallel;    /* generations that are computed at once; others wait. 0: 4 */
  uint32_t max_queued;    /* as many may wait. 0: 256 */
  uint32_t n_ctx_request; /* tokens of one generation, prompt and answer. 0: context->n_ctx / n_parallel */
  /* Finished sequences that are kept for prompts which begin alike, while there is room. 0: 32; below 0: none. */
  int32_t n_kept;
  /* n_ctx: cached tokens of all sequences together, 0: the model's training context for each of n_parallel; n_batch:
   * tokens of one step. n_seq_max does not count. NULL: defaults. */
  const quern_context_options* context;
  const quern_adapter_use* adapters; /* of generations that do not name their own */
  size_t n_adapters;
} quern_scheduler_options;
#define QUERN_SCHEDULER_OPTIONS_INIT \
  { sizeof(quern_scheduler_options), 0, 0, 0, 0, NULL, NULL, 0 }

/* Has no thread of its own: somebody calls quern_scheduler_step() or _run(). Any thread may submit, ask for statistics
 * and list what runs meanwhile; steps are taken by one thread at a time. */
typedef struct quern_scheduler quern_scheduler;
QUERN_API quern_status quern_scheduler_create(const quern_model* model, const quern_scheduler_options* options,
                                              quern_scheduler** out);
/* Ends what is left: its ends are told QUERN_ERROR_CANCELLED. Not while a step is in progress. */
QUERN_API void quern_scheduler_close(quern_scheduler* scheduler);

/* The end of a generation, called exactly once, on the thread that takes the step. With QUERN_OK `generation` is what
 * was generated, valid during the call; otherwise it is NULL, and quern_last_error_message() has the text. */
typedef void (*quern_end_fn)(void* user, quern_status status, const quern_generation* generation);

/* Of `options` everything is copied but what callbacks and their `user` point to; its callbacks are called on the
 * thread that takes the step and must not take long, `progress` is not called, and `cancel` takes effect with the next
 * step. QUERN_ERROR_BUSY if too many wait already, QUERN_ERROR_CONTEXT_FULL for a prompt that never fits; then on_end
 * is not called. *id (where not NULL) receives the generation's number. */
QUERN_API quern_status quern_scheduler_submit(quern_scheduler* scheduler, const quern_token* prompt, size_t n_tokens,
                                              const quern_generate_options* options, quern_end_fn on_end,
                                              void* on_end_user, uint64_t* id);
/* One pass of the model for everything that runs. *worked (where not NULL) is 0 where there was nothing to do. */
QUERN_API quern_status quern_scheduler_step(quern_scheduler* scheduler, int32_t* worked);
/* Steps while there is work and waits while there is none, until `stop` is raised or an error of the device. */
QUERN_API quern_status quern_scheduler_run(quern_scheduler* scheduler, const quern_cancel_token* stop);

/* As of the last step; counts are since the scheduler was made. Set struct_size before the call; fields beyond it are
 * left out. */
typedef struct quern_scheduler_stats {
  size_t struct_size;
  uint32_t n_running, n_queued;
  uint32_t n_kept;          /* finished sequences kept */
  uint32_t n_used, n_ctx;   /* cached tokens: in use, and in all */
  uint32_t reserved;        /* 0 */
  uint64_t n_finished;      /* generations that ended, for whatever reason */
  uint64_t n_prompt_tokens; /* computed; those found in the cache are not among them */
  uint64_t n_cached_tokens; /* found in the cache */
  uint64_t n_generated_tokens;
  uint64_t n_steps;
  double prompt_seconds, generate_seconds; /* of steps with a part of a prompt, and of those without */
} quern_scheduler_stats;
#define QUERN_SCHEDULER_STATS_INIT \
  { sizeof(quern_scheduler_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0 }
QUERN_API quern_status quern_scheduler_get_stats(const quern_scheduler* scheduler, quern_scheduler_stats* out);

/* A generation that is being computed. */
typedef struct quern_running {
  uint64_t id;
  uint32_t n_prompt, n_prompt_done, n_generated;
  uint32_t reserved; /* 0 */
} quern_running;
QUERN_API quern_status quern_scheduler_running(const quern_scheduler* scheduler, quern_running* buffer, size_t capacity,
                                               size_t* needed);

#ifdef __cplusplus
}
#endif

#endif
