// What the writer writes, the reader reads back; what the reader would refuse, the writer refuses.
#include <doctest/doctest.h>

#include <limits>

#include "lib/quant/format.h"
#include "tests/io/raw_gguf.h"

using namespace quern;
using namespace quern::io;
using namespace quern::io::test;

static std::vector<std::byte> pattern(size_t n) {
  std::vector<std::byte> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>(i * 7 + 1);
  return out;
}

TEST_CASE("round trip of every value type and of blocks") {
  GgufWriter writer;
  const auto add = [&](const char* key, MetaValue value, ValueType type) {
    writer.add(key, std::move(value), type).value();
  };
  add("general.architecture", std::string("llama"), ValueType::string);
  add("u8", uint64_t{255}, ValueType::u8);
  add("i8", int64_t{-128}, ValueType::i8);
  add("u16", uint64_t{65535}, ValueType::u16);
  add("i16", int64_t{-32768}, ValueType::i16);
  add("u32", uint64_t{4294967295}, ValueType::u32);
  add("i32", int64_t{INT32_MIN}, ValueType::i32);
  add("u64", std::numeric_limits<uint64_t>::max(), ValueType::u64);
  add("i64", std::numeric_limits<int64_t>::min(), ValueType::i64);
  add("f32", double{0.1f}, ValueType::f32);
  add("inf", std::numeric_limits<double>::infinity(), ValueType::f32);
  add("f64", 0.1, ValueType::f64);
  add("yes", true, ValueType::boolean);
  add("bools", std::vector<uint64_t>{1, 0}, ValueType::boolean);
  add("bytes", std::vector<uint64_t>{0, 255}, ValueType::u8);
  add("floats", std::vector<double>{0.5, -2}, ValueType::f32);
  add("strings", std::vector<std::string>{"", std::string("\0\xFF", 2)}, ValueType::string);
  add("none", std::vector<int64_t>{}, ValueType::i32);
  const auto blocks = pattern(2 * 18), floats = pattern(12);
  writer.add_tensor("blocks", {{32, 2, 1, 1}, 2}, 2, blocks).value();
  writer.add_tensor("floats", {{3, 1, 1, 1}, 1}, 0, floats).value();

  const auto bytes = to_bytes(writer);
  CHECK(bytes.size() % 32 == 0);
  const auto parsed = parse_gguf(bytes, "m.gguf");
  REQUIRE_MESSAGE(parsed, parsed.error().message);
  CHECK(parsed->version == 3);
  REQUIRE(parsed->meta.entries().size() == 18);
  CHECK(*parsed->meta.find("i32") == MetaValue(int64_t{INT32_MIN}));
  CHECK(*parsed->meta.find("f32") == MetaValue(double{0.1f}));
  CHECK(*parsed->meta.find("inf") == MetaValue(std::numeric_limits<double>::infinity()));
  CHECK(*parsed->meta.find("bools") == MetaValue(std::vector<uint64_t>{1, 0}));
  CHECK(*parsed->meta.find("strings") == MetaValue(std::vector<std::string>{"", std::string("\0\xFF", 2)}));
  const auto same = [](const tensor::TensorView& view, const std::vector<std::byte>& expected) {
    return std::vector<std::byte>(view.data, view.data + view.size_bytes()) == expected;
  };
  CHECK(same(parsed->tensors.find("blocks")->view, blocks));
  CHECK(same(parsed->tensors.find("floats")->view, floats));

  // Rewriting the entries as they were read gives the same bytes: the value types are kept.
  GgufWriter again;
  for (const auto& entry : parsed->meta.entries()) again.add(entry).value();
  for (const auto& entry : parsed->tensors.entries())
    again.add_tensor(entry.name, entry.view.shape, entry.type_id, {entry.view.data, entry.view.size_bytes()}).value();
  CHECK(to_bytes(again) == bytes);
}

TEST_CASE("the alignment of the key is used") {
  GgufWriter writer;
  writer.add(kAlignmentKey, uint64_t{4096}, ValueType::u32).value();
  const auto data = pattern(4);
  writer.add_tensor("a", {{1, 1, 1, 1}, 1}, 0, data).value();
  writer.add_tensor("b", {{1, 1, 1, 1}, 0}, 0, data).value();
  const auto bytes = to_bytes(writer);
  CHECK(bytes.size() == 3 * 4096);
  const auto parsed = parse_gguf(bytes, "m.gguf");
  REQUIRE_MESSAGE(parsed, parsed.error().message);
  CHECK(parsed->alignment == 4096);
  CHECK(parsed->tensors.find("b")->view.data == bytes.data() + 2 * 4096);
}

