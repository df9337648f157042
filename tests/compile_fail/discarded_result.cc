// A Result whose value nobody takes: the model would close again at once.
// expect: error: .*ignoring
#include <quern/model.h>

void run() {
#ifdef QUERN_MUST_NOT_COMPILE
  quern::Model::open("model.gguf");
#else
  (void)quern::Model::open("model.gguf");
#endif
}
