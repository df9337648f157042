// Which files of a folder are read, and what is said about folders that cannot be.
#include "lib/hf/checkpoint.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/hf/raw_safetensors.h"
#include "tests/io/raw_gguf.h"

using namespace quern;
using namespace quern::hf;
using namespace quern::hf::test;
using quern::io::test::contains;
using quern::io::test::ScratchFolder;

namespace {

class Folder {
 public:
  explicit Folder(std::string_view config = "{\"model_type\":\"llama\"}") {
    if (!config.empty()) text("config.json", config);
  }
  Folder& text(std::string_view name, std::string_view content) {
    scratch_.write(name, bytes_of(content));
    return *this;
  }
  /// A file of arrays of one number each.
  Folder& arrays(std::string_view name, const std::vector<std::pair<std::string, float>>& values) {
    RawSafetensors file;
    for (const auto& [array, value] : values) file.add(array, value);
    return text(name, file.bytes());
  }
  Folder& index(std::string_view weight_map) {
    return text("model.safetensors.index.json",
                cat("{\"metadata\":{\"total_size\":8},\"weight_map\":", weight_map, "}"));
  }
  std::string path() const { return scratch_ / ""; }
  Result<Checkpoint> open(bool use_mmap = true) const { return open_checkpoint(path(), use_mmap); }
  std::string error() const {
    const auto opened = open();
    if (opened) return "";
    CHECK(contains(opened.error().message, path().substr(0, path().size() - 1)));
    return opened.error().message;
  }

 private:
  ScratchFolder scratch_;
};

float value_of(const Checkpoint& checkpoint, std::string_view name) {
  const io::SafeTensor* array = checkpoint.arrays.find(name);
  REQUIRE(array != nullptr);
  float value = 0;
  REQUIRE(array->bytes.size() == sizeof value);
  std::memcpy(&value, array->bytes.data(), sizeof value);
  return value;
}

}  // namespace

TEST_CASE("one file, mapped and read") {
  Folder folder;
  folder.arrays("model.safetensors", {{"a", 1.f}, {"b", 2.f}}).arrays("other.safetensors", {{"a", 7.f}});
  folder.index("{\"a\":\"other.safetensors\"}");  // the single file goes first
  for (const bool use_mmap : {true, false}) {
    auto opened = folder.open(use_mmap);
    REQUIRE_MESSAGE(opened, opened.error().message);
    const Checkpoint checkpoint = std::move(*opened);
    CHECK_FALSE(checkpoint.path.ends_with('/'));
    CHECK(checkpoint.config_at()["model_type"].is("llama"));
    REQUIRE(checkpoint.files.size() == 1);
    CHECK(checkpoint.files[0].mapped() == use_mmap);
    CHECK(checkpoint.arrays.entries().size() == 2);
    CHECK(value_of(checkpoint, "a") == 1);
    CHECK(value_of(checkpoint, "b") == 2);
  }
}

TEST_CASE("an index says which file has which array") {
  Folder folder;
  folder.arrays("model-00001-of-00002.safetensors", {{"a", 1.f}, {"both", 5.f}, {"unnamed", 9.f}});
  folder.arrays("model-00002-of-00002.safetensors", {{"b", 2.f}, {"both", 6.f}});
  folder.arrays("consolidated.safetensors", {{"layers.0", 3.f}});
  folder.index(
      "{\"a\":\"model-00001-of-00002.safetensors\",\"both\":\"model-00002-of-00002.safetensors\","
      "\"b\":\"model-00002-of-00002.safetensors\"}");
  const auto opened = folder.open();
  REQUIRE_MESSAGE(opened, opened.error().message);
  CHECK(opened->arrays.entries().size() == 3);
  CHECK(value_of(*opened, "a") == 1);
  CHECK(value_of(*opened, "b") == 2);
  CHECK(value_of(*opened, "both") == 6);
  CHECK(opened->arrays.find("both")->file_index == 1);
  CHECK(opened->files.at(1).path().ends_with("/model-00002-of-00002.safetensors"));
}

