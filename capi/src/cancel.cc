// Cancel tokens.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

quern_status quern_cancel_token_create(quern_cancel_token** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  return guard([&] {
    *out = new quern_cancel_token;
    return QUERN_OK;
  });
}

void quern_cancel_token_cancel(const quern_cancel_token* token) {
  if (token) token->token.cancel();
}

void quern_cancel_token_reset(const quern_cancel_token* token) {
  if (token) token->token.reset();
}

int quern_cancel_token_cancelled(const quern_cancel_token* token) { return token && token->token.cancelled() ? 1 : 0; }

void quern_cancel_token_close(quern_cancel_token* token) { delete token; }

}  // extern "C"
