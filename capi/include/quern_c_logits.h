/* Quern's C interface to logits that outlive the decode that made them.
 * A part of quern_c.h, which includes it; the conventions told there hold here.
 */
#ifndef QUERN_C_LOGITS_H
#define QUERN_C_LOGITS_H

#include "quern_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The rows of one decode, not copied. They stay as they are, whatever becomes of the context, whose next decode then
 * takes new memory. May be read from any thread. */
typedef struct quern_logits quern_logits;

/* The rows of the last decode that asked for some; there may be none. */
QUERN_API quern_status quern_context_share_logits(const quern_context* context, quern_logits** out);
QUERN_API size_t quern_logits_n_rows(const quern_logits* logits);
QUERN_API size_t quern_logits_n_vocab(const quern_logits* logits);
/* Row `index` [n_vocab], the others behind it; NULL for a row that there is not. Lives as long as the handle. */
QUERN_API const float* quern_logits_get(const quern_logits* logits, size_t index);
QUERN_API void quern_logits_close(quern_logits* logits);

#ifdef __cplusplus
}
#endif

#endif
