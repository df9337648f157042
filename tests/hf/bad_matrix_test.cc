// Matrices with something wrong in them: what is said, and that no change of a file leads outside its arrays.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <functional>

#include "lib/quant/rows.h"
#include "tests/hf/forms.h"

using namespace quern;
using namespace quern::hf;
using namespace quern::hf::test;
using io::SafeTensor;
using io::SafeType;

namespace {

/// forms.safetensors with some arrays changed.
class Changed {
 public:
  explicit Changed(std::string_view config = "{}") : checkpoint_(checkpoint_of("forms.safetensors")) {
    set_config(checkpoint_, config);
  }
  /// `change` returns false where the array is to be left out.
  Changed& each(const std::function<bool(SafeTensor&)>& change) {
    io::SafeTensors arrays;
    for (SafeTensor array : checkpoint_.arrays.entries()) {
      if (change(array)) REQUIRE(arrays.add(std::move(array), "forms.safetensors"));
    }
    checkpoint_.arrays = std::move(arrays);
    return *this;
  }
  Changed& array(std::string_view name, const std::function<void(SafeTensor&)>& change) {
    bool found = false;
    each([&](SafeTensor& array) {
      if (array.name == name) {
        change(array);
        found = true;
      }
      return true;
    });
    REQUIRE(found);
    return *this;
  }
  Changed& without(std::string_view name) {
    return each([&](const SafeTensor& array) { return array.name != name; });
  }
  /// Puts a number in place of an element.
  template <class T>
  Changed& put(std::string_view name, size_t i, T value) {
    return array(name, [&](SafeTensor& array) {
      auto& bytes = owned_.emplace_back(array.bytes.begin(), array.bytes.end());
      REQUIRE((i + 1) * sizeof value <= bytes.size());
      std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
      array.bytes = bytes;
    });
  }
  Changed& text(std::string_view name, std::string_view text) {
    return array(name, [&](SafeTensor& array) {
      const auto from = std::as_bytes(std::span(text.data(), text.size()));
      array.bytes = owned_.emplace_back(from.begin(), from.end());
      array.shape = {array.bytes.size()};
    });
  }
  /// Another array, of zeros.
  Changed& add(std::string_view name, SafeType type, std::vector<uint64_t> shape) {
    SafeTensor array{std::string(name), type, std::move(shape), {}, 0};
    array.bytes = owned_.emplace_back(array.elements() * io::safe_type_bits(type) / 8);
    REQUIRE(checkpoint_.arrays.add(std::move(array), "forms.safetensors"));
    return *this;
  }
  Result<std::optional<Matrix>> read(std::string_view module) const { return read_matrix(checkpoint_, module); }
  /// The message, and that it names the file.
  std::string error(std::string_view module) const {
    const auto matrix = read(module);
    if (matrix) return "no error";
    return matrix.error().message;
  }
  const std::vector<SafeTensor>& arrays() const { return checkpoint_.arrays.entries(); }

 private:
  Checkpoint checkpoint_;
  std::deque<std::vector<std::byte>> owned_;
};

std::string quantization(std::string_view members) { return cat("{\"quantization_config\":{", members, "}}"); }

#define CHECK_CONTAINS(message, part)                            \
  do {                                                           \
    const std::string found = message;                           \
    CHECK_MESSAGE(found.find(part) != std::string::npos, found); \
  } while (false)

constexpr const char* kState = R"({"quant_type":"nf4","blocksize":128,"shape":[7,192]})";

/// kState with one part in place of another.
std::string state(std::string_view part, std::string_view other) {
  std::string out = kState;
  return out.replace(out.find(part), part.size(), other);
}

}  // namespace

