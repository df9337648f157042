// A Status that nobody looks at.
// expect: error: .*ignoring
#include <quern/result.h>

quern::Status step();

void run() {
#ifdef QUERN_MUST_NOT_COMPILE
  step();
#else
  (void)step();
#endif
}
