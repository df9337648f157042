// Quantizing whole files through the public API.
#include <doctest/doctest.h>
#include <quern/quantize.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "lib/io/reader.h"
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
  Result<QuantizeResult> quantize(const QuantizeOptions& options) {
    return quern::quantize(runtime, in.path(), out.path(), options);
  }
  bool written() const { return std::filesystem::exists(out.path()); }
};

std::vector<float> decoded(const io::ModelFile& file, const std::string& name) {
  const io::TensorEntry* entry = file.tensors.find(name);
  REQUIRE(entry != nullptr);
  std::vector<float> out(entry->view.shape.elements());
  const quant::FormatInfo* format = quant::resolve_format(entry->type_id).value();
  for (uint64_t r = 0; r < entry->view.shape.rows(); ++r) {
    format->decode(entry->view.row(r), out.data() + r * entry->view.shape.cols(), entry->view.shape.cols());
  }
  return out;
}

}  // namespace

TEST_CASE("a quantized file has the tensors of its source, near in value, and its metadata") {
  Files files;
  const auto result =
      files.quantize({.type = "Q8_0", .override_kv = {"general.name=str:smaller", "llama.context_length=int:64"}});
  REQUIRE_MESSAGE(result, result.error().message);
  const io::ModelFile from = io::open_model_file(files.in.path()).value(),
                      to = io::open_model_file(files.out.path()).value();
  REQUIRE(to.tensors.entries().size() == from.tensors.entries().size());
  uint64_t bytes = 0;
  for (const io::TensorEntry& entry : to.tensors.entries()) {
    CAPTURE(entry.name);
    const bool norm = entry.name.find("norm") != std::string::npos;
    CHECK(quant::type_name(entry.type_id) == (norm ? "F32" : entry.view.shape.cols() % 32 == 0 ? "Q8_0" : "F16"));
    const std::vector<float> x = decoded(from, entry.name), y = decoded(to, entry.name);
    double miss = 0, size = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      miss += (x[i] - y[i]) * (x[i] - y[i]);
      size += x[i] * x[i];
    }
    CHECK(std::sqrt(miss / size) < 0.006);
    bytes += entry.view.size_bytes();
  }
  CHECK(result->to_bytes == bytes);
  CHECK(result->files == std::vector<std::string>{files.out.path()});
  CHECK(*to.meta.get_string("general.name").value() == "smaller");
  CHECK(to.meta.get_uint("llama.context_length").value() == 64);
  CHECK(to.meta.get_uint("general.file_type").value() == 7);
  CHECK(to.meta.get_uint("llama.block_count").value() == TinyModel::kLayers);
}

TEST_CASE("threads do not change a byte") {
  Files files;
  const TempFile other("other.gguf");
  REQUIRE(files.quantize({.type = "Q4_0"}));
  REQUIRE(quantize(Runtime::create({.n_threads = 1}).value(), files.in.path(), other.path(), {.type = "Q4_0"}));
  const auto a = base::FileBytes::open(files.out.path(), {}).value(),
             b = base::FileBytes::open(other.path(), {}).value();
  REQUIRE(a.bytes().size() == b.bytes().size());
  CHECK(std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0);
}

TEST_CASE("types can be chosen by name") {
  Files files;
  const auto result = files.quantize({.type = "Q4_0",
                                      .tensor_types = {{"attn_[qk]", "q5_1"}, {"attn_q", "q8_0"}},
                                      .output_tensor_type = "F16",
                                      .token_embedding_type = "q8_0"});
  REQUIRE_MESSAGE(result, result.error().message);
  for (const QuantizedTensor& tensor : result->tensors) {
    CAPTURE(tensor.name);
    if (tensor.name == "output.weight") CHECK(tensor.to == "F16");
    if (tensor.name == "token_embd.weight") CHECK(tensor.to == "Q8_0");
    if (tensor.name == "blk.1.attn_q.weight") CHECK(tensor.to == "Q5_1");
    if (tensor.name == "blk.1.attn_v.weight") CHECK(tensor.to == "Q4_0");
  }
  const auto unknown = files.quantize({.type = "Q4_0", .tensor_types = {{"attn", "q9_9"}}});
  REQUIRE(!unknown);
  CHECK(unknown.error().message.find("q9_9") != std::string::npos);
}

TEST_CASE("what cannot be done is refused by name, and no file is left") {
  TinyModel model;
  std::vector<float> values(TinyModel::kEmbd * TinyModel::kEmbd, 0.5f);
  values[TinyModel::kEmbd * 3 + 7] = std::numeric_limits<float>::quiet_NaN();
  model.f32_tensor("blk.2.attn_q.weight", {TinyModel::kEmbd, TinyModel::kEmbd}, values);
  Files files(model);
  const auto check = [&](const Result<QuantizeResult>& result, const std::string& part) {
    REQUIRE(!result);
    CAPTURE(result.error().message);
    CHECK(result.error().message.find(part) != std::string::npos);
    CHECK(!files.written());
  };
  check(files.quantize({.type = "Q4_0"}), "'blk.2.attn_q.weight', row 3, column 7: nan");
  check(files.quantize({.type = "Q4_9"}), "Q4_9");
  check(files.quantize({.type = "Q4_0", .override_kv = {"general.name=smaller"}}), "general.name=smaller");
  check(quantize(files.runtime, files.in.path(), files.in.path(), {.type = "Q8_0"}), "is the source itself");
  check(quantize(files.runtime, files.in.path() + ".none", files.out.path()), ".none");
  CHECK(std::filesystem::exists(files.in.path()));
}