TEST_CASE("bitsandbytes: what is wrong is said") {
  const std::string name = "nf4_128.weight.quant_state.bitsandbytes__nf4";
  const auto error = [&](std::string_view text) { return Changed().text(name, text).error("nf4_128"); };
  CHECK(Changed().text(name, kState).read("nf4_128"));
  CHECK_CONTAINS(error("{"), cat("forms.safetensors: array '", name, "': malformed JSON"));
  CHECK_CONTAINS(error("[]"), "'quant_type': expected a string, found nothing");
  CHECK_CONTAINS(error(state("nf4", "fp4")),
                 "'quant_type': expected the type in the array's name, found the string 'fp4'");
  CHECK_CONTAINS(error(state("128", "96")), "'blocksize': expected a power of two from 32 to 4096, found");
  CHECK_CONTAINS(error(state("128", "8192")), "'blocksize': expected a power of two");
  CHECK_CONTAINS(error(state("128", "-64")), "'blocksize': expected a power of two");
  CHECK_CONTAINS(error(state("[7,192]", "[7]")), "'shape': expected two or three numbers");
  CHECK_CONTAINS(error(state("[7,192]", "[0,192]")), "'shape': expected positive numbers");
  CHECK_CONTAINS(error(state("[7,192]", "[8,192]")), "array 'nf4_128.weight': expected the bytes of [8, 192] codes");
  CHECK_CONTAINS(error(state("[7,192]", "[2147483647,2147483647,2147483647]")), "array 'nf4_128.weight': expected");
  CHECK_CONTAINS(error(state("\"shape\"", "\"nested_blocksize\":256,\"shape\"")), "'nested_offset': expected a number");
  CHECK_CONTAINS(Changed().put("nf4_128.weight.absmax", 3, INFINITY).error("nf4_128"),
                 "array 'nf4_128.weight.absmax': expected finite numbers, found inf at element 3");
  CHECK_CONTAINS(Changed().without("nf4_128.weight.absmax").error("nf4_128"),
                 "expected 'nf4_128.weight.absmax' beside it, found no such array");
  CHECK_CONTAINS(Changed().put("int8_128.weight_format", 0, uint8_t{2}).error("int8_128"),
                 "expected 0, codes row by row, found 2");
  CHECK_CONTAINS(Changed().put("int8_128.SCB", 1, NAN).error("int8_128"), "found nan at element 1");
  CHECK_CONTAINS(Changed().add("nf4_128.weight.quant_state.bitsandbytes__fp4", SafeType::u8, {2}).error("nf4_128"),
                 "expected one quant_state");
}

TEST_CASE("GPTQ and AWQ: what is wrong is said") {
  const std::string gptq = "\"quant_method\":\"gptq\"", awq = "\"quant_method\":\"awq\",\"bits\":4";
  CHECK_CONTAINS(Changed().put("gptq4_128_act.g_idx", 5, int32_t{2}).error("gptq4_128_act"),
                 "array 'gptq4_128_act.g_idx': expected groups below 2, found 2 at element 5");
  CHECK_CONTAINS(Changed().put("gptq4_128_act.g_idx", 5, int32_t{-1}).error("gptq4_128_act"), "found -1 at element 5");
  CHECK_CONTAINS(Changed(quantization(gptq + ",\"checkpoint_format\":\"gptq_p\"")).error("gptq3_128"),
                 "'quantization_config.checkpoint_format': expected 'gptq' or 'gptq_v2', found 'gptq_p'");
  CHECK_CONTAINS(Changed().without("gptq3_128.scales").error("gptq3_128"), "expected 'gptq3_128.scales' beside it");
  CHECK_CONTAINS(Changed().array("gptq3_128.qzeros", [](SafeTensor& a) { a.type = SafeType::f32; }).error("gptq3_128"),
                 "expected I32 with 2 rows, found F32 [2, 3]");
  CHECK_CONTAINS(Changed()
                     .array("gptq3_128.qweight",
                            [](SafeTensor& a) {
                              a.shape = {8, 96};
                            })
                     .error("gptq3_128"),
                 "expected 32 columns, as X.scales has, found I32 [8, 96]");
  CHECK_CONTAINS(Changed().add("gptq3_128.B", SafeType::i32, {1}).error("gptq3_128"),
                 "Marlin's packing of GPTQ is not supported");
  CHECK_CONTAINS(Changed(quantization(awq + ",\"group_size\":128,\"version\":\"marlin\"")).error("awq_128"),
                 "'quantization_config.version': expected 'gemm' or 'gemv', found 'marlin'");
  CHECK_CONTAINS(Changed(quantization(awq + ",\"group_size\":64")).error("awq_128"),
                 "expected a row for each group of 64 of 256 columns, found F16 [2, 40]");
  CHECK_CONTAINS(Changed(quantization("\"quant_method\":\"awq\",\"bits\":8")).error("awq_128"),
                 "expected 4, the bits of AWQ's codes");
}

