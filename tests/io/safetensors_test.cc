// The parser of safetensors on files made in memory: what it accepts, and what it says about what it refuses.
#include "lib/io/safetensors.h"

#include <doctest/doctest.h>

#include "tests/io/raw_gguf.h"

using namespace quern;
using namespace quern::io;
using namespace quern::io::test;

namespace {

/// The length, the header, n bytes of data that count up.
std::string file_of(std::string_view header, size_t n_data) {
  const uint64_t size = header.size();
  std::string out(reinterpret_cast<const char*>(&size), sizeof size);
  out.append(header);
  for (size_t i = 0; i < n_data; ++i) out.push_back(static_cast<char>(i));
  return out;
}

Result<SafeTensors> parse(const std::string& bytes, const SafeLimits& limits = {}) {
  return parse_safetensors(std::as_bytes(std::span(bytes)), "m.safetensors", 3, limits);
}

std::string error_of(const std::string& bytes, const SafeLimits& limits = {}) {
  const auto parsed = parse(bytes, limits);
  if (parsed) return "";
  CHECK(contains(parsed.error().message, "m.safetensors"));
  return parsed.error().message;
}

std::string error_in(std::string_view header, size_t n_data) { return error_of(file_of(header, n_data)); }

std::string array(std::string_view name, std::string_view type, std::string_view shape, std::string_view offsets) {
  return cat("\"", name, "\":{\"dtype\":\"", type, "\",\"shape\":", shape, ",\"data_offsets\":", offsets, "}");
}

}  // namespace

TEST_CASE("arrays, metadata and padding") {
  const std::string header = cat("{\"__metadata__\":{\"format\":\"pt\"},", array("b", "F32", "[2,3]", "[2,26]"), ",",
                                 array("a", "F16", "[]", "[0,2]"), ",", array("none", "I64", "[4,0]", "[2,2]"), ",",
                                 array("p", "F4", "[4]", "[26,28]"), "}    ");
  const std::string bytes = file_of(header, 28);
  const auto parsed = parse(bytes);
  REQUIRE_MESSAGE(parsed, parsed.error().message);
  REQUIRE(parsed->entries().size() == 4);
  CHECK(parsed->metadata == std::vector<std::pair<std::string, std::string>>{{"format", "pt"}});
  const SafeTensor* b = parsed->find("b");
  REQUIRE(b != nullptr);
  CHECK(b == &parsed->entries()[0]);
  CHECK(b->type == SafeType::f32);
  CHECK(b->shape == std::vector<uint64_t>{2, 3});
  CHECK(b->elements() == 6);
  CHECK(b->file_index == 3);
  CHECK(b->bytes.size() == 24);
  CHECK(b->bytes[0] == std::byte{2});
  const SafeTensor* a = parsed->find("a");
  REQUIRE(a != nullptr);
  CHECK(a->shape.empty());
  CHECK(a->elements() == 1);
  CHECK(a->bytes.size() == 2);
  REQUIRE(parsed->find("none") != nullptr);
  CHECK(parsed->find("none")->elements() == 0);
  CHECK(parsed->find("none")->bytes.empty());
  CHECK(parsed->find("p")->bytes.size() == 2);
  CHECK(parsed->find("absent") == nullptr);
  CHECK(parse(file_of("{}", 0))->entries().empty());
}

