// Converting whole models through the public API. Folders are judged by the shared comparison of the demo model
// (tests/parity/compare_gguf.py) and in tests/e2e; here are the rules that hold for every source.
#include <doctest/doctest.h>
#include <quern/convert.h>

#include <cstring>
#include <filesystem>

#include "lib/base/half.h"
#include "lib/io/reader.h"
#include "lib/quant/block.h"
#include "lib/quant/format.h"
#include "tests/model/tiny_model.h"

using namespace quern;
using quern::testing::TempFile;
using quern::testing::TinyModel;

namespace {

struct Files {
  TempFile in{"in.gguf"}, out{"out.gguf"};
  Runtime runtime = Runtime::create({.n_threads = 2}).value();

  explicit Files(const TinyModel& model = {}) { model.write(in.path()); }
  Result<QuantizeResult> convert(const ConvertOptions& options) {
    return convert_model(runtime, in.path(), out.path(), options);
  }
  bool written() const { return std::filesystem::exists(out.path()); }
};

std::string type_of(const io::ModelFile& file, const std::string& name) {
  const io::TensorEntry* entry = file.tensors.find(name);
  REQUIRE(entry != nullptr);
  return quant::type_name(entry->type_id);
}

/// Every number of the matrices of `file` is that of `source`, rounded; those of its other tensors are the same.
template <class Stored>
void check_rounded(const io::ModelFile& source, const io::ModelFile& file, Stored (*round)(float)) {
  REQUIRE(file.tensors.entries().size() == source.tensors.entries().size());
  for (const io::TensorEntry& entry : source.tensors.entries()) {
    CAPTURE(entry.name);
    const tensor::TensorView& x = entry.view;
    const tensor::TensorView& y = file.tensors.find(entry.name)->view;
    REQUIRE(y.shape == x.shape);
    bool same = true;
    for (uint64_t i = 0; i < x.shape.elements() && same; ++i) {
      const auto value = quant::load<float>(x.data + i * sizeof(float));
      if (x.shape.rank < 2) {
        same = quant::load<float>(y.data + i * sizeof(float)) == value;
      } else {
        same = quant::load<Stored>(y.data + i * sizeof(Stored)) == round(value);
      }
    }
    CHECK(same);
  }
}

}  // namespace

TEST_CASE("matrices are rounded to the nearest of a shorter type, the rest stays F32") {
  Files files;
  const io::ModelFile source = io::open_model_file(files.in.path()).value();
  struct Case {
    const char* type;
    uint64_t file_type;
    uint16_t (*round)(float);
  };
  for (const Case& c :
       {Case{"f16", 1, base::f32_to_f16}, Case{"bf16", 32, base::f32_to_bf16}, Case{"auto", 1, base::f32_to_f16}}) {
    CAPTURE(c.type);
    const auto result = files.convert({.type = c.type, .model_name = "converted"});
    REQUIRE_MESSAGE(result, result.error().message);
    const io::ModelFile file = io::open_model_file(files.out.path()).value();
    check_rounded(source, file, c.round);
    CHECK(file.meta.get_uint("general.file_type").value() == c.file_type);
    CHECK(file.meta.get_uint("general.quantization_version").value() == 2);
    CHECK(*file.meta.get_string("general.name").value() == "converted");
  }
  REQUIRE(files.convert({.type = "f32"}));
  check_rounded(
      source, io::open_model_file(files.out.path()).value(), +[](float x) { return x; });
}

TEST_CASE("auto is the type of the first matrix of 16 bits") {
  TempFile bf16("bf16.gguf");
  Files files;
  REQUIRE(convert_model(files.runtime, files.in.path(), bf16.path(), {.type = "bf16"}));
  REQUIRE(convert_model(files.runtime, bf16.path(), files.out.path()));
  CHECK(type_of(io::open_model_file(files.out.path()).value(), "output.weight") == "BF16");
}

