// A model that does not exist is an error with the file's name in its message.
#include <quern/quern.h>

#include <cstdio>
#include <string>

int main() {
  const auto model = quern::Model::open("no_such_model.gguf");
  if (model) return 1;
  std::printf("quern %s: %s\n", quern::version(), model.error().message.c_str());
  return model.error().message.find("no_such_model.gguf") == std::string::npos ? 1 : 0;
}
