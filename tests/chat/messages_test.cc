#include "lib/chat/messages.h"

#include "tests/chat/cases.h"

namespace quern::chat::testing {
namespace {

const Message kConversation[] = {{"system", "Be brief."}, {"user", "Hello"}, {"assistant", "Hi"}, {"user", "Bye"}};

TEST_CASE("the built-in ChatML template") {
  const auto chatml = Template::compile(chatml_source());
  REQUIRE(chatml);
  const auto open = render_chat(*chatml, kConversation, {});
  REQUIRE(open);
  CHECK(*open ==
        "<|im_start|>system\nBe "
        "brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n");
  ChatVariables closed;
  closed.add_generation_prompt = false;
  const auto text = render_chat(*chatml, std::span(kConversation).subspan(1, 1), closed);
  REQUIRE(text);
  CHECK(*text == "<|im_start|>user\nHello<|im_end|>\n");
}

TEST_CASE("tokens and extra variables reach the template") {
  const auto source =
      Template::compile("{{ bos_token }}{{ eos_token }}{{ thinking }}{{ tools[0].name }}{{ add_generation_prompt }}");
  REQUIRE(source);
  ChatVariables variables;
  variables.bos_token = "<s>";
  variables.eos_token = "</s>";
  variables.extra_json = R"({"thinking": false, "tools": [{"name": "add"}], "eos_token": "<end>"})";
  const auto text = render_chat(*source, {}, variables);
  REQUIRE(text);
  CHECK(*text == "<s><end>FalseaddTrue");
}

TEST_CASE("extra variables must be a JSON object") {
  const auto source = Template::compile("x");
  REQUIRE(source);
  for (const char* json : {"[1]", "{", "{\"a\": }", "5"}) {
    ChatVariables variables;
    variables.extra_json = json;
    const auto text = render_chat(*source, {}, variables);
    REQUIRE_MESSAGE(!text, json);
    CHECK(text.error().code == Errc::argument);
  }
}

TEST_CASE("a refusal carries the template's words") {
  const auto source = Template::compile(
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif "
      "%}{% endfor %}");
  REQUIRE(source);
  const auto text = render_chat(*source, kConversation, {});
  REQUIRE(!text);
  CHECK(text.error().code == Errc::argument);
  CHECK(text.error().message.ends_with("System role not supported"));
}

}  // namespace
}  // namespace quern::chat::testing
