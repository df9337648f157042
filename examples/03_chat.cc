// A conversation on the terminal. The session renders the model's chat template and computes only what is new in each
// turn.
//
//   03_chat examples/models/quern-demo-q8_0.gguf
#include <quern/quern.h>

#include <cstdio>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s MODEL.gguf\n", argv[0]);
    return 2;
  }
  const auto model = quern::Model::open(argv[1]);
  if (!model) {
    std::cerr << model.error().message << '\n';
    return 1;
  }
  auto context = quern::Context::create(*model);
  if (!context) {
    std::cerr << context.error().message << '\n';
    return 1;
  }
  auto chat = quern::ChatSession::create(std::move(*context), "You are a helpful assistant.");
  if (!chat) {
    std::cerr << chat.error().message << '\n';
    return 1;
  }

  quern::GenerateOptions options;
  options.on_token = [](const quern::GeneratedToken& step) {
    std::cout << step.text << std::flush;
    return true;
  };
  std::string line;
  while (std::cerr << "> " && std::getline(std::cin, line)) {
    const auto answer = chat->send(line, options);
    std::cout << '\n';
    if (answer) {
      std::cerr << "(" << answer->timings.n_prompt << " new, " << answer->timings.n_cached << " cached, "
                << answer->timings.n_generated << " written)\n";
    } else if (answer.error().code == quern::Errc::context_full) {
      std::cerr << "The conversation is too long; it starts anew.\n";
      chat->clear();
    } else {
      std::cerr << answer.error().message << '\n';
      return 1;
    }
  }
  return 0;
}