TEST_CASE("compressed-tensors, 8-bit and 4-bit floats: what is wrong is said") {
  const std::string ct = "\"quant_method\":\"compressed-tensors\"";
  CHECK_CONTAINS(Changed(quantization(ct + ",\"transform_config\":{\"config_groups\":{}}")).error("ct4_32"),
                 "'quantization_config.transform_config': transforms of compressed-tensors are not supported");
  CHECK_CONTAINS(Changed(quantization(ct + ",\"sparsity_config\":{\"format\":\"sparse-bitmask\"}")).error("ct4_32"),
                 "sparse weights");
  CHECK_CONTAINS(Changed().add("ct4_32.weight_bitmask", SafeType::u8, {1}).error("ct4_32"), "a sparse form");
  CHECK_CONTAINS(Changed().add("ct4_32.meta", SafeType::u8, {1}).error("ct4_32"), "marlin-24");
  CHECK_CONTAINS(Changed().put("ct4_32.weight_shape", 1, int64_t{96}).error("ct4_32"), "a weight_shape of [10, 96]");
  CHECK_CONTAINS(Changed().put("ct4_act.weight_g_idx", 0, int32_t{7}).error("ct4_act"),
                 "expected groups below 2, found 7");
  CHECK_CONTAINS(Changed().put("ct4_uneven.weight_zero_point", 1, int8_t{8}).error("ct4_uneven"),
                 "expected zero points from -8 to 7, found 8 at element 1");
  CHECK_CONTAINS(Changed().error("fp8_tiles"),
                 "expected one number, one for each of 6 rows, or one for each 128 x 128 of [6, 256]");
  CHECK_CONTAINS(Changed().put("fp8_tensor.weight_scale", 0, NAN).error("fp8_tensor"), "expected finite numbers");
  CHECK_CONTAINS(Changed(quantization("\"weight_block_size\":[128]")).error("fp8_tiles"),
                 "expected two positive numbers");
  CHECK_CONTAINS(Changed().put("nvfp4_ct.weight_global_scale", 0, 0.0f).error("nvfp4_ct"), "expected a scale");
  CHECK_CONTAINS(Changed().without("mxfp4_stack_scales").error("mxfp4_stack"),
                 "expected 'mxfp4_stack_scales' beside it");
  CHECK_CONTAINS(Changed().array("plain_f32.weight", [](SafeTensor& a) { a.type = SafeType::i32; }).error("plain_f32"),
                 "expected numbers of type F32, F16 or BF16");
  CHECK_CONTAINS(Changed().add("x.W_q", SafeType::u8, {1}).error("x"), "HQQ is not supported");
}

TEST_CASE(
    "every array left out, of another type, of another shape: an error that names one, or a matrix that can be read") {
  size_t n_errors = 0, n_read = 0;
  for (const Form& form : read_forms()) {
    const auto try_it = [&](Changed& changed) {
      const auto matrix = changed.read(form.module);
      if (!matrix) {
        ++n_errors;
        CHECK_CONTAINS(matrix.error().message, form.module);
        CHECK_CONTAINS(matrix.error().message, "forms.safetensors");
        return;
      }
      if (!matrix->has_value()) return;
      ++n_read;
      const tensor::TensorView& view = (*matrix)->view;
      std::vector<float> floats(view.shape.elements());
      quant::RowReader(view, *quant::find_format(view.type)).read(0, view.shape.rows(), floats.data());
    };
    const Changed original(form.config);
    for (const SafeTensor& own : original.arrays()) {
      if (!own.name.starts_with(form.module) || own.name.ends_with(".expected")) continue;
      if (own.name.size() > form.module.size() && own.name[form.module.size()] != '.' &&
          own.name[form.module.size()] != '_')
        continue;
      CAPTURE(form.module);
      CAPTURE(own.name);
      try_it(Changed(form.config).without(own.name));
      const uint64_t n = own.elements();
      const std::vector<std::vector<uint64_t>> shapes = {{n},    {1, n},    {n, 1},     {},
                                                         {0, 4}, {1, n, 1}, {n / 2, 2}, {2, n / 2}};
      for (const auto& shape : shapes) {
        SafeTensor other = own;
        other.shape = shape;
        const uint64_t bytes = other.elements() * io::safe_type_bits(own.type) / 8;
        if (bytes > own.bytes.size()) continue;
        try_it(Changed(form.config).array(own.name, [&](SafeTensor& a) {
          a.shape = shape;
          a.bytes = a.bytes.first(bytes);
        }));
      }
      for (const SafeType type : {SafeType::u8, SafeType::i8, SafeType::f16, SafeType::f32, SafeType::i32,
                                  SafeType::i64, SafeType::f8_e4m3, SafeType::f8_e8m0}) {
        const uint64_t size = io::safe_type_bits(type) / 8;
        if (own.shape.empty() || own.bytes.size() % size != 0) continue;
        try_it(Changed(form.config).array(own.name, [&](SafeTensor& a) {
          a.type = type;
          const uint64_t row = a.shape.back() * io::safe_type_bits(own.type) / 8;
          if (row % size == 0) {
            a.shape.back() = row / size;
          } else {
            a.shape = {a.bytes.size() / size};
          }
        }));
      }
    }
  }
  CHECK(n_errors > 1000);
  CHECK(n_read > 100);
}
