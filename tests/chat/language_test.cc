// The language: cases rendered by jinja2 (tests/data/chat), messages of errors, and what this engine refuses.
#include "tests/chat/cases.h"

namespace quern::chat::testing {
namespace {

std::string data(const char* name) { return std::string(QUERN_TEST_DATA_DIR) + "/chat/" + name; }

std::string message_of(const std::string& source) {
  const auto found = render_source(source, "{}");
  return found ? "rendered: " + *found : found.error().message;
}

TEST_CASE("statements, expressions, filters, tests and methods render as in jinja2") {
  Tally tally("language.json");
  for (const Json& entry : read_json(data("language.json"))) {
    const std::string source = entry["template"];
    const auto found = render_source(source, "{}");
    if (entry.contains("error")) {
      tally.count(!found, source + ": no error");
    } else {
      check_outcome(tally, source, entry, found);
    }
  }
  tally.report(tally.total);
}

TEST_CASE("chat templates render as in jinja2") {
  for (const char* name : {"chujiezheng.json", "mistral-common.json", "llama-cpp.json", "hf-jinja.json"}) {
    const Tally tally = run_rendered(data(name), data("contexts.json"), "");
    tally.report(tally.total);
  }
}

TEST_CASE("errors say where they are") {
  CHECK(message_of("a\n  {{ x.y }}") == "template, line 2, column 7: 'x' is undefined");
  CHECK(message_of("{% if true %}\n{% endfor %}") == "template, line 2, column 4: unknown statement 'endfor'");
  CHECK(message_of("{{ 'é' + }}") == "template, line 1, column 10: expected an expression, found '}}'");
  CHECK(message_of("{% for x in [1] %}") ==
        "template, line 1, column 19: expected 'endfor', found the end of the template");
  CHECK(message_of("\n\n{{ 1 | nosuch }}") == "template, line 3, column 8: no filter named 'nosuch'");
  CHECK(message_of("{# open") == "template, line 1, column 1: the comment is not closed");
  CHECK(message_of("{{ 1 / 0 }}") == "template, line 1, column 6: division by zero");
}

TEST_CASE("a template that raises is told apart from one that is wrong") {
  const auto raised = render_source("{{ raise_exception('Roles must alternate') }}", "{}");
  REQUIRE(!raised);
  CHECK(raised.error().code == Errc::argument);
  CHECK(raised.error().message.ends_with("Roles must alternate"));
  const auto wrong = render_source("{{ nosuch() }}", "{}");
  REQUIRE(!wrong);
  CHECK(wrong.error().code == Errc::format);
}

TEST_CASE("integers that do not fit in 64 bits are errors") {
  for (const char* source : {"{{ 9223372036854775807 + 1 }}", "{{ 99999999999999999999 }}", "{{ 2 ** 63 }}",
                             "{{ (-9223372036854775807 - 1) // -1 }}", "{{ -(-9223372036854775807 - 1) }}",
                             "{{ 9223372036854775807 * 2 }}", "{{ (-9223372036854775807 - 1) - 1 }}"}) {
    const auto found = render_source(source, "{}");
    CHECK_MESSAGE(!found, source);
  }
  const auto fits = render_source("{{ (-9223372036854775807 - 1) % -1 }} {{ 2 ** 62 }}", "{}");
  REQUIRE(fits);
  CHECK(*fits == "0 4611686018427387904");
}

TEST_CASE("strftime_now formats the given clock, and only that") {
  const auto source = Template::compile("{{ strftime_now('%d %b %Y|%A %B %-d %H:%M:%S %j %I%p %y%%|%Q|%') }}");
  REQUIRE(source);
  const Value none = Value::object({});
  CHECK(!source->render(none));
  RenderOptions options;
  options.now = LocalTime::at(1'752'148'805, 3600);  // 2025-07-10 12:00:05 UTC
  const auto found = source->render(none, options);
  REQUIRE(found);
  CHECK(*found == "10 Jul 2025|Thursday July 10 13:00:05 191 01PM 25%|%Q|%");
  const LocalTime old = LocalTime::at(-1);
  CHECK(old.year == 1969);
  CHECK(old.month == 12);
  CHECK(old.day == 31);
  CHECK(old.second == 59);
  CHECK(LocalTime::at(951'782'400).day == 29);  // 2000-02-29
}

TEST_CASE("one template renders the same for many conversations") {
  const auto compiled = Template::compile(
      "{% set ns = namespace(n=0) %}{% for x in xs %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}");
  REQUIRE(compiled);
  for (int i = 0; i < 3; ++i) {
    const auto found = compiled->render(*parse_json("{\"xs\": [1, 2, 3]}"));
    REQUIRE(found);
    CHECK(*found == "6");
  }
}

TEST_CASE("a variable hides a function of the same name") {
  const auto found = render_source("{{ range }}", "{\"range\": 5}");
  REQUIRE(found);
  CHECK(*found == "5");
}

}  // namespace
}  // namespace quern::chat::testing
