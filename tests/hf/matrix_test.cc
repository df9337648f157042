// Matrices in every form that checkpoints have them in: against what independent programs say they decode to, and their
// products against float64.
#include "lib/hf/matrix.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "lib/cpu/backend.h"
#include "lib/quant/rows.h"
#include "lib/reference/backend.h"
#include "tests/hf/forms.h"

using namespace quern;
using namespace quern::hf;
using namespace quern::hf::test;
using compute::Mat;
using compute::Usage;

namespace {

std::string type_of(const Matrix& matrix) { return quant::type_name(static_cast<uint32_t>(matrix.view.type)); }

std::vector<float> decoded(const tensor::TensorView& view) {
  std::vector<float> out(view.shape.elements());
  quant::RowReader(view, *quant::find_format(view.type)).read(0, view.shape.rows(), out.data());
  return out;
}

/// The largest error of the rows 0, step, 2 step, ..., relative to each element.
double worst_error(const std::vector<float>& got, const io::SafeTensor& expected, uint64_t step) {
  const uint64_t cols = expected.shape[1];
  REQUIRE(((got.size() / cols - 1) / step + 1) == expected.shape[0]);
  double worst = 0;
  for (uint64_t i = 0; i < expected.elements(); ++i) {
    float wanted;
    std::memcpy(&wanted, expected.bytes.data() + 4 * i, 4);
    const double error = std::fabs(static_cast<double>(got[i / cols * step * cols + i % cols]) - wanted);
    const double relative = error == 0 ? 0 : error / std::fabs(wanted);
    worst = relative <= worst ? worst : relative;
  }
  return worst;
}

/// The root mean square of the difference of the product with random activations from float64, relative to its size.
double product_error(compute::Backend& backend, const tensor::TensorView& view, Usage usage) {
  constexpr uint32_t kRows = 6;
  const auto cols = static_cast<uint32_t>(view.shape.cols()), out = static_cast<uint32_t>(view.shape.rows());
  const std::vector<float> weights = decoded(view);
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> x(size_t{kRows} * cols), y(size_t{kRows} * out);
  for (float& v : x) v = normal(rng);
  auto stream = backend.make_stream().value();
  auto weight = backend.prepare(view, usage).value();
  auto in_memory = backend.allocate(x.size()).value(), out_memory = backend.allocate(y.size()).value();
  const Mat in{in_memory.get(), 0, kRows, cols, cols}, result{out_memory.get(), 0, kRows, out, out};
  stream->upload(x, in);
  stream->matmul(in, *weight, result);
  stream->download(result, y);
  REQUIRE(stream->finish());
  double errors = 0, sizes = 0;
  for (uint32_t r = 0; r < kRows; ++r) {
    for (uint32_t o = 0; o < out; ++o) {
      double exact = 0;
      for (uint32_t c = 0; c < cols; ++c) exact += static_cast<double>(weights[size_t{o} * cols + c]) * x[r * cols + c];
      errors += (y[r * out + o] - exact) * (y[r * out + o] - exact);
      sizes += exact * exact;
    }
  }
  return std::sqrt(errors / sizes);
}

/// Decoding, reading in pieces, and products, of one matrix.
void check_matrix(const Matrix& matrix, const io::SafeTensor& expected, uint64_t step, double tolerance) {
  const tensor::TensorView& view = matrix.view;
  CHECK(worst_error(decoded(view), expected, step) <= tolerance);
  if (view.source != nullptr) {
    std::vector<std::byte> all(view.size_bytes()), piece;
    const uint64_t n = view.shape.rows();
    view.source->read(0, n, all.data());
    for (uint64_t begin = 0, size = 1; begin < n; begin += size, size = size * 2 + 1) {
      const uint64_t end = std::min(n, begin + size);
      piece.assign((end - begin) * view.row_bytes, std::byte{0xEE});
      view.source->read(begin, end, piece.data());
      CHECK(std::memcmp(piece.data(), all.data() + begin * view.row_bytes, piece.size()) == 0);
      view.source->release(begin, end);
    }
    piece.resize(all.size());
    view.source->read(0, n, piece.data());
    CHECK(piece == all);
  }
  auto pool = base::ThreadPool::create(2).value();
  auto cpu = cpu::make_backend(*pool).value(), reference = reference::make_backend().value();
  tensor::TensorView flat = view;
  flat.shape = {{view.shape.cols(), view.shape.rows(), 1, 1}, 2};
  CHECK(product_error(*reference, flat, Usage::matmul) < 1e-5);
  // FP4's smallest value is far from any of the whole numbers that the CPU multiplies (lib/quant/bitsandbytes.h), and
  // in matrices with outliers it is the most frequent one.
  const double bound = view.type == tensor::DType::fp4 ? 2e-2 : 1e-2;
  CHECK(product_error(*cpu, flat, Usage::matmul) < bound);
  CHECK(product_error(*cpu, flat, Usage::matmul_in_source) < bound);
}

struct Vector {
  const char *file, *module, *type;
};
constexpr Vector kVectors[] = {
    {"awq_gemm_w4_g128", "w", "INT4"},
    {"bnb_fp4", "w", "FP4"},
    {"bnb_int8", "w", "INT8"},
    {"bnb_nf4", "w", "NF4"},
    {"bnb_nf4_dq", "w", "NF4_DQ"},
    {"ct_pack_w4_g128_asym", "w", "INT4"},
    {"ct_pack_w4_g128_sym", "w", "INT4"},
    {"fp8_block128", "w", "F32"},  // its rows have 320 elements
    {"gptq_w2_g64_asym_v2", "w", "INT4_32"},
    {"gptq_w3_g128_sym_v1", "w", "INT3"},
    {"gptq_w4_g128_sym_v1", "w", "INT4"},
    {"gptq_w4_g32_asym_v2_actorder", "w", "INT4_32"},
    {"gptq_w8_gm1_sym_v1", "w", "INT8"},
    {"mxfp4_gptoss", "mlp.experts.down_proj", "MXFP4"},
    {"nvfp4_ct", "w", "NVFP4"},
};

}  // namespace

