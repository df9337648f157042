// Opening from disk: mapped and read, split models, files of other kinds.
#include <doctest/doctest.h>

#include "lib/io/shards.h"
#include "tests/io/raw_gguf.h"

using namespace quern;
using namespace quern::io;
using namespace quern::io::test;

static std::string open_error(const std::string& path) {
  const auto model = open_model_file(path);
  return model ? "" : model.error().message;
}

/// A part with one tensor of one float.
static GgufWriter part(uint64_t index, uint64_t count, uint64_t total, const std::string& tensor_name) {
  static const float kOne = 1;
  GgufWriter writer;
  if (index == 0) writer.add("general.name", std::string("split"), ValueType::string).value();
  writer.add("split.no", index, ValueType::u16).value();
  writer.add("split.count", count, ValueType::u16).value();
  writer.add("split.tensors.count", static_cast<int64_t>(total), ValueType::i32).value();
  writer.add_tensor(tensor_name, {{1, 1, 1, 1}, 1}, 0, std::as_bytes(std::span(&kOne, 1))).value();
  return writer;
}

TEST_CASE("a file is the same mapped and read") {
  const ScratchFolder folder;
  const std::string path = folder / "model.gguf";
  part(0, 1, 1, "t").write(path).value();
  for (const bool use_mmap : {true, false}) {
    auto opened = open_model_file(path, {.use_mmap = use_mmap});
    REQUIRE_MESSAGE(opened, opened.error().message);
    const ModelFile model = std::move(*opened);  // the views survive moves
    CHECK(model.path == path);
    CHECK(model.parts.at(0).mapped() == use_mmap);
    CHECK(**model.meta.get_string("general.name") == "split");
    float value = 0;
    std::memcpy(&value, model.tensors.find("t")->view.data, sizeof value);
    CHECK(value == 1);
  }
}

TEST_CASE("files of other kinds are named") {
  const ScratchFolder folder;
  const auto with = [&](std::string_view text) {
    return open_error(folder.write("f", std::as_bytes(std::span(text.data(), text.size()))));
  };
  CHECK(contains(with(""), "not a GGUF file: expected it to begin with 'GGUF', found an empty file"));
  CHECK(contains(with("GGU"), "not a GGUF file"));
  CHECK(contains(with("tjgg...."), "GGUF replaced in 2023"));
  CHECK(contains(with("PK\3\4...."), "a zip archive"));
  CHECK(contains(with("<!DOCTYPE html>"), "a web page"));
  CHECK(contains(with("version https://git-lfs.github.com/spec/v1"), "Git LFS pointer"));
  CHECK(contains(with(std::string_view("\x10\0\0\0\0\0\0\0{}", 10)), "a safetensors file"));
  CHECK(contains(with(std::string_view("\x1F\x8B\x08\0", 4)), "a gzip archive"));
  CHECK(contains(open_error(folder / "absent.gguf"), "/absent.gguf: cannot open: No such file"));
  CHECK(open_model_file(folder / "absent.gguf").error().code == Errc::not_found);
}

TEST_CASE("part names") {
  const auto name = parse_part_name("/a/m-x-00002-of-00013.gguf");
  REQUIRE(name);
  CHECK(name->prefix == "/a/m-x");
  CHECK(name->number == 2);
  CHECK(name->count == 13);
  CHECK(format_part_name(*name) == "/a/m-x-00002-of-00013.gguf");
  CHECK(parse_part_name("-00001-of-00001.gguf"));
  for (const char* bad :
       {"", ".gguf", "m.gguf", "m-1-of-2.gguf", "m-00001-of-00002.bin", "m-00003-of-00002.gguf", "00001-of-00002.gguf",
        "m-00000-of-00002.gguf", "m-0000a-of-00002.gguf", "m-00001-of--0002.gguf", "m-00001of-00002.gguf"})
    CHECK_FALSE(parse_part_name(bad));
}

TEST_CASE("a split model opens through its first part") {
  const ScratchFolder folder;
  const std::string first = folder / "m-00001-of-00003.gguf";
  part(0, 3, 3, "a").write(first).value();
  part(1, 3, 3, "b").write(folder / "m-00002-of-00003.gguf").value();
  CHECK(contains(open_error(first), "m-00003-of-00003.gguf: cannot open"));
  part(2, 3, 3, "c").write(folder / "m-00003-of-00003.gguf").value();

  const auto model = open_model_file(first);
  REQUIRE_MESSAGE(model, model.error().message);
  CHECK(model->parts.size() == 3);
  REQUIRE(model->tensors.entries().size() == 3);
  CHECK(model->tensors.find("c")->file_index == 2);
  const std::byte* data = model->tensors.find("c")->view.data;
  CHECK(data >= model->parts[2].bytes().data());
  CHECK(data < model->parts[2].bytes().data() + model->parts[2].bytes().size());
  CHECK(**model->meta.get_string("general.name") == "split");

  CHECK(contains(open_error(folder / "m-00002-of-00003.gguf"), "this is part 2 of 3: open the first part"));
  std::filesystem::copy(first, folder / "renamed.gguf");
  CHECK(contains(open_error(folder / "renamed.gguf"), "expected a file name that ends in -00001-of-00003.gguf"));
}

TEST_CASE("parts that do not belong together are refused") {
  const ScratchFolder folder;
  const std::string first = folder / "m-00001-of-00002.gguf", second = folder / "m-00002-of-00002.gguf";
  part(0, 2, 2, "a").write(first).value();
  part(0, 2, 2, "b").write(second).value();
  CHECK(contains(open_error(first), "m-00002-of-00002.gguf: expected part 2 of 2, found part 1 of 2"));
  part(1, 3, 2, "b").write(second).value();
  CHECK(contains(open_error(first), "expected part 2 of 2, found part 2 of 3"));
  part(1, 2, 2, "a").write(second).value();
  CHECK(contains(open_error(first), "tensor 'a' appears twice in the parts of the model"));
  part(1, 2, 2, "b").write(second).value();
  CHECK(open_error(first) == "");
  part(0, 2, 5, "a").write(first).value();
  CHECK(contains(open_error(first), "expected 5 tensors in all parts (key 'split.tensors.count'), found 2"));

  const auto lone = [&](uint64_t index, uint64_t count, int64_t total) {
    part(index, count, static_cast<uint64_t>(total), "a").write(folder / "lone.gguf").value();
    return open_error(folder / "lone.gguf");
  };
  CHECK(lone(0, 0, 1) == "");
  CHECK(lone(0, 1, 1) == "");
  CHECK(contains(lone(0, 2, 1), "this is part 1 of 2 of a split model"));
  CHECK(contains(lone(5, 2, 1), "key 'split.no': expected less than split.count (2), found 5"));
  CHECK(contains(lone(0, 1, -1), "key 'split.tensors.count': expected a non-negative integer"));
}
