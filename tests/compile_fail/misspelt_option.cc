// Options are named members: a misspelt one does not pass in silence.
// expect: error: .*(has no non-static data member|does not refer to any field)
#include <quern/context.h>

uint32_t window() {
#ifdef QUERN_MUST_NOT_COMPILE
  const quern::ContextOptions options{.n_context = 4096};
#else
  const quern::ContextOptions options{.n_ctx = 4096};
#endif
  return options.n_ctx;
}
