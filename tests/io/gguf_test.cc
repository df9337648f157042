// The GGUF parser on files made in memory: what it accepts, and what it says about what it refuses.
#include <doctest/doctest.h>

#include "tests/io/raw_gguf.h"

using namespace quern;
using namespace quern::io;
using namespace quern::io::test;

static constexpr uint32_t kF32 = 0, kQ8_0 = 8, kQ4K = 12, kIq2Xxs = 16, kI32 = 26;

TEST_CASE("values of every type arrive widened, arrays too") {
  RawGguf file;
  file.header(0, 16);
  file.key("u8", ValueType::u8).number<uint8_t>(200);
  file.key("i8", ValueType::i8).number<int8_t>(-100);
  file.key("u16", ValueType::u16).number<uint16_t>(60000);
  file.key("i16", ValueType::i16).number<int16_t>(-30000);
  file.key("u32", ValueType::u32).number<uint32_t>(4000000000);
  file.key("i32", ValueType::i32).number<int32_t>(-2000000000);
  file.key("u64", ValueType::u64).number<uint64_t>(~uint64_t{0});
  file.key("i64", ValueType::i64).number<int64_t>(INT64_MIN);
  file.key("f32", ValueType::f32).number<float>(1e-5f);
  file.key("f64", ValueType::f64).number<double>(1e-5);
  file.key("bool", ValueType::boolean).number<uint8_t>(255);
  file.key("string", ValueType::string).text(std::string_view("a\0\xFF", 3));
  file.array("ints", ValueType::i16, 2).number<int16_t>(-1).number<int16_t>(2);
  file.array("bools", ValueType::boolean, 3).number<uint8_t>(0).number<uint8_t>(1).number<uint8_t>(7);
  file.array("strings", ValueType::string, 2).text("").text("b");
  file.array("empty", ValueType::f32, 0);

  const auto parsed = file.parse();
  REQUIRE_MESSAGE(parsed, parsed.error().message);
  const MetaTable& meta = parsed->meta;
  CHECK(parsed->version == 3);
  CHECK(parsed->alignment == 32);
  CHECK(meta.entries().size() == 16);
  CHECK(meta.entries()[2].key == "u16");
  CHECK(meta.entries()[2].file_type == static_cast<uint32_t>(ValueType::u16));
  CHECK(*meta.find("u8") == MetaValue(uint64_t{200}));
  CHECK(*meta.find("i8") == MetaValue(int64_t{-100}));
  CHECK(*meta.find("u16") == MetaValue(uint64_t{60000}));
  CHECK(*meta.find("i16") == MetaValue(int64_t{-30000}));
  CHECK(*meta.find("u32") == MetaValue(uint64_t{4000000000}));
  CHECK(*meta.find("i32") == MetaValue(int64_t{-2000000000}));
  CHECK(*meta.find("u64") == MetaValue(~uint64_t{0}));
  CHECK(*meta.find("i64") == MetaValue(int64_t{INT64_MIN}));
  CHECK(*meta.find("f32") == MetaValue(double{1e-5f}));
  CHECK(*meta.find("f64") == MetaValue(1e-5));
  CHECK(*meta.find("bool") == MetaValue(true));
  CHECK(*meta.find("string") == MetaValue(std::string("a\0\xFF", 3)));
  CHECK(*meta.find("ints") == MetaValue(std::vector<int64_t>{-1, 2}));
  CHECK(*meta.find("bools") == MetaValue(std::vector<uint64_t>{0, 1, 1}));
  CHECK(*meta.find("strings") == MetaValue(std::vector<std::string>{"", "b"}));
  CHECK(*meta.find("empty") == MetaValue(std::vector<double>{}));
  CHECK(meta.find("absent") == nullptr);
}