TEST_CASE("the shared vectors of quantized linears decode to what they say, and multiply") {
  for (const Vector& vector : kVectors) {
    CAPTURE(std::string(vector.file));
    Checkpoint checkpoint = checkpoint_of(cat(vector.file, ".safetensors"));
    const auto config = base::FileBytes::open(data_path(cat(vector.file, ".config.json")), {});
    if (config) set_config(checkpoint, {reinterpret_cast<const char*>(config->bytes().data()), config->bytes().size()});
    const auto matrix = read_matrix(checkpoint, vector.module);
    REQUIRE_MESSAGE(matrix, matrix.error().message);
    REQUIRE(matrix->has_value());
    CHECK(type_of(**matrix) == vector.type);
    CHECK((*matrix)->note.empty() == (vector.type != std::string_view("F32")));
    check_matrix(**matrix, *checkpoint.arrays.find("expected"), 8, 3e-7);
  }
}

TEST_CASE("every form of a matrix decodes to what an independent program says, and multiplies") {
  Checkpoint checkpoint = checkpoint_of("forms.safetensors");
  for (const Form& form : read_forms()) {
    CAPTURE(form.module);
    set_config(checkpoint, form.config);
    const auto matrix = read_matrix(checkpoint, form.module);
    REQUIRE_MESSAGE(matrix, matrix.error().message);
    REQUIRE(matrix->has_value());
    const Matrix& m = **matrix;
    CHECK(type_of(m) == form.type);
    CHECK(m.note.empty() == !form.note);
    CHECK(m.view.shape.rows() == form.rows);
    CHECK((m.view.data == nullptr) == (m.view.source != nullptr));
    // Every array of the module is one that the matrix is made of.
    size_t n_arrays = 0;
    for (const io::SafeTensor& array : checkpoint.arrays.entries()) {
      const bool own = array.name == form.module || array.name.starts_with(form.module + ".weight") ||
                       array.name.starts_with(form.module + ".") || array.name == form.module + "_blocks" ||
                       array.name == form.module + "_scales";
      n_arrays += own && !array.name.ends_with(".expected");
    }
    CHECK(m.arrays.size() == n_arrays);
    // Scales in half precision: exact, but for those that are stored in float32.
    const double tolerance = form.module == "ct_int8_f32_scale" ? 0x1p-11 : 3e-7;
    check_matrix(m, *checkpoint.arrays.find(form.module + ".expected"), form.step, tolerance);
  }
}

TEST_CASE("stacked experts are one matrix of three dimensions, and have a slice each") {
  Checkpoint checkpoint = checkpoint_of("forms.safetensors");
  set_config(checkpoint, "{}");
  for (const char* name : {"mxfp4_stack", "nf4_stack", "fp8_stack_tensor", "plain_stack"}) {
    CAPTURE(name);
    const Matrix m = *read_matrix(checkpoint, name).value();
    REQUIRE(m.view.shape.rank == 3);
    CHECK(m.view.shape.ne[2] == 3);
    const uint64_t rows = m.view.shape.ne[1];
    const auto all = decoded(m.view), second = decoded(m.view.slice(rows, rows));
    CHECK(std::memcmp(second.data(), all.data() + second.size(), second.size() * 4) == 0);
  }
}

TEST_CASE("a matrix outlives the tables of its checkpoint") {
  Checkpoint checkpoint = checkpoint_of("forms.safetensors");
  for (const Form& form : read_forms()) {
    CAPTURE(form.module);
    set_config(checkpoint, form.config);
    const Matrix m = *read_matrix(checkpoint, form.module).value();
    const auto before = decoded(m.view);
    std::vector<base::FileBytes> files = std::move(checkpoint.files);
    checkpoint = Checkpoint();
    CHECK(decoded(m.view) == before);
    checkpoint = checkpoint_of("forms.safetensors");
  }
}

TEST_CASE("a module that the checkpoint does not have") {
  Checkpoint checkpoint = checkpoint_of("forms.safetensors");
  set_config(checkpoint, "{}");
  CHECK_FALSE(read_matrix(checkpoint, "model.layers.0.mlp.up_proj").value().has_value());
}
