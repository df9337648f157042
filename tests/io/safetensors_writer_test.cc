// What the writer writes, the reader reads back; and the bytes are those of the format's description.
#include "lib/io/safetensors_writer.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/folder.h"
#include "lib/io/json.h"

using namespace quern;
using namespace quern::io;
namespace fs = std::filesystem;

namespace {

/// A folder that is removed at the end.
struct TempFolder {
  TempFolder() {
    static int counter = 0;
    path = (fs::temp_directory_path() / ("quern-st-" + std::to_string(::getpid()) + "-" + std::to_string(counter++)))
               .string();
    fs::create_directories(path);
  }
  ~TempFolder() { fs::remove_all(path); }
  std::string path;
};

std::vector<std::byte> pattern(size_t n, int seed = 1) {
  std::vector<std::byte> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>(i * 7 + static_cast<size_t>(seed));
  return out;
}

std::string text_of(std::span<const std::byte> bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

bool same(const SafeTensors& arrays, const std::string& name, const std::vector<std::byte>& expected) {
  const SafeTensor* found = arrays.find(name);
  return found != nullptr && std::vector<std::byte>(found->bytes.begin(), found->bytes.end()) == expected;
}

}  // namespace

TEST_CASE("a file to the byte: arrays by the size of their elements, then by name; the header padded to 8 bytes") {
  const TempFolder folder;
  const std::string path = folder.path + "/x.safetensors";
  const auto bytes = pattern(3), floats = pattern(8), more = pattern(4, 9);
  SafeTensorsWriter writer;
  REQUIRE(writer.add({"b", SafeType::u8, {3}}, bytes));
  REQUIRE(writer.add({"z", SafeType::f32, {2}}, floats));
  REQUIRE(writer.add({"a \"q\"", SafeType::f32, {}}, more));
  REQUIRE(writer.write(path));
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a \"q\"":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("z":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"b":{"dtype":"U8","shape":[3],"data_offsets":[12,15]}})";
  const auto file = base::FileBytes::open(path, {}).value();
  const size_t padded = (header.size() + 7) / 8 * 8;
  uint64_t length = 0;
  REQUIRE(file.bytes().size() == 8 + padded + 15);
  std::memcpy(&length, file.bytes().data(), 8);
  CHECK(length == padded);
  CHECK(text_of(file.bytes().subspan(8, header.size())) == header);
  CHECK(text_of(file.bytes().subspan(8 + header.size(), padded - header.size())) ==
        std::string(padded - header.size(), ' '));
  CHECK(text_of(file.bytes().subspan(8 + padded)) == text_of(more) + text_of(floats) + text_of(bytes));
  const auto parsed = parse_safetensors(file.bytes(), path);
  REQUIRE_MESSAGE(parsed, parsed.error().message);
  CHECK(same(*parsed, "z", floats));
  CHECK(parsed->find("a \"q\"")->shape.empty());
  CHECK(parsed->metadata == std::vector<std::pair<std::string, std::string>>{{"format", "pt"}});
}

TEST_CASE("arrays that are made together, in pieces and by turns") {
  const TempFolder folder;
  const auto x = pattern(64, 3), y = pattern(20, 5);
  SafeTensorsWriter writer;
  REQUIRE(writer.add(
      {{"m.codes", SafeType::u8, {20, 1}}, {"m.scales", SafeType::f16, {4, 8}}, {"m.none", SafeType::i32, {0}}},
      [&](const ArraySink& sink) -> Status {
        for (size_t i = 0; i < 4; ++i) {
          QUERN_CHECK(sink(1, std::span(x).subspan(i * 16, 16)));
          QUERN_CHECK(sink(0, std::span(y).subspan(i * 5, 5)));
        }
        return {};
      }));
  REQUIRE(writer.write(folder.path + "/x.safetensors"));
  const auto file = base::FileBytes::open(folder.path + "/x.safetensors", {}).value();
  const auto parsed = parse_safetensors(file.bytes(), "x").value();
  CHECK(same(parsed, "m.scales", x));
  CHECK(same(parsed, "m.codes", y));
  CHECK(same(parsed, "m.none", {}));
  CHECK(parsed.find("m.scales")->shape == std::vector<uint64_t>{4, 8});
  CHECK(parsed.find("m.scales")->type == SafeType::f16);
}

