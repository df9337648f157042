// Links the library and lets it fail: a model that does not exist is an error with the file's name in its message.
#include <quern/quern.h>

#include <cstdio>
#include <string>
#include <string_view>

int main() {
  const auto model = quern::Model::open("no_such_model.gguf");
  if (model || model.error().message.find("no_such_model.gguf") == std::string::npos) {
    std::puts("expected an error that names the file");
    return 1;
  }
  std::printf("quern %s: %s\n", quern::version(), model.error().message.c_str());
  return std::string_view(quern::version()) == QUERN_VERSION_STRING ? 0 : 1;
}
