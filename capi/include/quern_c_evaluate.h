/* Quern's C interface to the comparison of two models. Perplexity is in quern_c_convert.h.
 * A part of quern_c.h, which includes it; the conventions told there hold here.
 */
#ifndef QUERN_C_EVALUATE_H
#define QUERN_C_EVALUATE_H

#include "quern_c.h"
#include "quern_c_convert.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How far a model is from another one of the same vocabulary, as a rule its source in full precision. Set struct_size
 * before the call; fields beyond it are left out. */
typedef struct quern_comparison {
  size_t struct_size;
  double kl_divergence;        /* mean of sum p log(p / q), in nats; p: the reference's probabilities of a token */
  double kl_divergence_stderr; /* its standard error */
  double top1_agreement;       /* the share of tokens where both would choose the same one */
  double reference_ppl, ppl;
  uint64_t n_tokens; /* scored */
} quern_comparison;
#define QUERN_COMPARISON_INIT \
  { sizeof(quern_comparison), 0.0, 0.0, 0.0, 0.0, 0.0, 0 }

/* Both models read the same windows, as quern_perplexity() does; on_window is not called, and the adapters are those of
 * `model`. QUERN_ERROR_ARGUMENT for vocabularies of different sizes. */
QUERN_API quern_status quern_compare(const quern_model* reference, const quern_model* model, const quern_token* tokens,
                                     size_t n_tokens, const quern_perplexity_options* options, quern_comparison* out);

#ifdef __cplusplus
}
#endif

#endif
