// QUERN_ENSURE returns an Error, which a function without a result cannot hand on.
// expect: error: .*(return-statement with a value|should not return a value)
#include "lib/base/status.h"

#ifdef QUERN_MUST_NOT_COMPILE
void run(int n)
#else
quern::Status run(int n)
#endif
{
  QUERN_ENSURE(n > 0, quern::Errc::argument, "n is ", n, ", expected a positive number");
#ifndef QUERN_MUST_NOT_COMPILE
  return {};
#endif
}
