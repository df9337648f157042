// Modelfiles. The cases of the first test are those of Ollama's own parser (parser/parser_test.go at 33f94ca1, MIT),
// with names of parameters that exist in place of its "param1".
#include "examples/store/modelfile.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

using namespace quern;
using namespace quern::store;

namespace {

struct Case {
  const char* text;
  const char* expected;  ///< "key=value" of everything but FROM, joined by '|'; nullptr: an error
};

std::string summary(const Modelfile& file) {
  std::string out = "from=" + file.from;
  for (const auto& text : file.adapters) out += "|adapter=" + text;
  for (const auto& [name, value] : file.parameters) out += "|" + name + "=" + value;
  if (!file.tmpl.empty()) out += "|template=" + file.tmpl;
  if (!file.system.empty()) out += "|system=" + file.system;
  for (const auto& text : file.licenses) out += "|license=" + text;
  for (const auto& message : file.messages) out += "|" + message.role + ": " + message.content;
  return out;
}

const Case kCases[] = {
    {"\nFROM model1\nADAPTER adapter1\nLICENSE MIT\nPARAMETER seed 1\nPARAMETER top_k 2\nTEMPLATE \"\"\"{{ if .System "
     "}}<s>\n\n"
     "{{ .System }}{{ end }}\"\"\"\n",
     "from=model1|adapter=adapter1|seed=1|top_k=2|template={{ if .System }}<s>\n\n{{ .System }}{{ end }}|license=MIT"},
    {"\nFROM \"     model 1\"\nADAPTER      adapter3\nLICENSE \"MIT       \"\nPARAMETER seed        1\nTEMPLATE \"\"\" "
     "  {{ x }}\n"
     "y   \"\"\"\n",
     "from=     model 1|adapter=adapter3|seed=1|template=   {{ x }}\ny   |license=MIT       "},
    {"FROM \"FOO  BAR  \"", "from=FOO  BAR  "},
    {"FROM \"FOO BAR\"\nPARAMETER seed 1", "from=FOO BAR|seed=1"},
    {"FROM     FOOO BAR    ", "from=FOOO BAR"},
    {"FROM /what/is/the path ", "from=/what/is/the path"},
    {"FROM llama3:7b-instruct-q4_K_M", "from=llama3:7b-instruct-q4_K_M"},
    {"", nullptr},
    {"PARAMETER seed 1", nullptr},
    {"PARAMETER seed 1\nFROM foo", "from=foo|seed=1"},
    {"PARAMETER stop the \nFROM lemons make lemonade ", "from=lemons make lemonade|stop=the"},
    {"\nFROM foo\nPARAMETER seed\n", nullptr},
    {"\nFROM foo\nBADCOMMAND seed 1\n", nullptr},
    {"\nFROM foo\nMESSAGE system You are a file parser. Always parse things.",
     "from=foo|system: You are a file parser. Always parse things."},
    {"\nFROM foo\nMESSAGE system \"\"\"\nYou are multiline.\n\"\"\"\n\t\t\t",
     "from=foo|system: \nYou are multiline.\n"},
    {"\nFROM foo\nMESSAGE badguy I'm a bad guy!\n", nullptr},
    {"\nFROM foo\nMESSAGE system\n", nullptr},
    {"\nFROM foo\nMESSAGE system", nullptr},
    {"\nFROM foo\nSYSTEM \"\"\"\nThis is a\nmultiline system.\"\"\"\n\t\t\t",
     "from=foo|system=\nThis is a\nmultiline system."},
    {"\nFROM foo\nSYSTEM \"\"\"This is a multiline system.\"\"\n\t\t\t", nullptr},
    {"\nFROM foo\nSYSTEM \"\n\t\t\t", nullptr},
    {"\nFROM foo\nSYSTEM \"\"\"\nWith \"quotes\".\n\"\"\"\n", "from=foo|system=\nWith \"quotes\".\n"},
    {"\nFROM foo\nSYSTEM \"\"\"\"\"\"\n", "from=foo"},
    {"\nFROM foo\nSYSTEM \"\"\n", "from=foo"},
    {"\nFROM foo\nSYSTEM \"'\"\n", "from=foo|system='"},
    {"\nFROM foo\nSYSTEM \"\"\"''\"'\"\"'\"\"'\"'''''\"\"'\"\"'\"\"\"\n",
     "from=foo|system=''\"'\"\"'\"\"'\"'''''\"\"'\"\"'"},
    {"\nFROM foo\nTEMPLATE \"\"\"\n{{ .Prompt }}\n\"\"\"", "from=foo|template=\n{{ .Prompt }}\n"},
    {"FROM foo\nPARAMETER stop ### User: ", "from=foo|stop=### User:"},
    {"FROM foo\nPARAMETER stop \"### User: \"", "from=foo|stop=### User: "},
    {"FROM foo\nPARAMETER stop \"\"\"### User:\n\"\"\"", "from=foo|stop=### User:\n"},
    {"FROM foo\nPARAMETER stop <|endoftext|>", "from=foo|stop=<|endoftext|>"},
    {"FROM foo\nPARAMETER penalize_newline true\nPARAMETER top_p 1.0", "from=foo|penalize_newline=true|top_p=1.0"},
    {"\n# comment\nFROM foo\n\t", "from=foo"},
    {"FROM test\n\tSYSTEM \xE4\xBD\xA0\xE5\xA5\xBD\xF0\x9F\x91\x8B",
     "from=test|system=\xE4\xBD\xA0\xE5\xA5\xBD\xF0\x9F\x91\x8B"},
};

}  // namespace