TEST_CASE("several files and their index") {
  const TempFolder folder;
  std::vector<std::vector<std::byte>> data;
  for (int i = 0; i < 5; ++i) data.push_back(pattern(100, i));
  SafeTensorsWriter writer;
  for (size_t i = 0; i < 5; ++i) REQUIRE(writer.add({cat("w", i), SafeType::i8, {10, 10}}, data[i]));
  const auto files = writer.write_checkpoint(folder.path, 250);
  REQUIRE_MESSAGE(files, files.error().message);
  CHECK(*files == std::vector<std::string>{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                           "model-00003-of-00003.safetensors", "model.safetensors.index.json"});
  const auto index_file = base::FileBytes::open(folder.path + "/" + files->back(), {}).value();
  const Json index = parse_json(index_file.bytes(), "index").value();
  const JsonAt root(&index, "index");
  CHECK(root["metadata"]["total_size"].integer().value() == 500);
  for (size_t i = 0; i < 5; ++i) {
    const std::string name = cat("w", i);
    const auto shard = root["weight_map"][name].need_text().value();
    CHECK(shard == (*files)[i / 2]);
    const auto file = base::FileBytes::open(folder.path + "/" + std::string(shard), {}).value();
    CHECK(same(parse_safetensors(file.bytes(), "shard").value(), name, data[i]));
  }
  CHECK(writer.write_checkpoint(folder.path, 500).value() == std::vector<std::string>{"model.safetensors"});
}

TEST_CASE("what the reader would refuse, the writer refuses; a source that fails leaves no file") {
  const TempFolder folder;
  const std::string path = folder.path + "/x.safetensors";
  const auto bytes = pattern(8);
  SafeTensorsWriter writer;
  REQUIRE(writer.add({"a", SafeType::u8, {8}}, bytes));
  CHECK(!writer.add({"a", SafeType::u8, {8}}, bytes));
  CHECK(!writer.add({"", SafeType::u8, {8}}, bytes));
  CHECK(!writer.add({"__metadata__", SafeType::u8, {8}}, bytes));
  CHECK(!writer.add({"b", SafeType::u8, {9}}, bytes));
  CHECK(!writer.add({"c", SafeType::f64, {uint64_t{1} << 40, uint64_t{1} << 40}}, bytes));
  const auto fails = [](const ArraySink&) -> Status { return fail(Errc::cancelled, "no more"); };
  const auto too_little = [&](const ArraySink& sink) { return sink(0, std::span(bytes).first(7)); };
  const auto too_much = [&](const ArraySink& sink) -> Status {
    QUERN_CHECK(sink(0, bytes));
    return sink(0, std::span(bytes).first(1));
  };
  for (const ArraysSource& source : {ArraysSource(fails), ArraysSource(too_little), ArraysSource(too_much)}) {
    SafeTensorsWriter broken;
    REQUIRE(broken.add({{"a", SafeType::u8, {8}}}, source));
    CHECK(!broken.write(path));
    CHECK(fs::is_empty(folder.path));
  }
}

TEST_CASE("a folder appears whole or not at all") {
  const TempFolder folder;
  const std::string path = folder.path + "/new";
  {
    auto dropped = base::AtomicFolder::create(path).value();
    CHECK(fs::exists(dropped.temporary_path()));
  }
  CHECK(fs::is_empty(folder.path));
  auto made = base::AtomicFolder::create(path + "/").value();
  REQUIRE(base::AtomicFile::create(made.temporary_path() + "/f").value().commit());
  CHECK(!fs::exists(path));
  REQUIRE(made.commit());
  CHECK(fs::exists(path + "/f"));
  const auto again = base::AtomicFolder::create(path);
  REQUIRE(!again);
  CHECK(again.error().message.find("exists already") != std::string::npos);
}
