// Templates that mean harm. Each must end soon, with a text or an error, on a thread with a small stack.
#include <pthread.h>

#include <chrono>
#include <functional>

#include "tests/chat/cases.h"

namespace quern::chat::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStackBytes = 4u << 20;  // sanitizers make frames many times as large
constexpr double kSeconds = 20;
#else
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define QUERN_TEST_BIG_FRAMES
#endif
#endif
#if defined(QUERN_TEST_BIG_FRAMES) || !defined(__OPTIMIZE__)
constexpr size_t kStackBytes = 4u << 20;
constexpr double kSeconds = 20;
#else
constexpr size_t kStackBytes = 512u << 10;
constexpr double kSeconds = 1;
#endif
#endif

void on_small_stack(std::function<void()> work) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  REQUIRE(pthread_attr_setstacksize(&attributes, kStackBytes) == 0);
  pthread_t thread;
  const auto main = [](void* f) -> void* {
    (*static_cast<std::function<void()>*>(f))();
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, main, &work) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

struct Outcome {
  bool rendered = false;
  std::string text;  ///< or the message
  double seconds = 0;
};

Outcome attempt(const std::string& source, const std::string& variables) {
  Outcome out;
  on_small_stack([&] {
    timespec start, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    const auto found = render_source(source, variables);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    out.rendered = found.has_value();
    out.text = found ? *found : found.error().message;
    out.seconds =
        static_cast<double>(end.tv_sec - start.tv_sec) + 1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec);
  });
  return out;
}

std::string times(const std::string& text, size_t n) {
  std::string out;
  out.reserve(text.size() * n);
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

constexpr const char* kVariables =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}], \"add_generation_prompt\": true}";

struct Case {
  std::string name;
  std::string source;
  std::string ending;  ///< "ok:" and what is rendered, "error:" and a part of the message, or "any"
};

// What is wanted of a case: that it ends, in time, as stated.
void check_case(const Case& c) {
  const Outcome found = attempt(c.source, kVariables);
  INFO(c.name << ": " << found.text.substr(0, 200) << " (" << found.seconds << " s)");
  CHECK(found.seconds < kSeconds);
  const std::string& ending = c.ending;
  if (ending == "any") return;
  const bool wants_text = ending.starts_with("ok:");
  CHECK(found.rendered == wants_text);
  if (wants_text) {
    CHECK(found.text == ending.substr(3));
  } else {
    CHECK(found.text.find(ending.substr(6)) != std::string::npos);
  }
}