TEST_CASE("what cannot be stored is refused") {
  GgufWriter writer;
  CHECK_FALSE(writer.add("k", uint64_t{256}, ValueType::u8));
  CHECK_FALSE(writer.add("k", int64_t{-1}, ValueType::u32));
  CHECK_FALSE(writer.add("k", uint64_t{1} << 63, ValueType::i64));
  CHECK_FALSE(writer.add("k", 1e300, ValueType::f32));
  CHECK_FALSE(writer.add("k", 1.0, ValueType::u32));
  CHECK_FALSE(writer.add("k", uint64_t{1}, ValueType::f32));
  CHECK_FALSE(writer.add("k", uint64_t{1}, ValueType::boolean));
  CHECK_FALSE(writer.add("k", true, ValueType::u8));
  CHECK_FALSE(writer.add("k", std::string("s"), ValueType::u8));
  CHECK_FALSE(writer.add("k", uint64_t{1}, ValueType::array));
  CHECK_FALSE(writer.add("k", uint64_t{1}, static_cast<ValueType>(13)));
  CHECK_FALSE(writer.add("k", std::vector<uint64_t>{2}, ValueType::boolean));
  CHECK_FALSE(writer.add("", true, ValueType::boolean));
  CHECK_FALSE(writer.add(std::string("a\0", 2), true, ValueType::boolean));
  CHECK_FALSE(writer.add(kAlignmentKey, uint64_t{48}, ValueType::u32));
  CHECK_FALSE(writer.add(kAlignmentKey, uint64_t{32}, ValueType::u64));
  const auto refused = writer.add("key", uint64_t{256}, ValueType::u8);
  CHECK(refused.error().message == "key 'key': the value cannot be stored as u8");
  writer.add("k", true, ValueType::boolean).value();
  CHECK_FALSE(writer.add("k", true, ValueType::boolean));

  const auto data = pattern(64);
  const auto tensor = [&](std::string name, tensor::Shape shape, uint32_t type, size_t n) {
    return writer.add_tensor(std::move(name), shape, type, std::span(data).first(n)).has_value();
  };
  CHECK_FALSE(tensor("", {{1, 1, 1, 1}, 1}, 0, 4));
  CHECK_FALSE(tensor(std::string(64, 'n'), {{1, 1, 1, 1}, 1}, 0, 4));
  CHECK_FALSE(tensor("t", {{1, 1, 1, 1}, 5}, 0, 4));
  CHECK_FALSE(tensor("t", {{0, 1, 1, 1}, 1}, 0, 0));
  CHECK_FALSE(tensor("t", {{1, 2, 1, 1}, 1}, 0, 8));  // an extent beyond the rank
  CHECK_FALSE(tensor("t", {{16, 1, 1, 1}, 1}, 2, 9));
  CHECK_FALSE(tensor("t", {{1, 1, 1, 1}, 1}, 4, 4));
  CHECK_FALSE(tensor("t", {{2, 1, 1, 1}, 1}, 0, 4));
  CHECK(tensor("t", {{1, 1, 1, 1}, 1}, 0, 4));
  CHECK_FALSE(tensor("t", {{1, 1, 1, 1}, 1}, 0, 4));
  CHECK_FALSE(writer.add(kAlignmentKey, uint64_t{64}, ValueType::u32));  // too late
}

TEST_CASE("a tensor may come in pieces, but not short or long") {
  const auto data = pattern(40);
  const auto written = [&](size_t n) {
    GgufWriter writer;
    const TensorSource source = [&data, n](const ByteSink& sink) -> Status {
      for (size_t i = 0; i < n; i += 4) QUERN_CHECK(sink(std::span(data).subspan(i, 4)));
      return {};
    };
    writer.add_tensor("t", {{8, 1, 1, 1}, 1}, 0, source).value();
    return writer.write([](std::span<const std::byte>) -> Status { return {}; });
  };
  CHECK(written(32));
  CHECK(written(28).error().message == "tensor 't': expected 32 bytes from its source, found 28");
  CHECK(written(36).error().message == "tensor 't': its source gives more than 32 bytes");
}

TEST_CASE("a failed write leaves the old file") {
  const ScratchFolder folder;
  const std::string path = folder.write("m.gguf", pattern(5));
  GgufWriter writer;
  const TensorSource failing = [](const ByteSink&) -> Status { return fail(Errc::cancelled, "stopped"); };
  writer.add_tensor("t", {{8, 1, 1, 1}, 1}, 0, failing).value();
  CHECK(writer.write(path).error().code == Errc::cancelled);
  CHECK(folder.n_files() == 1);
  CHECK(std::filesystem::file_size(path) == 5);
}
