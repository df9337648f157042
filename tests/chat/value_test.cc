#include "lib/chat/value.h"

#include <doctest/doctest.h>

#include "lib/chat/json.h"
#include "lib/chat/print.h"

namespace quern::chat {
namespace {

TEST_CASE("objects keep the order of insertion and find by key") {
  std::vector<Value::Entry> entries;
  for (int i = 0; i < 100; ++i) {
    entries.emplace_back(Value::string(std::to_string(i * 7 % 100)), Value::integer(i));
  }
  entries.emplace_back(Value::string("7"), Value::none());  // replaces, in the first one's place
  const Value object = Value::object(entries);
  REQUIRE(object.as_object().size() == 100);
  CHECK(object.as_object().entries()[1].first.as_string() == "7");
  CHECK(object.as_object().entries()[1].second.is_none());
  for (int i = 2; i < 100; ++i) {
    const Value* const found = object.as_object().find(std::to_string(i * 7 % 100));
    REQUIRE(found);
    CHECK(found->as_integer() == i);
  }
  CHECK(object.as_object().find("x") == nullptr);
}

TEST_CASE("keys that are equal numbers are one key") {
  const Value object = Value::object({{Value::integer(1), Value::integer(1)},
                                      {Value::real(1.0), Value::integer(2)},
                                      {Value::boolean(true), Value::integer(3)},
                                      {Value::string("1"), Value::integer(4)},
                                      {Value::none(), Value::integer(5)}});
  CHECK(object.as_object().size() == 3);
  CHECK(object.as_object().find(Value::integer(1))->as_integer() == 3);
  CHECK(object.as_object().find(Value::none())->as_integer() == 5);
  CHECK(object.as_object().find(Value::list({})) == nullptr);
}

TEST_CASE("a meter counts what is alive") {
  Meter meter;
  {
    const Value text = Value::string(std::string(1000, 'x'), &meter);
    CHECK(meter.live_bytes >= 1000);
    const uint64_t one = meter.live_bytes;
    const Value copy = text;
    CHECK(meter.live_bytes == one);
    const Value list = Value::list({text, copy}, &meter);
    CHECK(meter.live_bytes > one);
  }
  CHECK(meter.live_bytes == 0);
}

TEST_CASE("depth counts containers") {
  Value value = Value::integer(1);
  for (uint32_t i = 0; i < 50; ++i) {
    CHECK(value.depth() == i);
    value = i % 2 ? Value::list({value}) : Value::object({{Value::string("k"), value}});
  }
}

TEST_CASE("JSON is read strictly and in order") {
  const auto value =
      parse_json(R"({"b": [1, -2.5, true, null, "\u00e9"], "a": {"z": 1, "y": 2}, "big": 18446744073709551615})");
  REQUIRE(value);
  const RenderOptions options;
  Work work(options);
  const auto text = to_json(work, *value, {});
  REQUIRE(text);
  CHECK(*text ==
        "{\"b\": [1, -2.5, true, null, \"\xc3\xa9\"], \"a\": {\"z\": 1, \"y\": 2}, \"big\": 1.8446744073709552e+19}");
  for (const char* bad : {"", "{", "[1,]", "{\"a\" 1}", "nul", "1 2", "{'a': 1}", "\"\xff\"", "[NaN]"}) {
    CHECK_MESSAGE(!parse_json(bad), bad);
  }
  CHECK(parse_json(std::string(128, '[') + std::string(128, ']')));
  CHECK(!parse_json(std::string(129, '[') + std::string(129, ']')));
  CHECK(!parse_json(std::string(1'000'000, '[')));
}

TEST_CASE("floats print as Python prints them") {
  const struct {
    double d;
    const char* text;
  } cases[] = {
      {0.0, "0.0"},    {-0.0, "-0.0"},        {1.5, "1.5"},       {100.0, "100.0"},  {1e15, "1000000000000000.0"},
      {1e16, "1e+16"}, {1.25e-5, "1.25e-05"}, {0.0001, "0.0001"}, {1e100, "1e+100"}, {123456.789, "123456.789"}};
  for (const auto& [d, text] : cases) CHECK(float_text(d) == text);
}

}  // namespace
}  // namespace quern::chat
