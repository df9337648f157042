// An error needs a code: text alone does not make an Error.
// expect: error: .*(could not convert|no viable conversion|cannot convert)
#include <quern/result.h>

quern::Status run() {
#ifdef QUERN_MUST_NOT_COMPILE
  return "no such file";
#else
  return quern::Error{quern::Errc::not_found, "no such file"};
#endif
}
