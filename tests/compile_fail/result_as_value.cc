// A Result is not its value: the error cannot be overlooked.
// expect: error: .*(cannot convert|no viable conversion)
#include <quern/result.h>

quern::Result<int> count();

int run() {
#ifdef QUERN_MUST_NOT_COMPILE
  const int n = count();
  return n;
#else
  return count().value_or(0);
#endif
}