TEST_CASE("loops, calls and values without end") {
  const Case cases[] = {
      {"a range of 1e9", "{% for i in range(1000000000) %}{% endfor %}", "error:the most is 100000"},
      {"a range to the smallest integer", "{{ range(0,-9223372036854775807,-1)|length }}", "error:the most is"},
      {"a range of no step", "{% for i in range(0,10,0) %}x{% endfor %}", "error:step of a range"},
      {"three loops of 1e4",
       "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}{% endfor %}{% endfor %}{% "
       "endfor %}",
       "error:more than 1000000 steps"},
      {"much output", "{% for i in range(100000) %}" + std::string(1000, 'A') + "{% endfor %}",
       "error:writes more than"},
      {"a macro that calls itself", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "error:deeper than 64"},
      {"macros that call each other",
       "{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
       "error:deeper than 64"},
      {"a caller that calls", "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
       "error:"},
      {"a loop that calls itself", "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
       "error:deeper than 64"},
      {"a string times 1e10", "{{ 'A' * 10000000000 }}", "error:bytes of memory"},
      {"a string times -1", "{{ 'A' * -1 }}", "ok:"},
      {"a list times 1e9", "{{ ([1]*1000000000)|length }}", "error:bytes of memory"},
      {"nothing times much", "{{ ''*9223372036854775807 }}{{ []*9223372036854775807 }}", "ok:[]"},
      {"60 doublings",
       "{% set ns = namespace(s='A') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s|length "
       "}}",
       "error:bytes of memory"},
      {"60 doublings of a list",
       "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
       "error:"},
      {"comparing doubled lists",
       "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = "
       "[ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
       "error:steps"},
      {"JSON of doubled lists",
       "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ "
       "ns.s|tojson|length }}",
       "error:"},
      {"JSON of a namespace in itself", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns|tojson }}",
       "error:has no JSON form"},
      {"text of a namespace in itself", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "error:nested deeper"},
      {"a deep value",
       "{% set ns = namespace(a=[]) %}{% for i in range(100000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a|tojson }}",
       "error:nested deeper than 128"},
      {"a chain of namespaces",
       "{% set ns = namespace(a=none) %}{% for i in range(20000) %}{% set ns.a = [namespace(a=ns.a)] %}{% endfor %}{{ "
       "ns.a|length }}",
       "ok:1"},
      {"macros kept by a namespace",
       "{% set ns = namespace(m=none) %}{% for i in range(5000) %}{% macro f() %}{{ g }}{% endmacro %}{% set g = ns.m "
       "%}{% set ns.m = f %}{% endfor %}{{ ns.m is callable }}",
       "ok:True"},
      {"a loop kept after its end",
       "{% set ns = namespace() %}{% for i in range(3) %}{% set ns.l = loop %}{% set ns.c = loop.cycle %}{% endfor "
       "%}{{ ns.l.length }}{{ ns.c('a', 'b') }}",
       "ok:3a"},
      {"many loops kept",
       "{% set ns = namespace(l=none) %}{% for i in range(50000) %}{% for j in range(100) %}{% set ns.l = loop %}{% "
       "break %}{% endfor %}{% endfor %}",
       "error:"},
      {"much captured",
       "{% for a in range(100000) %}{% set x %}{% for b in range(100) %}" + std::string(100000, 'x') +
           "{% endfor %}{% endset %}{% endfor %}",
       "error:"},
      {"a replacement of nothing by much", "{{ ('a'*100000)|replace('', 'b'*100000) }}", "error:bytes of memory"},
      {"searching a periodic text",
       "{% set t = 'a' * 1000000 %}{% set p = 'a' * 500000 + 'b' %}{{ p in t }}{{ t.find(p) }}{{ t.rfind('b' + p) }}{{ "
       "t.count(p) }}",
       "ok:False-1-10"},
      {"stripping by a long set", "{{ ('a' * 1000000).strip('b' * 1000000 + 'a')|length }}", "error:steps"},
      {"an indent of 2e9", "{{ 'a'|indent(2000000000) }}", "error:bytes of memory"},
      {"a width of 2e9", "{{ 'a'|center(2000000000) }}", "error:bytes of memory"},
      {"a format width", "{{ '%999999999d'|format(1) }}", "error:a width over"},
      {"a format precision", "{{ '%.999f'|format(1) }}", "error:precision"},
      {"a JSON indent", "{{ [1]|tojson(indent=2000000000) }}", "error:bytes of memory"},
      {"many names", times("{% set a = 1 %}", 60000), "ok:"},
      {"mapping map", "{{ [[[[[[[[1]]]]]]]]|map(" + times("'map',", 40) + "'list')|list }}", "error:at most 16"},
      {"a splat of much", "{% macro m() %}{{ varargs|length }}{% endmacro %}{{ m(*range(100000)) }}", "ok:100000"},
  };
  for (const Case& c : cases) check_case(c);
}

TEST_CASE("sources that nest deeply") {
  const Case cases[] = {
      {"parentheses", "{{ " + times("(", 100000) + "1" + times(")", 100000) + " }}", "error:nested deeper than 256"},
      {"brackets", "{{ " + times("[", 100000) + times("]", 100000) + " }}", "error:nested deeper than 256"},
      {"braces", "{{ " + times("{\"a\":", 50000) + "1" + times("}", 50000) + " }}", "error:nested deeper than 256"},
      {"not", "{{ " + times("not ", 200000) + "x }}", "error:nested deeper than 256"},
      {"minus", "{{ " + times("-", 200000) + "1 }}", "error:nested deeper than 256"},
      {"powers", "{{ " + times("2**", 20000) + "2 }}", "error:"},
      {"attributes", "{{ a" + times(".b", 100000) + " }}", "error:'a' is undefined"},
      {"calls", "{{ a" + times("()", 100000) + " }}", "error:'a' is undefined"},
      {"subscripts", "{{ a" + times("[a", 100000) + times("]", 100000) + " }}", "error:nested deeper than 256"},
      {"filters", "{{ 'a'" + times("|upper", 50000) + " }}", "ok:A"},
      {"arguments", "{{ 'a'" + times("|default('a'", 50000) + times(")", 50000) + " }}",
       "error:nested deeper than 256"},
      {"additions", "{{ 'a'" + times("+'a'", 10000) + " }}", "any"},
      {"concatenations", "{{ 1" + times("~1", 100000) + " }}", "any"},
      {"comparisons", "{{ 1" + times("<2", 100000) + " }}", "ok:False"},
      {"or", "{{ 0" + times(" or 0", 100000) + " }}", "ok:0"},
      {"if", times("{% if 1 %}", 40000) + times("{% endif %}", 40000), "error:nested deeper than 256"},
      {"elif", "{% if 0 %}" + times("{% elif 0 %}", 50000) + "{% endif %}", "ok:"},
      {"for", times("{% for i in [1] %}", 20000) + times("{% endfor %}", 20000), "error:nested deeper than 256"},
      {"macro", times("{% macro m() %}", 20000) + times("{% endmacro %}", 20000), "error:nested deeper than 256"},
      {"conditionals after else", "{{ " + times("1 if 1 else ", 50000) + "1 }}", "error:nested deeper than 256"},
      {"conditionals in a row", "{{ 1" + times(" if 1", 50000) + " }}", "error:nested deeper than 256"},
      {"targets", "{% set " + times("(", 50000) + "a" + times(")", 50000) + " = 1 %}", "error:nested deeper than 256"},
      {"a source of 10 MiB", "{# " + std::string(10u << 20, 'x') + " #}", "error:the most is 1048576"},
      {"openings", times("{%", 500000), "error:"},
      {"raw without end", times("{% raw %}", 100000), "error:not closed"},
  };
  for (const Case& c : cases) check_case(c);
}