TEST_CASE("every type has its name and size") {
  struct Case {
    const char* name;
    uint32_t bits;
  };
  // The specification's list.
  const Case cases[] = {{"BOOL", 8},        {"U8", 8},   {"I8", 8},      {"F8_E4M3", 8}, {"F8_E5M2", 8},
                        {"F8_E8M0", 8},     {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E4M3FNUZ", 8},
                        {"F8_E5M2FNUZ", 8}, {"U16", 16}, {"I16", 16},    {"F16", 16},    {"BF16", 16},
                        {"U32", 32},        {"I32", 32}, {"F32", 32},    {"U64", 64},    {"I64", 64},
                        {"F64", 64},        {"C64", 64}};
  for (const Case& c : cases) {
    const uint64_t size = 4 * c.bits / 8;
    const std::string bytes = file_of(cat("{", array("x", c.name, "[4]", cat("[0,", size, "]")), "}"), size);
    const auto parsed = parse(bytes);
    REQUIRE_MESSAGE(parsed, parsed.error().message);
    const SafeTensor& x = parsed->entries().at(0);
    CHECK(safe_type_name(x.type) == c.name);
    CHECK(safe_type_bits(x.type) == c.bits);
  }
}

TEST_CASE("the prefix and the header") {
  CHECK(contains(error_of(""), "expected at least 8 bytes, found 0"));
  CHECK(contains(error_of("1234567"), "expected at least 8 bytes, found 7"));
  CHECK(contains(error_of(std::string(8, '\0')), "begins with '{'"));
  CHECK(contains(error_of(std::string(16, '\xFF')), "expected a header of at most 100000000 bytes"));
  std::string cut = file_of("{}", 0);
  cut[0] = 3;
  CHECK(contains(error_of(cut), "the file ends within the header: expected 3 bytes, found 2"));
  CHECK(contains(error_in(" {}", 0), "begins with '{', found ' '"));
  CHECK(contains(error_in("[]", 0), "begins with '{'"));
  CHECK(contains(error_in("{", 0), "malformed JSON"));
  CHECK(contains(error_in("{}x", 0), "malformed JSON"));
  CHECK(contains(error_in(std::string_view("{}\0x", 4), 0), "found a NUL character at byte 2"));
  CHECK(contains(error_in("{\"\xFF\":1}", 0), "expected UTF-8"));
  CHECK(contains(error_in("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}", 0), "nested deeper"));
}

TEST_CASE("an array's description") {
  const auto one = [](std::string_view type, std::string_view shape, std::string_view offsets) {
    return error_in(cat("{", array("x", type, shape, offsets), "}"), 8);
  };
  CHECK(one("F32", "[2]", "[0,8]").empty());
  CHECK(contains(error_in("{\"x\":1}", 0), "array 'x': expected an object, found the number 1"));
  CHECK(contains(error_in("{\"x\":{}}", 0), "array 'x': expected one dtype, found 0"));
  CHECK(contains(error_in("{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8),
                 "expected one dtype, found 2"));
  CHECK(contains(error_in("{\"x\":{\"dtype\":\"F32\",\"extra\":1}}", 0), "found 'extra'"));
  CHECK(contains(error_in("{\"x\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8),
                 "dtype: expected a string, found the number 7"));
  CHECK(contains(error_in(cat("{", array("", "F32", "[2]", "[0,8]"), "}"), 8), "the name of array '' is empty"));
  CHECK(contains(error_in(cat("{", array("a\\u0000", "F32", "[2]", "[0,8]"), "}"), 8), "contains a NUL"));
  CHECK(contains(one("F33", "[2]", "[0,8]"), "array 'x': expected a known dtype, found 'F33'"));
  CHECK(parse(file_of(cat("{", array("x", "F33", "[2]", "[0,8]"), "}"), 8)).error().code == Errc::unsupported);
  CHECK(contains(one("F32", "2", "[0,8]"), "shape: expected an array, found the number 2"));
  CHECK(contains(one("F32", "[-2]", "[0,8]"), "shape: expected a whole number, found the number -2"));
  CHECK(contains(one("F32", "[2.0]", "[0,8]"), "shape: expected a whole number"));
  CHECK(contains(one("F32", "[18446744073709551616]", "[0,8]"), "shape: expected a whole number"));
  CHECK(contains(one("F32", "[null]", "[0,8]"), "shape: expected a whole number, found null"));
  CHECK(contains(one("F32", "[4294967296,4294967296,4294967296]", "[0,8]"), "below 2^64"));
  CHECK(contains(one("F32", "[4611686018427387904,4]", "[0,8]"), "below 2^64"));
  CHECK(contains(one("F32", "[0,4611686018427387904,4]", "[0,0]"), "below 2^64"));
  CHECK(contains(one("F4", "[15]", "[0,8]"), "a whole number of bytes"));
  CHECK(contains(one("F32", "[3]", "[0,8]"), "expected 12 bytes of F32 of shape [3], found data_offsets [0, 8]"));
  CHECK(contains(one("F32", "[1]", "[0,8]"), "expected 4 bytes"));
  CHECK(contains(one("F32", "[2]", "[0,8,8]"), "expected a begin and an end, found [0, 8, 8]"));
  CHECK(contains(one("F32", "[2]", "[8,0]"), "expected a begin and an end"));
  CHECK(contains(one("F32", "[2]", "[1,9]"), "within the 8 bytes of data, found data_offsets [1, 9]"));
  CHECK(contains(one("F32", "[2]", "[9223372036854775800,9223372036854775807]"), "within the 8 bytes of data"));
  std::string deep = "[1";
  for (int i = 0; i < 64; ++i) deep += ",1";
  CHECK(contains(one("F32", deep + "]", "[0,4]"), "65 dimensions are over the limit of 64"));
}

TEST_CASE("arrays tile the data") {
  const auto two = [](std::string_view a, std::string_view b, size_t n_data) {
    return error_in(cat("{", array("a", "U8", "[4]", a), ",", array("b", "U8", "[4]", b), "}"), n_data);
  };
  CHECK(two("[0,4]", "[4,8]", 8).empty());
  CHECK(two("[4,8]", "[0,4]", 8).empty());
  CHECK(contains(two("[0,4]", "[5,9]", 9),
                 "array 'b': expected it to begin at byte 4 of the data, where array 'a' ends"));
  CHECK(contains(two("[0,4]", "[3,7]", 7), "array 'b': expected it to begin at byte 4"));
  CHECK(contains(two("[0,4]", "[0,4]", 4), "array 'b': expected it to begin at byte 4"));
  CHECK(
      contains(two("[1,5]", "[5,9]", 9), "array 'a': expected it to begin at byte 0 of the data, the first, found 1"));
  CHECK(contains(two("[0,4]", "[4,8]", 9), "expected 8 bytes of data, as much as the arrays hold, found 9"));
  CHECK(contains(error_in("{}", 1), "expected 0 bytes of data"));
  CHECK(contains(error_in(cat("{", array("a", "U8", "[4]", "[0,4]"), ",", array("a", "U8", "[4]", "[4,8]"), "}"), 8),
                 "array 'a' appears twice"));
}

TEST_CASE("metadata and limits") {
  CHECK(contains(error_in("{\"__metadata__\":[]}", 0), "'__metadata__': expected an object"));
  CHECK(contains(error_in("{\"__metadata__\":{\"n\":1}}", 0), "'n': expected a string, found the number 1"));
  CHECK(contains(error_in("{\"__metadata__\":{},\"__metadata__\":{}}", 0), "'__metadata__' appears twice"));
  const std::string bytes =
      file_of(cat("{", array("long_name", "U8", "[4]", "[0,4]"), ",", array("b", "U8", "[1]", "[4,5]"), "}"), 5);
  CHECK(error_of(bytes).empty());
  CHECK(contains(error_of(bytes, {.header_bytes = 8}), "expected a header of at most 8 bytes"));
  CHECK(contains(error_of(bytes, {.arrays = 1}), "2 arrays are over the limit of 1"));
  CHECK(contains(error_of(bytes, {.name_bytes = 8}), "is too long"));
  const std::string many = file_of("{\"a\":[1" + std::string(32, ',') + "1]}", 0);
  CHECK(contains(error_of(many, {.arrays = 1}), "32 values are over the limit of 16"));
}

TEST_CASE("every cut of a file is refused, with its name in the message") {
  const std::string bytes =
      file_of(cat("{", array("a", "F16", "[2,2]", "[0,8]"), ",", array("b", "U8", "[1]", "[8,9]"), "}"), 9);
  REQUIRE(error_of(bytes).empty());
  for (size_t n = 0; n < bytes.size(); ++n) CHECK_FALSE(error_of(bytes.substr(0, n)).empty());
}
