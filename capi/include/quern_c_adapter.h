/* Quern's C interface to adapters: low-rank changes to the weights of a model (LoRA), applied while it runs.
 * A part of quern_c.h, which includes it; the conventions told there hold here.
 */
#ifndef QUERN_C_ADAPTER_H
#define QUERN_C_ADAPTER_H

#include "quern_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps its model alive. May be used by any number of contexts of the model and by any thread; contexts that use it
 * keep what they need of it. */
typedef struct quern_adapter quern_adapter;

/* Opens a GGUF adapter, or a folder in PEFT's form (adapter_config.json and adapter_model.safetensors).
 * QUERN_ERROR_ARGUMENT for one that does not fit the model, QUERN_ERROR_UNSUPPORTED for kinds of adapters that are more
 * than low-rank changes of weights. */
QUERN_API quern_status quern_adapter_open(const quern_model* model, const char* path, quern_adapter** out);
QUERN_API void quern_adapter_close(quern_adapter* adapter);

/* Set struct_size before the call; fields beyond it are left out. The texts live as long as the adapter. */
typedef struct quern_adapter_info {
  size_t struct_size;
  const char* path;
  const char* name;    /* what the file calls it; may be empty */
  uint64_t n_weights;  /* that it changes, as the file counts them */
  uint64_t size_bytes; /* memory that it takes */
  uint32_t rank;       /* the largest, where they differ */
  float alpha;         /* the file's; 0: it does not say */
} quern_adapter_info;
#define QUERN_ADAPTER_INFO_INIT \
  { sizeof(quern_adapter_info), NULL, NULL, 0, 0, 0, 0.0f }
QUERN_API quern_status quern_adapter_get_info(const quern_adapter* adapter, quern_adapter_info* out);

/* An adapter, and how much of it counts. */
typedef struct quern_adapter_use {
  const quern_adapter* adapter;
  float scale;
  int32_t reserved; /* 0 */
} quern_adapter_use;

/* What the sequence's tokens are computed with from now on, added in this order; n_adapters 0: the model as it is.
 * QUERN_ERROR_ARGUMENT where the sequence has tokens, unless these are the adapters it has already. Sequences with
 * different adapters may share a batch. Adapters stay when a sequence is emptied; copies get them; a saved state is
 * restored only where they are the same. */
QUERN_API quern_status quern_context_set_adapters(quern_context* context, int32_t sequence,
                                                  const quern_adapter_use* adapters, size_t n_adapters);
QUERN_API size_t quern_context_n_adapters(const quern_context* context, int32_t sequence);

#ifdef __cplusplus
}
#endif

#endif