TEST_CASE("a model that is quantized already is only quantized again when asked to") {
  Files files;
  const TempFile again("again.gguf");
  REQUIRE(files.quantize({.type = "Q8_0"}));
  const auto refused = quantize(files.runtime, files.out.path(), again.path(), {.type = "Q4_0"});
  REQUIRE(!refused);
  CHECK(refused.error().message.find("already quantized (Q8_0)") != std::string::npos);
  CHECK(quantize(files.runtime, files.out.path(), again.path(), {.type = "Q4_0", .allow_requantize = true}));
  CHECK(quantize(files.runtime, files.out.path(), again.path(), {.type = "COPY"}));
}

TEST_CASE("a dry run and a cancelled one write nothing") {
  Files files;
  const auto planned = files.quantize({.type = "Q4_0", .dry_run = true});
  REQUIRE(planned);
  CHECK(!files.written());
  uint64_t calls = 0, done = 0, total = 0;
  QuantizeOptions options{.type = "Q4_0"};
  options.progress = [&](const Progress& progress) {
    ++calls;
    done = progress.done;
    total = progress.total;
    return calls < 3;
  };
  const auto cancelled = files.quantize(options);
  REQUIRE(!cancelled);
  CHECK(cancelled.error().code == Errc::cancelled);
  CHECK(calls == 3);
  CHECK(total == planned->from_bytes);
  CHECK(!files.written());
  options.progress = [&](const Progress& progress) {
    done = progress.done;
    return true;
  };
  const auto written = files.quantize(options);
  REQUIRE(written);
  CHECK(done == total);
  CHECK(written->to_bytes == planned->to_bytes);
}

TEST_CASE("gptq needs a text, and writes blocks of the same types") {
  Files files;
  const auto refused = files.quantize({.type = "Q4_0", .method = "gptq"});
  REQUIRE(!refused);
  CHECK(refused.error().message.find("calibration") != std::string::npos);
  CHECK(!files.quantize({.type = "Q4_0", .method = "optimal"}));
  const auto plain = files.quantize({.type = "Q4_0"});
  REQUIRE(plain);
  const std::vector<float> nearest = decoded(io::open_model_file(files.out.path()).value(), "blk.1.ffn_up.weight");
  std::string text;
  for (int i = 0; i < 400; ++i) text += static_cast<char>('a' + i * i % 11);
  const auto result = files.quantize({.type = "Q4_0", .method = "gptq", .calibration = text, .calibration_ctx = 64});
  REQUIRE_MESSAGE(result, result.error().message);
  CHECK(result->to_bytes == plain->to_bytes);
  CHECK(decoded(io::open_model_file(files.out.path()).value(), "blk.1.ffn_up.weight") != nearest);
}

TEST_CASE("a report tells how far the new model is from its source, in the result and in the file") {
  Files files;
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>('a' + i * i % 11);
  const auto copied = files.quantize({.type = "F32", .report = text + text + text});
  REQUIRE_MESSAGE(copied, copied.error().message);
  REQUIRE(copied->quality);
  CHECK(copied->quality->kl_divergence == doctest::Approx(0).epsilon(1e-9));
  CHECK(copied->quality->top1_agreement == 1);
  CHECK(copied->quality->ppl == copied->quality->reference_ppl);
  const auto small = files.quantize({.type = "Q4_0", .report = text + text + text});
  REQUIRE(small);
  CHECK(small->quality->kl_divergence > 1e-6);
  const io::ModelFile file = io::open_model_file(files.out.path()).value();
  CHECK(file.meta.get_float("quern.quality.kl_divergence").value() == small->quality->kl_divergence);
  CHECK(file.meta.get_float("quern.quality.tokens").value() == static_cast<double>(small->quality->n_tokens));
  const auto refused = files.quantize({.type = "Q4_0", .report = "short"});
  REQUIRE(!refused);
  CHECK(refused.error().message.find("one window takes") != std::string::npos);
}

TEST_CASE("types are chosen for a size") {
  Files files;
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>('a' + i * i % 11);
  QuantizeOptions options{.calibration = text, .calibration_ctx = 64};
  CHECK(!files.quantize({.target_bpw = 7}));
  uint64_t last = 0;
  for (const double bpw : {7.0, 8.0, 9.0}) {
    options.target_bpw = bpw;
    const auto result = files.quantize(options);
    REQUIRE_MESSAGE(result, result.error().message);
    CHECK(result->bits_per_weight <= bpw);
    CHECK(result->to_bytes > last);
    last = result->to_bytes;
  }
  options.target_bpw = 2;
  const auto refused = files.quantize(options);
  REQUIRE(!refused);
  CAPTURE(refused.error().message);
  CHECK(refused.error().message.find("asked for were") != std::string::npos);
}