TEST_CASE("what is quantized already stays so, unless asked for") {
  Files files;
  TempFile quantized("q8.gguf");
  REQUIRE(quantize(files.runtime, files.in.path(), quantized.path(), {.type = "Q4_0"}));
  const io::ModelFile source = io::open_model_file(quantized.path()).value();
  REQUIRE(type_of(source, "blk.0.attn_q.weight") == "Q4_0");
  const auto convert = [&](const ConvertOptions& options) {
    return convert_model(files.runtime, quantized.path(), files.out.path(), options);
  };
  const auto kept = convert({.type = "f16"});
  REQUIRE_MESSAGE(kept, kept.error().message);
  {
    const io::ModelFile file = io::open_model_file(files.out.path()).value();
    const tensor::TensorView &x = source.tensors.find("blk.0.attn_q.weight")->view,
                             &y = file.tensors.find("blk.0.attn_q.weight")->view;
    CHECK(type_of(file, "blk.0.attn_q.weight") == "Q4_0");
    CHECK(std::memcmp(x.data, y.data, x.size_bytes()) == 0);
    CHECK(file.meta.get_uint("general.file_type").value() == 2);  // most of it still is
  }
  REQUIRE(convert({.type = "f32", .dequantize = true}));
  {
    const io::ModelFile file = io::open_model_file(files.out.path()).value();
    const tensor::TensorView &x = source.tensors.find("blk.0.attn_q.weight")->view,
                             &y = file.tensors.find("blk.0.attn_q.weight")->view;
    std::vector<float> expected(x.shape.elements());
    quant::resolve_format(2).value()->decode(x.data, expected.data(), expected.size());
    CHECK(std::memcmp(expected.data(), y.data, y.size_bytes()) == 0);
    CHECK(file.meta.get_uint("general.file_type").value() == 0);
  }
  const auto worse = convert({.type = "Q5_0"});
  REQUIRE(!worse);
  CHECK(worse.error().message.find("already quantized (Q4_0)") != std::string::npos);
  CHECK(convert({.type = "Q5_0", .allow_requantize = true}).has_value());
  CHECK(convert({.type = "q8_0"}).has_value());
}

TEST_CASE("several files, and metadata alone") {
  Files files;
  const std::string stem = files.out.path().substr(0, files.out.path().size() - 5);
  const auto parts = files.convert({.type = "f16", .split_max_tensors = 12});
  REQUIRE_MESSAGE(parts, parts.error().message);
  REQUIRE(parts->files.size() == 3);
  CHECK(parts->files[1] == stem + "-00002-of-00003.gguf");
  {
    const io::ModelFile file = io::open_model_file(parts->files[0]).value();
    CHECK(file.tensors.entries().size() == 30);
    CHECK(file.tensors.entries()[12].file_index == 1);
  }
  for (const std::string& file : parts->files) std::filesystem::remove(file);
  const auto by_size = files.convert({.type = "f16", .split_max_bytes = 20000});
  REQUIRE_MESSAGE(by_size, by_size.error().message);
  CHECK(by_size->files.size() > 2);
  for (const std::string& file : by_size->files) {
    CHECK(std::filesystem::file_size(file) < 40000);
    std::filesystem::remove(file);
  }
  const auto vocab = files.convert({.vocab_only = true});
  REQUIRE_MESSAGE(vocab, vocab.error().message);
  const io::ModelFile file = io::open_model_file(files.out.path()).value();
  CHECK(file.tensors.entries().empty());
  CHECK(file.meta.find("tokenizer.ggml.tokens") != nullptr);
}

TEST_CASE("what cannot be done is refused by name, and no file is left") {
  TinyModel model;
  std::vector<float> values(TinyModel::kEmbd * TinyModel::kEmbd, 0.5f);
  values[TinyModel::kEmbd * 2 + 5] = 70000.0f;
  model.f32_tensor("blk.1.attn_k.weight", {TinyModel::kEmbd, TinyModel::kEmbd / 2},
                   {values.begin(), values.begin() + TinyModel::kEmbd * TinyModel::kEmbd / 2});
  Files files(model);
  const auto check = [&](const Result<QuantizeResult>& result, const std::string& part) {
    REQUIRE(!result);
    CAPTURE(result.error().message);
    CHECK(result.error().message.find(part) != std::string::npos);
    CHECK(!files.written());
  };
  check(files.convert({.type = "f16"}), "'blk.1.attn_k.weight', row 2, column 5: 70000 is too large for F16");
  check(files.convert({.type = "f17"}), "'f17'");
  check(convert_model(files.runtime, files.in.path(), files.in.path()), "is the source itself");
  check(convert_model(files.runtime, files.in.path() + ".none", files.out.path()), ".none");
  ConvertOptions cancelled{.type = "bf16"};
  cancelled.progress = [](const Progress&) { return false; };
  check(files.convert(cancelled), "cancelled");
  const auto dry = files.convert({.type = "bf16", .dry_run = true});
  REQUIRE(dry);
  CHECK(dry->files.empty());
  CHECK(dry->tensors.size() == model.tensors.size());
  CHECK(!files.written());
  CHECK(files.convert({.type = "bf16"}).has_value());
}