TEST_CASE("Modelfiles are read as Ollama reads them") {
  for (const auto& [text, expected] : kCases) {
    CAPTURE(text);
    const auto file = Modelfile::parse(text);
    REQUIRE(file.has_value() == (expected != nullptr));
    if (!file) {
      CHECK(file.error().code == Errc::format);
      continue;
    }
    CHECK(summary(*file) == expected);
    const auto printed = file->print();
    REQUIRE(printed.has_value());
    const auto again = Modelfile::parse(*printed);
    REQUIRE(again.has_value());
    CHECK(summary(*again) == expected);
  }
}

TEST_CASE("Modelfiles in UTF-16") {
  const std::u16string text = u"FROM bob\nPARAMETER top_k 1\nSYSTEM \u4f60\u597d\U0001F44B\n";
  for (const bool big : {false, true}) {
    std::string bytes = big ? "\xFE\xFF" : "\xFF\xFE";
    for (const char16_t unit : text) {
      const char high = static_cast<char>(unit >> 8), low = static_cast<char>(unit & 0xFF);
      bytes += big ? high : low;
      bytes += big ? low : high;
    }
    const auto file = Modelfile::parse(bytes);
    REQUIRE(file.has_value());
    CHECK(summary(*file) == "from=bob|top_k=1|system=\xE4\xBD\xA0\xE5\xA5\xBD\xF0\x9F\x91\x8B");
  }
}

TEST_CASE("errors name the line") {
  const auto file = Modelfile::parse("FROM a\n\n# x\nSYSTEM \"\"\"two\nlines\"\"\"\nPARAMETER top_k many\n", "My.file");
  REQUIRE(!file);
  CHECK(file.error().message.find("My.file, line 6") == 0);
  CHECK(file.error().message.find("'many'") != std::string::npos);
}

TEST_CASE("parameters as JSON and back") {
  const auto file = Modelfile::parse(
      "FROM a\nPARAMETER temperature 0.25\nPARAMETER num_ctx 4096\nPARAMETER use_mmap false\nPARAMETER stop "
      "a\nPARAMETER stop "
      "b\nPARAMETER seed -1\nPARAMETER temperature 1e-3\n");
  REQUIRE(file.has_value());
  const std::string json = *file->parameters_json();
  CHECK(nlohmann::json::parse(json) ==
        nlohmann::json::parse(R"({"num_ctx":4096,"use_mmap":false,"stop":["a","b"],"seed":-1,"temperature":0.001})"));
  const auto list = parameters_from_json(json);
  REQUIRE(list.has_value());
  Modelfile again;
  again.parameters = *list;
  CHECK(*again.parameters_json() == json);
  for (const char* bad : {"", "[]", "{\"a\":{}}", "{\"stop\":[[1]]}", "{\"a\":null}", "1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parameters_from_json(bad).has_value());
  }
  for (const char* bad : {"seed 1.5", "seed 99999999999", "temperature nan", "temperature 1e999", "top_p 0,5",
                          "seed 0x10", "use_mmap 1", "seed +1", "none 1"}) {
    CAPTURE(bad);
    CHECK_FALSE(Modelfile::parse("FROM a\nPARAMETER " + std::string(bad)).has_value());
  }
}

TEST_CASE("Jinja and Go templates are told apart") {
  std::ifstream go_file(QUERN_TEST_DATA_DIR "/store/go_templates.json");
  const auto go = nlohmann::json::parse(go_file);
  REQUIRE(go.size() == 20);
  for (const auto& [name, source] : go.items()) {
    CAPTURE(name);
    CHECK_FALSE(is_jinja(source.get<std::string>()));
  }
  size_t n_jinja = 0;
  for (const char* name : {"chujiezheng", "llama-cpp", "mistral-common", "hf-jinja"}) {
    std::ifstream file(std::string(QUERN_TEST_DATA_DIR "/chat/") + name + ".json");
    for (const auto& entry : nlohmann::json::parse(file)) {
      CAPTURE(entry["template_id"]);
      CHECK(is_jinja(entry["template_text"].get<std::string>()));
      ++n_jinja;
    }
  }
  CHECK(n_jinja > 20);
  CHECK(is_jinja("{{ bos_token }}{{ messages[0]['content'] }}"));
  CHECK_FALSE(is_jinja("{{ .System }}{{ $x := 1 }}"));
  CHECK_FALSE(is_jinja("plain text"));
}
