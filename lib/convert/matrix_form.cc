#include "lib/convert/matrix_form.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cmath>

#include "lib/quant/rows.h"

namespace quern::convert {
namespace {

/// Bytes of float32 rows that are in work at a time.
constexpr uint64_t kStepBytes = uint64_t{16} << 20;

constexpr FormInfo kForms[] = {
    {"GPTQ_INT4", "GPTQ: whole codes with a scale for each group", 4.156, make_gptq_int4},
    {"BNB_NF4_DQ", "bitsandbytes NF4 with quantized scales", 4.127, make_bnb_nf4_dq},
    {"BNB_FP4_DQ", "bitsandbytes FP4 with quantized scales", 4.127, make_bnb_fp4_dq},
    {"BNB_NF4", "bitsandbytes NF4, as load_in_4bit makes it", 4.5, make_bnb_nf4},
    {"BNB_FP4", "bitsandbytes FP4", 4.5, make_bnb_fp4},
    {"BNB_INT8", "bitsandbytes LLM.int8()", 8.008, make_bnb_int8},
};

}  // namespace

std::span<const FormInfo> matrix_forms() { return kForms; }

const FormInfo* find_form(std::string_view name) {
  const auto same = [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; };
  for (const FormInfo& form : kForms) {
    if (std::equal(name.begin(), name.end(), form.name.begin(), form.name.end(), same)) return &form;
  }
  return nullptr;
}

std::string_view torch_type(tensor::DType type) {
  constexpr std::pair<tensor::DType, std::string_view> kNames[] = {
      {tensor::DType::bf16, "bfloat16"}, {tensor::DType::f16, "float16"}, {tensor::DType::f32, "float32"}};
  for (const auto& [named, name] : kNames) {
    if (named == type) return name;
  }
  return "float16";
}

uint64_t RowWork::step_rows(const SourceMatrix& matrix, uint64_t n_rows) {
  const uint64_t row_bytes = matrix.view.shape.cols() * sizeof(float);
  return std::max<uint64_t>(1, kStepBytes / (row_bytes * n_rows)) * n_rows;
}

Status RowWork::run(const SourceMatrix& matrix, uint64_t n_rows, const Body& body, const Done& done) {
  const size_t cols = matrix.view.shape.cols();
  const uint64_t rows = matrix.view.shape.rows(), step = step_rows(matrix, n_rows);
  struct Worker {
    std::unique_ptr<quant::RowReader> reader;
    std::vector<float> rows;
  };
  std::vector<Worker> workers(pool_.n_threads());
  for (Worker& worker : workers) {
    worker.reader = std::make_unique<quant::RowReader>(matrix.view, *matrix.format);
    worker.rows.resize(n_rows * cols);
  }
  constexpr uint64_t kNone = ~uint64_t{0};
  std::atomic<uint64_t> bad{kNone};  // the first element, of those met, that is not finite
  for (uint64_t begin = 0; begin < rows; begin += step) {
    const uint64_t end = std::min(rows, begin + step);
    pool_.run((end - begin + n_rows - 1) / n_rows, [&](size_t i, size_t thread) {
      const uint64_t first = begin + i * n_rows, n = std::min(n_rows, end - first);
      float* const x = workers[thread].rows.data();
      workers[thread].reader->read(first, first + n, x);
      const float* const found = std::find_if_not(x, x + n * cols, [](float v) { return std::isfinite(v); });
      if (found == x + n * cols) return body(x, first, n, thread);
      const uint64_t at = first * cols + static_cast<uint64_t>(found - x);
      uint64_t seen = bad.load();
      while (at < seen && !bad.compare_exchange_weak(seen, at)) {
      }
    });
    QUERN_ENSURE(bad == kNone, Errc::format, matrix.place, ", row ", bad / cols, ", column ", bad % cols,
                 ": expected a finite number");
    QUERN_CHECK(done(begin, end));
    QUERN_CHECK(advance_(matrix, begin, end));
  }
  return {};
}

}  // namespace quern::convert