TEST_CASE("what is wrong with an index") {
  Folder folder;
  folder.arrays("s.safetensors", {{"a", 1.f}});
  const auto with = [&](std::string_view map) {
    const std::string error = folder.index(map).error();
    if (!error.empty()) CHECK(contains(error, "/model.safetensors.index.json: "));
    return error;
  };
  CHECK(with("{\"a\":\"s.safetensors\"}").empty());
  CHECK(contains(with("{\"b\":\"s.safetensors\"}"), "array 'b': expected it in 's.safetensors', which has no such"));
  CHECK(contains(with("{\"a\":\"t.safetensors\"}"), "/t.safetensors: cannot open"));
  CHECK(contains(with("{\"a\":\"s.safetensors\",\"a\":\"s.safetensors\"}"), "array 'a': appears twice"));
  CHECK(contains(with("{}"), "'weight_map': expected arrays, found none"));
  CHECK(contains(with("[]"), "'weight_map': expected an object, found an array"));
  for (const char* name : {"../s.safetensors", "/etc/s.safetensors", "..", ".", "", "x/s.safetensors",
                           "x\\\\s.safetensors", "s.safetensors\\u0000", "s.bin"}) {
    CAPTURE(name);
    CHECK(contains(with(cat("{\"a\":\"", name, "\"}")), "array 'a': expected the name of a .safetensors file"));
  }
  CHECK(contains(with("{\"a\":3}"), "found the number 3"));
  folder.text("model.safetensors.index.json", "{}");
  CHECK(contains(folder.error(), "'weight_map': expected an object, found nothing"));
  folder.text("model.safetensors.index.json", "{");
  CHECK(contains(folder.error(), "index.json: malformed JSON"));
}

TEST_CASE("without an index: all files but other sets of the same weights") {
  Folder folder;
  folder.arrays("model-1.safetensors", {{"a", 1.f}}).arrays("model-2.safetensors", {{"b", 2.f}});
  folder.arrays("consolidated.safetensors", {{"a", 8.f}}).arrays("adapter_model.safetensors", {{"b", 9.f}});
  const auto opened = folder.open();
  REQUIRE_MESSAGE(opened, opened.error().message);
  CHECK(opened->files.size() == 2);
  CHECK(value_of(*opened, "a") == 1);
  CHECK(value_of(*opened, "b") == 2);
  folder.arrays("model-3.safetensors", {{"b", 3.f}});
  CHECK(contains(folder.error(), "/model-3.safetensors: array 'b' appears twice"));
  Folder variant;
  variant.arrays("model.fp16.safetensors", {{"a", 4.f}});
  CHECK(value_of(*variant.open(), "a") == 4);
  Folder alone;
  alone.arrays("consolidated.safetensors", {{"a", 5.f}});
  CHECK(value_of(*alone.open(), "a") == 5);
}

TEST_CASE("folders without safetensors say what to do") {
  Folder pickled;
  pickled.text("pytorch_model-00001-of-00002.bin", "PK");
  CHECK(contains(pickled.error(), "'pytorch_model-00001-of-00002.bin', a pickle"));
  CHECK(contains(pickled.error(), "safe_serialization=True"));
  CHECK(pickled.open().error().code == Errc::unsupported);
  Folder gguf;
  gguf.text("m.gguf", "GGUF");
  CHECK(contains(gguf.error(), "but 'm.gguf': open that file"));
  CHECK(contains(Folder().error(), "the folder has no .safetensors file"));
  Folder pointer;
  pointer.text("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n");
  CHECK(contains(pointer.error(), "/model.safetensors: expected a safetensors file, found a Git LFS pointer"));
  Folder adapter("");
  adapter.text("adapter_config.json", "{}").arrays("adapter_model.safetensors", {{"a", 1.f}});
  CHECK(contains(adapter.error(), "found an adapter"));
}

TEST_CASE("config.json is an object") {
  const auto with = [](std::string_view config) {
    return Folder(config).arrays("model.safetensors", {{"a", 1.f}}).error();
  };
  CHECK(with("{}").empty());
  CHECK(contains(with(""), "/config.json: cannot open"));
  CHECK(contains(with("[]"), "/config.json: expected an object, found an array of 0 elements"));
  CHECK(contains(with("{\"a\":}"), "/config.json: malformed JSON"));
  CHECK(contains(with(std::string(1000, '[')), "/config.json: nested deeper"));
  const auto absent = open_checkpoint("/nonexistent/folder");
  CHECK(absent.error().code == Errc::not_found);
  CHECK(contains(absent.error().message, "/nonexistent/folder/config.json: cannot open"));
}

TEST_CASE("a broken file is named") {
  Folder folder;
  folder.text("model.safetensors", "xxxxxxxxx");
  CHECK(contains(folder.error(), "/model.safetensors: not a safetensors file"));
  folder.arrays("model.safetensors", {{"a", 1.f}, {"a", 2.f}});
  CHECK(contains(folder.error(), "/model.safetensors: array 'a' appears twice"));
  std::filesystem::remove(folder.path() + "model.safetensors");
  std::filesystem::create_directory(folder.path() + "model.safetensors");
  CHECK(contains(folder.error(), "expected a regular file, found a directory"));
}
