#include <doctest/doctest.h>

#include <limits>

#include "lib/io/names.h"
#include "lib/io/reader.h"

using namespace quern;
using namespace quern::io;

static MetaTable example() {
  MetaTable table("m.gguf");
  table.add({"count", uint64_t{32}}).value();
  table.add({"signed", int64_t{7}}).value();
  table.add({"negative", int64_t{-1}}).value();
  table.add({"huge", std::numeric_limits<uint64_t>::max()}).value();
  table.add({"eps", 1e-5}).value();
  table.add({"flag", true}).value();
  table.add({"name", std::string("demo\n")}).value();
  table.add({"uints", std::vector<uint64_t>{1, 2}}).value();
  table.add({"ints", std::vector<int64_t>{-1, 2}}).value();
  table.add({"huges", std::vector<uint64_t>{1, uint64_t{1} << 63}}).value();
  table.add({"floats", std::vector<double>{0.5}}).value();
  table.add({"strings", std::vector<std::string>{"a", "b"}}).value();
  return table;
}

template <class T>
static std::string message(const Result<T>& result) {
  return result ? "" : result.error().message;
}

TEST_CASE("getters give the value, or nothing where the key is absent") {
  const MetaTable table = example();
  CHECK(*table.get_uint("count").value() == 32);
  CHECK(*table.get_uint("signed").value() == 7);
  CHECK(*table.get_uint("huge").value() == std::numeric_limits<uint64_t>::max());
  CHECK(*table.get_int("count").value() == 32);
  CHECK(*table.get_int("negative").value() == -1);
  CHECK(*table.get_float("eps").value() == 1e-5);
  CHECK(*table.get_bool("flag").value());
  CHECK(*table.get_string("name").value() == "demo\n");
  CHECK(table.get_strings("strings").value()->size() == 2);
  CHECK(*table.get_ints("ints").value() == std::vector<int64_t>{-1, 2});
  CHECK(*table.get_ints("uints").value() == std::vector<int64_t>{1, 2});
  CHECK(*table.get_floats("floats").value() == std::vector<double>{0.5});

  CHECK_FALSE(table.get_uint("absent").value());
  CHECK_FALSE(table.get_int("absent").value());
  CHECK_FALSE(table.get_float("absent").value());
  CHECK_FALSE(table.get_bool("absent").value());
  CHECK(table.get_string("absent").value() == nullptr);
  CHECK(table.get_strings("absent").value() == nullptr);
  CHECK_FALSE(table.get_ints("absent").value());
  CHECK_FALSE(table.get_floats("absent").value());
}

TEST_CASE("getters name file, key, expected and found") {
  const MetaTable table = example();
  CHECK(message(table.get_uint("negative")) ==
        "m.gguf: key 'negative': expected a non-negative integer, found the integer -1");
  CHECK(message(table.get_uint("name")) ==
        "m.gguf: key 'name': expected a non-negative integer, found the string 'demo\\x0a'");
  CHECK(message(table.get_uint("flag")) ==
        "m.gguf: key 'flag': expected a non-negative integer, found the boolean true");
  CHECK(message(table.get_int("huge")) ==
        "m.gguf: key 'huge': expected an integer below 2^63, found the integer 18446744073709551615");
  CHECK(message(table.get_float("count")) ==
        "m.gguf: key 'count': expected a floating-point number, found the integer 32");
  CHECK(message(table.get_bool("count")) == "m.gguf: key 'count': expected a boolean, found the integer 32");
  CHECK(message(table.get_string("eps")) ==
        "m.gguf: key 'eps': expected a string, found the floating-point number 1e-05");
  CHECK(message(table.get_strings("ints")) ==
        "m.gguf: key 'ints': expected an array of strings, found an array of 2 integers");
  CHECK(message(table.get_ints("strings")) ==
        "m.gguf: key 'strings': expected an array of integers, found an array of 2 strings");
  CHECK(message(table.get_ints("huges")) ==
        "m.gguf: key 'huges': element 1: expected an integer below 2^63, found 9223372036854775808");
  CHECK(message(table.get_floats("ints")) ==
        "m.gguf: key 'ints': expected an array of floating-point numbers, found an array of 2 integers");
  CHECK(table.get_uint("name").error().code == Errc::format);
}

TEST_CASE("a key or a tensor name is taken once") {
  MetaTable table = example();
  CHECK(message(table.add({"eps", 0.0})) == "m.gguf: key 'eps' appears twice");
  CHECK(*table.get_float("eps").value() == 1e-5);
  TensorTable tensors;
  tensors.add({"t", {}, 0, 0}).value();
  CHECK(message(tensors.add({"t", {}, 1, 0})) == "tensor 't' appears twice");
  CHECK(tensors.entries().size() == 1);
}

TEST_CASE("names are shown without their control characters and not without end") {
  CHECK(quoted("blk.0.attn_q") == "'blk.0.attn_q'");
  CHECK(quoted("it's\\\x1B[2J\r\n") == "'it\\'s\\\\\\x1b[2J\\x0d\\x0a'");
  CHECK(quoted(std::string(101, 'x')) == "'" + std::string(100, 'x') + "...'");
}

TEST_CASE("UTF-8: every boundary of the standard's table") {
  for (const char* good : {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    CHECK(is_utf8(good));
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE1\x80", "\xE1\x80\x41",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF1\x80\x80", "\xFF"})
    CHECK_FALSE(is_utf8(bad));
}
