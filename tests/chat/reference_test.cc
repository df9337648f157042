// The whole reference data, looked for under the environment variable QUERN_TEST_DATA: thousands of renders by jinja2,
// and the unit cases of other engines. Each file has a level that it must not fall below.
#include <cstdlib>

#include "tests/chat/cases.h"

namespace quern::chat::testing {
namespace {

std::string reference_folder() {
  const char* const folder = std::getenv("QUERN_TEST_DATA");
  if (!folder) {
    MESSAGE("QUERN_TEST_DATA is not set: skipped");
    return {};
  }
  return std::string(folder) + "/templates";
}

WhitespaceOptions whitespace_of(const Json& options) {
  return {options.value("trim_blocks", false), options.value("lstrip_blocks", false),
          options.value("keep_trailing_newline", false)};
}

TEST_CASE("renders by jinja2") {
  const std::string folder = reference_folder();
  if (folder.empty()) return;
  const struct {
    const char* name;
    size_t level;
  } files[] = {{"chujiezheng", 203},     {"hf-jinja_cases", 434}, {"llama.cpp", 617},
               {"llama.cpp_cases", 411}, {"mistral-common", 216}, {"ollama", 34}};
  for (const auto& [name, level] : files) {
    const std::string rendered = folder + "/rendered/";
    run_rendered(rendered + name + ".json", rendered + "contexts.json", folder).report(level);
  }
}

TEST_CASE("engine cases of llama.cpp") {
  const std::string folder = reference_folder();
  if (folder.empty()) return;
  Tally tally{"jinja_unit_cases"};
  for (const Json& entry : read_json(folder + "/llama.cpp/jinja_unit_cases.json")) {
    if (!entry["jinja2_agrees"].get<bool>()) continue;
    check_outcome(tally, entry["template"], {{"text", entry["expected"]}},
                  render_source(entry["template"], entry["context"].dump()));
  }
  tally.report(195);
}

TEST_CASE("chat templates of llama.cpp") {
  const std::string folder = reference_folder();
  if (folder.empty()) return;
  Tally tally{"chat_template_cases"};
  for (const Json& entry : read_json(folder + "/llama.cpp/chat_template_cases.json")) {
    check_outcome(tally, entry["name"], entry["plain_jinja2"], render_source(entry["template"], entry.dump()));
  }
  tally.report(27);
}

TEST_CASE("cases of huggingface/jinja") {
  const std::string folder = reference_folder();
  if (folder.empty()) return;
  Tally whole{"e2e_chat_templates"}, units{"unit_templates"}, spaces{"whitespace_options"}, errors{"error_cases"};
  for (const Json& entry : read_json(folder + "/hf-jinja/e2e_chat_templates.json")) {
    if (!entry["jinja2_agrees"].get<bool>()) continue;
    check_outcome(whole, entry["name"], {{"text", entry["expected"]}},
                  render_source(entry["template"], entry["data"].dump()));
  }
  for (const Json& entry : read_json(folder + "/hf-jinja/unit_templates.json")) {
    if (!entry.contains("jinja2_plain")) continue;
    check_outcome(units, entry["template"], entry["jinja2_plain"],
                  render_source(entry["template"], entry["context"].dump(), {false, false, false}));
  }
  for (const Json& entry : read_json(folder + "/hf-jinja/whitespace_options.json")) {
    check_outcome(spaces, entry["template"], {{"text", entry["expected"]}},
                  render_source(entry["template"], entry["context"].dump(), whitespace_of(entry["options"])));
  }
  for (const Json& entry : read_json(folder + "/hf-jinja/error_cases.json")) {
    const auto found = render_source(entry["template"], entry["context"].dump());
    errors.count(!found, entry["name"].get<std::string>() + ": no error");
  }
  whole.report(39);
  units.report(103);
  spaces.report(16);
  errors.report(15);
}

TEST_CASE("cases of minja") {
  const std::string folder = reference_folder();
  if (folder.empty()) return;
  Tally tally{"syntax_cases"};
  for (const Json& entry : read_json(folder + "/minja/syntax_cases.json")) {
    const auto found = render_source(entry["template"], entry["context"].dump(), whitespace_of(entry["options"]));
    if (entry["jinja2"].contains("error")) {
      tally.count(!found, entry["template"].get<std::string>() + ": no error");
    } else {
      check_outcome(tally, entry["template"], entry["jinja2"], found);
    }
  }
  tally.report(121);
}

}  // namespace
}  // namespace quern::chat::testing
