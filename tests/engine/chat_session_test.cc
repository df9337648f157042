#include "tests/engine/demo.h"

using namespace quern;
using namespace quern::testing;

TEST_CASE("a conversation remembers, and computes only what is new") {
  auto chat = ChatSession::create(demo_context()).value();
  const auto first = chat.send("What is the capital of France?", greedy());
  REQUIRE(first);
  CHECK(first->text == "The capital of France is Paris.");
  const auto second = chat.send("And Japan?", greedy());
  REQUIRE(second);
  CHECK(second->text == "The capital of Japan is Tokyo.");
  CHECK(second->timings.n_cached > 10);
  REQUIRE(chat.messages().size() == 4);
  CHECK(chat.messages()[2].role == "user");
  CHECK(chat.messages()[3].content == second->text);

  // The same conversation without a cache, in one go.
  auto context = demo_context();
  const auto prompt = ChatTemplate::from_model(demo()).value().tokenize(chat.messages().first(3)).value();
  const auto fresh = generate(context, prompt, greedy());
  REQUIRE(fresh);
  CHECK(fresh->tokens == second->tokens);
}

TEST_CASE("undo and clear") {
  auto chat = ChatSession::create(demo_context(), "You are a helpful assistant.").value();
  REQUIRE(chat.messages().size() == 1);
  chat.undo();
  CHECK(chat.messages().size() == 1);
  REQUIRE(chat.send("What is the capital of France?", greedy()));
  REQUIRE(chat.send("And Japan?", greedy()));
  chat.undo();
  CHECK(chat.messages().size() == 3);
  CHECK(chat.send("And Japan?", greedy())->text == "The capital of Japan is Tokyo.");
  chat.clear();
  REQUIRE(chat.messages().size() == 1);
  CHECK(chat.messages()[0].role == "system");
}

TEST_CASE("a message that does not fit is not added") {
  auto chat = ChatSession::create(demo_context(64)).value();
  REQUIRE(chat.send("What is the capital of France?", greedy()));
  std::string very_long;
  for (int i = 0; i < 100; ++i) very_long += "and then another house ";
  const auto answer = chat.send(very_long, greedy());
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::context_full);
  CHECK(chat.messages().size() == 2);
}

TEST_CASE("a cancelled answer is kept as far as it came") {
  auto chat = ChatSession::create(demo_context()).value();
  auto options = greedy();
  int calls = 0;
  options.on_token = [&](const GeneratedToken& step) { return step.token < 0 || ++calls < 4; };
  const auto answer = chat.send("What is the KV cache?", options);
  REQUIRE(answer);
  CHECK(answer->stop_reason == StopReason::cancelled);
  REQUIRE(chat.messages().size() == 2);
  CHECK(chat.messages()[1].content == answer->text);
  CHECK(chat.send("What is the capital of France?", greedy())->text == "The capital of France is Paris.");
}

TEST_CASE("templates: the model's, a source, and one that is broken") {
  const std::vector<ChatMessage> messages = {{"user", "Hello!"}};
  const auto own = ChatTemplate::from_model(demo()).value();
  CHECK(own.render(messages).value().find("<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n") !=
        std::string::npos);
  ChatOptions no_prompt;
  no_prompt.add_generation_prompt = false;
  CHECK(own.render(messages, no_prompt).value().find("assistant") == std::string::npos);
  const auto tokens = own.tokenize(messages).value();
  CHECK(tokens[0] == demo().tokenizer().bos());
  CHECK(tokens[1] != demo().tokenizer().bos());
  const auto source = ChatTemplate::from_source(demo(), "{{ messages[0].content }} {{ mood }}").value();
  ChatOptions extra;
  extra.extra_json = R"({"mood": "fine"})";
  CHECK(source.render(messages, extra).value() == "Hello! fine");
  extra.extra_json = "[";
  CHECK_FALSE(source.render(messages, extra));
  const auto broken = ChatTemplate::from_source(demo(), "{% if %}");
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == Errc::format);
}