TEST_CASE("tensors: views, blocks, scalars, types that cannot be run, any order") {
  RawGguf file;
  file.header(4, 0, 2);
  file.tensor("blocks", {64, 3, 2}, kQ8_0, 32);  // 6 rows of 2 * 34 bytes
  file.tensor("floats", {5}, kF32, 0);
  file.tensor("scalar", {}, kI32, 448);
  file.tensor("grid", {256}, kIq2Xxs, 480);
  file.pad();
  const size_t data_start = file.size();
  file.data(480 + 66);

  const auto parsed = file.parse();
  REQUIRE_MESSAGE(parsed, parsed.error().message);
  CHECK(parsed->version == 2);
  const TensorEntry* blocks = parsed->tensors.find("blocks");
  REQUIRE(blocks != nullptr);
  CHECK(blocks->view.type == tensor::DType::q8_0);
  CHECK(blocks->view.shape == tensor::Shape{{64, 3, 2, 1}, 3});
  CHECK(blocks->view.row_bytes == 68);
  CHECK(blocks->view.size_bytes() == 6 * 68);
  CHECK(blocks->view.data == file.view().data() + data_start + 32);
  CHECK(parsed->tensors.find("floats")->view.data == file.view().data() + data_start);
  CHECK(parsed->tensors.find("scalar")->view.size_bytes() == 4);
  CHECK(parsed->tensors.find("scalar")->view.shape.rank == 0);
  CHECK(parsed->tensors.find("grid")->type_id == kIq2Xxs);
  CHECK(parsed->tensors.find("absent") == nullptr);
}

