// A Context owns its cache: it moves and does not copy.
// expect: error: .*(deleted|implicitly)
#include <quern/context.h>

#include <utility>

quern::Context twin(quern::Context& context) {
#ifdef QUERN_MUST_NOT_COMPILE
  return quern::Context(context);
#else
  return quern::Context(std::move(context));
#endif
}