TEST_CASE("nesting up to the limit is taken") {
  const auto nested = [](size_t n) { return "{{ " + times("[", n) + times("]", n) + "|length }}"; };
  CHECK(attempt(nested(120), "{}").text == "1");
  const std::string ifs = times("{% if 1 %}", 250) + "x" + times("{% endif %}", 250);
  CHECK(attempt(ifs, "{}").text == "x");
  const std::string parentheses = "{{ " + times("(", 250) + "1" + times(")", 250) + " }}";
  CHECK(attempt(parentheses, "{}").text == "1");
  const std::string fors = times("{% for x in [1] %}", 250) + "x" + times("{% endfor %}", 250);
  CHECK(attempt(fors, "{}").text == "x");
  const std::string arguments = "{{ 'a'" + times("|default(x", 240) + times(")", 240) + " }}";
  CHECK(attempt(arguments, "{}").text == "a");
  const std::string operands = "{{ " + times("1 + (", 120) + "1" + times(")", 120) + " }}";
  CHECK(attempt(operands, "{}").text == "121");
  // The macro depth is counted apart.
  const std::string macros = "{% macro f(n) %}{% if n %}({{ f(n - 1) }}){% endif %}{% endmacro %}{{ f(63)|length }}";
  CHECK(attempt(macros, "{}").text == "126");
}

TEST_CASE("ways out of the template") {
  const Case cases[] = {
      {"subclasses", "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}", "error:is undefined"},
      {"dunder", "{{ ''.__class__.__mro__ }}", "error:is undefined"},
      {"globals", "{{ self.__init__.__globals__ }}", "error:is undefined"},
      {"include", "{% include '/etc/passwd' %}", "error:unknown statement 'include'"},
      {"import", "{% import os %}", "error:unknown statement 'import'"},
      {"extends", "{% extends '/etc/passwd' %}", "error:unknown statement 'extends'"},
      {"a format of attributes", "{{ '{0.__class__}'.format(1) }}", "error:attributes are not supported"},
      {"a percent n", "{{ '%s%n' % (1, 2) }}", "error:unknown conversion"},
      {"a name set anew", "{% set messages = 1 %}{% set range = 2 %}{{ range(1) }}", "error:cannot be called"},
      {"a NUL", std::string("a\0b{{ 1 }}", 10), "any"},
      {"bytes that are not UTF-8", "{{ \"\xff\xfe\"|length }}\xc0\xaf", "ok:2\xc0\xaf"},
      {"out of bounds", "{{ messages[999999999999] }}{{ 'abc'[-100] }}", "ok:"},
      {"slices", "{{ messages[5:2:-1] }}{{ 'x'[:9223372036854775807] }}{{ 'abc'[::9223372036854775807] }}", "ok:[]xa"},
      {"a step of 0", "{{ 'abc'[::0] }}", "error:step of a slice"},
      {"long time formats", "{{ strftime_now('%c'*100000) }}", "any"},
  };
  for (const Case& c : cases) check_case(c);
}

}  // namespace
}  // namespace quern::chat::testing