TEST_CASE("the header") {
  CHECK(contains(RawGguf().error(), "the file ends within the header"));
  CHECK(contains(RawGguf().bytes("GGUX").error(), "does not begin with 'GGUF'"));
  CHECK(RawGguf().header(0, 0, 2).error() == "");
  CHECK(contains(RawGguf().header(0, 0, 1).error(), "version 1 is not supported"));
  CHECK(contains(RawGguf().header(0, 0, 4).error(), "version 4 is not supported (expected 2 or 3)"));
  CHECK(contains(RawGguf().header(0, 0, 0).error(), "version 0 is not supported"));
  CHECK(contains(RawGguf().header(0, 0, 0x03000000).error(), "big-endian"));
  CHECK(contains(RawGguf().header(0, ~uint64_t{0}).error(),
                 "promises 18446744073709551615 keys, but only 0 bytes follow"));
  CHECK(contains(RawGguf().header(uint64_t{1} << 63, 0).error(), "promises 9223372036854775808 tensors"));
  RawGguf whole;
  whole.header(1, 1).key("general.name", ValueType::string).text("x").tensor("t", {8}, kF32, 0).pad().data(32);
  REQUIRE(whole.error() == "");
  for (size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(parse_gguf(whole.view().first(n), "cut.gguf").has_value());
}

TEST_CASE("keys and values that are refused") {
  const auto one = [](std::string_view key) {
    return RawGguf().header(0, 1).key(key, ValueType::u8).number<uint8_t>(1);
  };
  CHECK(one("k").error() == "");
  CHECK(one("\xC3\xA9").error() == "");
  CHECK(one("").pad().error() == "m.gguf: key 1 of 1: the key is empty");
  CHECK(one(std::string_view("a\0b", 3)).error() == "m.gguf: key 1 of 1 'a\\x00b': the key contains a NUL character");
  CHECK(contains(one("\x1B[2J\xFF").error(), "'\\x1b[2J\\xff': the key is not valid UTF-8"));
  CHECK(one(std::string(65'535, 'k')).error() == "");
  CHECK(contains(one(std::string(65'536, 'k')).error(), "bytes of a key: 65536 is over the limit of 65535"));

  CHECK(contains(RawGguf()
                     .header(0, 2)
                     .key("k", ValueType::u8)
                     .number<uint8_t>(1)
                     .key("k", ValueType::i8)
                     .number<uint8_t>(1)
                     .error(),
                 "m.gguf: key 'k' appears twice"));
  CHECK(contains(RawGguf().header(0, 1).key("k", static_cast<ValueType>(13)).data(8).error(),
                 "m.gguf: key 1 of 1 'k': expected a value type of 0 to 12, found 13"));
  CHECK(contains(RawGguf().header(0, 1).array("k", ValueType::array, 1).data(64).error(), "arrays of arrays"));
  CHECK(contains(RawGguf().header(0, 1).array("k", static_cast<ValueType>(99), 1).data(8).error(), "found 99"));
  CHECK(contains(RawGguf().header(0, 1).array("k", ValueType::u64, 3).data(23).error(),
                 "the file ends within an array: expected 24 bytes at offset 49, found 23"));
  CHECK(contains(RawGguf().header(0, 1).array("k", ValueType::string, 4).data(31).error(), "promises 4 strings"));
  CHECK(contains(RawGguf().header(0, 1).array("k", ValueType::u8, ~uint64_t{0}).data(8).error(),
                 "the file ends within an array: expected 18446744073709551615 bytes"));
  CHECK(contains(RawGguf().header(0, 1).key("k", ValueType::string).number<uint64_t>(9).data(8).error(),
                 "the file ends within a string: expected 9 bytes"));
  CHECK(contains(RawGguf().header(0, 1).key("k", ValueType::string).number(~uint64_t{0}).data(8).error(),
                 "the file ends within a string"));
}

TEST_CASE("the alignment is a u32 and a power of two") {
  const auto with = [](uint32_t alignment, size_t padded_to) {
    RawGguf file;
    file.header(2, 1).key("general.alignment", ValueType::u32).number(alignment);
    return file.tensor("a", {1}, kF32, 0).tensor("b", {1}, kF32, padded_to).pad(padded_to).data(padded_to + 4);
  };
  for (const uint32_t alignment : {4u, 8u, 16u, 64u, 4096u}) {
    const RawGguf file = with(alignment, alignment);
    const auto parsed = file.parse();
    REQUIRE_MESSAGE(parsed, parsed.error().message);
    CHECK(parsed->alignment == alignment);
    CHECK(static_cast<size_t>(parsed->tensors.find("a")->view.data - file.view().data()) % alignment == 0);
  }
  CHECK(with(1, 4).error() == "");
  CHECK(contains(with(0, 32).error(), "'general.alignment': expected a power of two, found 0"));
  CHECK(contains(with(48, 48).error(), "expected a power of two, found 48"));
  CHECK(contains(with(64, 32).error(), "expected an offset that is a multiple of 64, found 32"));
  CHECK(contains(RawGguf().header(0, 1).key("general.alignment", ValueType::u64).number<uint64_t>(32).error(),
                 "expected a u32, found u64"));
  CHECK(contains(RawGguf().header(0, 1).array("general.alignment", ValueType::u32, 1).number<uint32_t>(32).error(),
                 "expected a u32"));
}

TEST_CASE("tensor descriptions that are refused") {
  const auto one = [](std::string_view name, const std::vector<uint64_t>& extents, uint32_t type = kF32,
                      uint64_t offset = 0) {
    return RawGguf().header(1, 0).tensor(name, extents, type, offset).pad().data(4096).error();
  };
  CHECK(one("t", {8, 8}) == "");
  CHECK(one(std::string(63, 'n'), {8}) == "");
  CHECK(contains(one(std::string(64, 'n'), {8}), "bytes of a tensor name: 64 is over the limit of 63"));
  CHECK(contains(one("", {8}), "tensor 1 of 1: the name is empty"));
  CHECK(contains(one(std::string_view("t\0x", 3), {8}), "tensor 1 of 1 't\\x00x': the name contains a NUL"));
  CHECK(contains(one("\xFF", {8}), "is not valid UTF-8"));
  CHECK(contains(one("t", {1, 1, 1, 1, 1}), "expected at most 4 dimensions, found 5"));
  CHECK(contains(one("t", {8, 0}), "dimension 1 is 0"));
  CHECK(contains(one("t", {uint64_t{1} << 40}), "dimension 0: 1099511627776 is over the limit of 1099511627775"));
  CHECK(contains(one("t", {(uint64_t{1} << 40) - 1}), "the file is too short: expected 4398046511100 bytes"));
  CHECK(contains(one("t", {1 << 20, 1 << 20, 1 << 20, 1 << 20}), "overflows"));
  CHECK(contains(one("t", {1 << 16, 1 << 16, 1 << 16, 1 << 15}), "overflows"));  // 2^63 elements
  CHECK(contains(one("t", {33}, kQ8_0), "shape [33]: expected rows of a multiple of 32 elements for type Q8_0"));
  CHECK(contains(one("t", {128, 2}, kQ4K), "expected rows of a multiple of 256"));
  for (const uint32_t removed : {4u, 5u, 31u, 36u})
    CHECK(contains(one("t", {256}, removed), "m.gguf: tensor 1 of 1 't': "));
  CHECK(contains(one("t", {256}, 77), "77"));
  CHECK(contains(one("t", {256}, ~0u), "4294967295"));
  CHECK(contains(one("t", {8}, kF32, 16), "expected an offset that is a multiple of 32, found 16"));
  CHECK(contains(one("t", {8}, kF32, 4096), "too short"));
  CHECK(contains(one("t", {8}, kF32, 4096 - 32), "expected it at offset 0"));
  CHECK(contains(one("t", {8}, kF32, ~uint64_t{31}), "too short"));
}

TEST_CASE("tensors fill the data: no bytes or names shared, no gaps") {
  const auto two = [](std::string_view second, uint64_t offset, uint64_t first_offset = 0) {
    RawGguf file;
    file.header(2, 0).tensor("a", {9}, kF32, first_offset).tensor(second, {9}, kF32, offset);
    return file.pad().data(512).error();
  };
  CHECK(two("b", 64) == "");
  CHECK(two("b", 0, 64) == "");
  CHECK(two("b", 32) == "m.gguf: tensors 'a' (36 bytes at offset 0) and 'b' (at offset 32) overlap");
  CHECK(contains(two("b", 0), "overlap"));
  CHECK(contains(two("b", 0, 32), "tensors 'b' (36 bytes at offset 0) and 'a' (at offset 32) overlap"));
  CHECK(two("b", 96) ==
        "m.gguf: tensor 'b': expected it at offset 64, where the tensor before it ends, found it at 96");
  CHECK(two("b", 96, 32) == "m.gguf: tensor 'a': expected it at offset 0 as the first, found it at 32");
  CHECK(two("a", 64) == "m.gguf: tensor 'a' appears twice");
}

TEST_CASE("limits hold at their value and refuse one more") {
  const auto keys = [](uint64_t n) {
    RawGguf file;
    file.header(0, n);
    for (uint64_t i = 0; i < n; ++i) file.key(cat("k", i), ValueType::u8).number<uint8_t>(0);
    return file;
  };
  CHECK(keys(4).error({.keys = 4}) == "");
  CHECK(contains(keys(5).error({.keys = 4}), "number of keys: 5 is over the limit of 4"));
  CHECK(keys(65'536).error() == "");
  CHECK(contains(keys(65'537).error(), "number of keys: 65537 is over the limit of 65536"));

  const auto tensors = [](uint64_t n) {
    RawGguf file;
    file.header(n, 0);
    for (uint64_t i = 0; i < n; ++i) file.tensor(cat("t", i), {}, kF32, 32 * i);
    return file.pad().data(32 * n);
  };
  CHECK(tensors(131'072).error() == "");
  CHECK(contains(tensors(131'073).error(), "number of tensors: 131073 is over the limit of 131072"));

  const auto string = RawGguf().header(0, 1).key("k", ValueType::string).text("12345678");
  CHECK(string.error({.string_bytes = 8}) == "");
  CHECK(contains(string.error({.string_bytes = 7}), "bytes of a string: 8 is over the limit of 7"));
  const auto array = RawGguf().header(0, 1).array("k", ValueType::u8, 8).data(8);
  CHECK(array.error({.array_elements = 8}) == "");
  CHECK(contains(array.error({.array_elements = 7}), "elements of an array: 8 is over the limit of 7"));
  CHECK(array.error({.metadata_bytes = array.size()}) == "");
  CHECK(contains(array.error({.metadata_bytes = array.size() - 1}), "the metadata is over the limit of"));
  CHECK(RawGguf().header(0, 1).array("k", ValueType::u8, 8).data(7).parse().error().code == Errc::format);
  CHECK(array.parse({.array_elements = 7}).error().code == Errc::unsupported);
}
