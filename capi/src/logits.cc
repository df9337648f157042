// Logits that outlive the decode that made them.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

quern_status quern_context_share_logits(const quern_context* context, quern_logits** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(context);
  return guard([&] {
    const quern::Context& shown = *context->context;
    *out = new quern_logits{shown.share_logits(), shown.model().info().n_vocab};
    return QUERN_OK;
  });
}

size_t quern_logits_n_rows(const quern_logits* logits) {
  return logits && logits->n_vocab ? logits->rows->size() / logits->n_vocab : 0;
}

size_t quern_logits_n_vocab(const quern_logits* logits) { return logits ? logits->n_vocab : 0; }

const float* quern_logits_get(const quern_logits* logits, size_t index) {
  return index < quern_logits_n_rows(logits) ? logits->rows->data() + index * logits->n_vocab : nullptr;
}

void quern_logits_close(quern_logits* logits) { delete logits; }

}  // extern "C"
