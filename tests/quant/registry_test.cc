// The registry: every type id of GGUF has a name and a size or a reason.
#include <doctest/doctest.h>

#include <cstring>
#include <iterator>
#include <string>

#include "lib/quant/format.h"

using namespace quern;
using quant::FormatInfo;

namespace {

std::string message(uint32_t id) {
  const auto format = quant::resolve_format(id);
  return format ? std::string() : format.error().message;
}
bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

struct Row {
  uint32_t id;
  const char* name;
  uint32_t elems, bytes;
  bool run;
};
// The types of the GGUF specification.
constexpr Row kRows[] = {
    {0, "F32", 1, 4, true},         {1, "F16", 1, 2, true},         {2, "Q4_0", 32, 18, true},
    {3, "Q4_1", 32, 20, true},      {6, "Q5_0", 32, 22, true},      {7, "Q5_1", 32, 24, true},
    {8, "Q8_0", 32, 34, true},      {9, "Q8_1", 32, 36, false},     {10, "Q2_K", 256, 84, true},
    {11, "Q3_K", 256, 110, true},   {12, "Q4_K", 256, 144, true},   {13, "Q5_K", 256, 176, true},
    {14, "Q6_K", 256, 210, true},   {15, "Q8_K", 256, 292, false},  {16, "IQ2_XXS", 256, 66, true},
    {17, "IQ2_XS", 256, 74, true},  {18, "IQ3_XXS", 256, 98, true}, {19, "IQ1_S", 256, 50, true},
    {20, "IQ4_NL", 32, 18, true},   {21, "IQ3_S", 256, 110, true},  {22, "IQ2_S", 256, 82, true},
    {23, "IQ4_XS", 256, 136, true}, {24, "I8", 1, 1, false},        {25, "I16", 1, 2, false},
    {26, "I32", 1, 4, false},       {27, "I64", 1, 8, false},       {28, "F64", 1, 8, false},
    {29, "IQ1_M", 256, 56, true},   {30, "BF16", 1, 2, true},       {34, "TQ1_0", 256, 54, true},
    {35, "TQ2_0", 256, 66, true},   {39, "MXFP4", 32, 17, true},    {40, "NVFP4", 64, 36, true},
    {41, "Q1_0", 128, 18, true},    {42, "Q2_0", 64, 18, true},
};
// Those that only other containers have.
constexpr Row kOtherRows[] = {
    {1000, "NF4", 64, 36, true},       {1001, "NF4_DQ", 256, 140, true}, {1002, "FP4", 64, 36, true},
    {1003, "INT2", 128, 36, true},     {1004, "INT3", 128, 52, true},    {1005, "INT4", 128, 68, true},
    {1006, "INT4_32", 32, 20, true},   {1007, "INT8", 128, 132, true},   {1008, "F8_E4M3", 128, 132, true},
    {1009, "F8_E5M2", 128, 132, true},
};

}  // namespace

TEST_CASE("every GGUF type has its name, its block size, and is run or refused by name") {
  size_t run = 0;
  for (const Row& row : kRows) {
    CAPTURE(std::string(row.name));
    CHECK(quant::type_name(row.id) == row.name);
    const auto size = quant::block_size(row.id);
    REQUIRE(size);
    CHECK(size->elems == row.elems);
    CHECK(size->bytes == row.bytes);
    const auto format = quant::resolve_format(row.id);
    REQUIRE(format.has_value() == row.run);
    if (row.run) {
      ++run;
      CHECK(*format == quant::find_format(static_cast<tensor::DType>(row.id)));
      CHECK(std::string((*format)->name) == row.name);
      CHECK((*format)->block_elems == row.elems);
      CHECK((*format)->block_bytes == row.bytes);
    } else {
      CHECK(format.error().code == Errc::unsupported);
      CHECK(contains(format.error().message, row.name));
      CHECK(quant::find_format(static_cast<tensor::DType>(row.id)) == nullptr);
    }
  }
  CHECK(quant::formats().size() == run + std::size(kOtherRows));
}

TEST_CASE("types of other containers have names and block sizes, and are unknown in GGUF") {
  for (const Row& row : kOtherRows) {
    CAPTURE(std::string(row.name));
    CHECK(quant::type_name(row.id) == row.name);
    const FormatInfo* format = quant::find_format(static_cast<tensor::DType>(row.id));
    REQUIRE(format != nullptr);
    CHECK(std::string(format->name) == row.name);
    CHECK(quant::resolve_format(row.id).value() == format);
    const auto size = quant::block_size(row.id);
    REQUIRE(size);
    CHECK((size->elems == row.elems && size->bytes == row.bytes));
    CHECK((format->block_elems == row.elems && format->block_bytes == row.bytes));
    const auto in_gguf = quant::gguf_block_size(row.id);
    REQUIRE(!in_gguf);
    CHECK(contains(in_gguf.error().message, "unknown tensor type"));
    CHECK(!quant::find_type(row.name));
  }
  for (const Row& row : kRows) CHECK(quant::gguf_block_size(row.id)->bytes == row.bytes);
}

TEST_CASE("formats() lists each type once") {
  for (const FormatInfo& format : quant::formats()) CHECK(quant::find_format(format.type) == &format);
}

TEST_CASE("removed types say what to use instead") {
  for (const uint32_t id : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u}) {
    CAPTURE(id);
    CHECK(contains(message(id), "removed from GGUF"));
    CHECK(contains(message(id), quant::type_name(id).c_str()));
    const auto size = quant::block_size(id);
    REQUIRE(!size);
    CHECK(size.error().code == Errc::unsupported);
  }
  CHECK(
      message(32) ==
      "tensor type Q4_0_4_8 (32) was removed from GGUF; use the Q4_0 file of the model: it is repacked for this CPU at "
      "load");
  CHECK(contains(message(36), "I2_S"));
}

TEST_CASE("types of ik_llama.cpp are named as such") {
  for (const uint32_t id : {133u, 139u, 144u, 151u, 158u, 202u, 312u, 399u}) {
    CAPTURE(id);
    CHECK(contains(message(id), "ik_llama.cpp"));
    CHECK(contains(message(id), std::to_string(id).c_str()));
    CHECK(!quant::block_size(id));
  }
  CHECK(quant::type_name(144) == "IQ4_KS");
}

TEST_CASE("integers, intermediate and unknown types are told apart") {
  CHECK(contains(message(26), "integers"));
  CHECK(contains(message(15), "intermediate"));
  CHECK(contains(message(28), "not supported yet"));
  for (const uint32_t id : {43u, 77u, 201u, 400u, 999u, 1010u, 0xFFFFFFFFu}) {
    CHECK(contains(message(id), "unknown tensor type"));
    CHECK(quant::type_name(id) == "type " + std::to_string(id));
    CHECK(!quant::block_size(id));
  }
}

TEST_CASE("types of weights are found by name, in any case") {
  for (const Row& row : kRows) {
    CAPTURE(std::string(row.name));
    const std::string name = row.name;
    const bool weights = name != "Q8_1" && name != "Q8_K" && !(row.id >= 24 && row.id <= 27);
    std::string lower;
    for (const char c : name) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    CHECK(quant::find_type(name) == (weights ? std::optional(row.id) : std::nullopt));
    CHECK(quant::find_type(lower) == quant::find_type(name));
  }
  for (const char* none : {"", "Q4", "Q4_K_M", "Q4_KK", "Q4_2", "Q6_0", "type 77"}) CHECK_FALSE(quant::find_type(none));
}
