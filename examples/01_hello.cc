// The smallest program: ask a model one question and print the answer.
//
//   01_hello examples/models/quern-demo-q8_0.gguf "What is the capital of France?"
#include <quern/quern.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s MODEL.gguf QUESTION\n", argv[0]);
    return 2;
  }
  try {
    // .value() throws where something failed; 02_stream.cc shows the other way.
    const quern::Model model = quern::Model::open(argv[1]).value();
    quern::ChatSession chat = quern::ChatSession::create(quern::Context::create(model).value()).value();
    const quern::Generation answer = chat.send(argv[2]).value();
    std::printf("%s\n", answer.text.c_str());
  } catch (const quern::ResultError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
