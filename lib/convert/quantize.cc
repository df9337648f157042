#include "lib/convert/quantize.h"

#include <algorithm>
#include <atomic>

#include "lib/convert/exact.h"
#include "lib/quant/importance.h"

namespace quern::convert {
namespace {

/// Bytes of the source that are in work at a time: enough for all threads, little beside a model.
constexpr uint64_t kStepBytes = uint64_t{16} << 20;

Status check_importance(const TensorTarget& target, const std::string& path) {
  const tensor::Shape& shape = target.source->view.shape;
  const size_t n = target.importance.size();
  QUERN_ENSURE(n == 0 || n == shape.ne[0] || n == shape.ne[0] * shape.ne[2], Errc::argument, path, ": tensor '",
               target.source->name, "' ", tensor::to_string(shape), ": the importance matrix has ", n,
               " numbers for it, expected ", shape.ne[0], " or ", shape.ne[0] * shape.ne[2]);
  for (size_t i = 0; i < n; ++i) {
    QUERN_ENSURE(target.importance[i] > 0 && target.importance[i] < 1e30f, Errc::argument, path, ": tensor '",
                 target.source->name, "': importance ", i, " is ", target.importance[i],
                 ", expected a positive number");
  }
  return {};
}

}  // namespace

uint64_t TensorTarget::size_bytes() const {
  if (copied()) return source->view.size_bytes();
  const auto block = quant::block_size(type_id);
  return block ? source->view.shape.elements() / block->elems * block->bytes : 0;
}

Status Quantizer::check(std::span<const TensorTarget> targets) {
  for (const TensorTarget& target : targets) {
    const io::TensorEntry& source = *target.source;
    if (target.copied()) continue;
    QUERN_TRY(const quant::FormatInfo* from, quant::resolve_format(source.type_id));
    QUERN_TRY(const quant::FormatInfo* to, quant::resolve_format(target.type_id));
    QUERN_ENSURE(to->encode != nullptr || target.exact, Errc::unsupported, file_.path, ": tensor '", source.name, "' (",
                 from->name, "): cannot be written as ", to->name, ", which is only read here");
    QUERN_ENSURE(source.view.shape.cols() % to->block_elems == 0, Errc::argument, file_.path, ": tensor '", source.name,
                 "' ", tensor::to_string(source.view.shape), ": rows are not a multiple of the ", to->block_elems,
                 " elements of a block of ", to->name);
    QUERN_CHECK(check_importance(target, file_.path));
  }
  return {};
}

Status Quantizer::add_to(io::GgufWriter& writer, std::span<const TensorTarget> targets) {
  for (const TensorTarget& target : targets) {
    total_bytes_ += target.source->view.size_bytes();
    QUERN_CHECK(writer.add_tensor(target.source->name, target.source->view.shape, target.type_id,
                                  [this, &target](const io::ByteSink& sink) { return write(target, sink); }));
  }
  return {};
}

Status Quantizer::write(const TensorTarget& target, const io::ByteSink& sink) {
  const tensor::TensorView& view = target.source->view;
  const Moments* moments = nullptr;
  TensorTarget weighted = target;
  if (moments_ != nullptr && !target.copied()) {
    QUERN_TRY(moments, moments_->moments_of(*target.source));
    if (moments != nullptr) weighted.importance = moments->diagonal();
  }
  const uint64_t n_rows = view.shape.rows(),
                 step = std::max<uint64_t>(1, kStepBytes / std::max<uint64_t>(view.row_bytes, 1));
  for (uint64_t begin = 0; begin < n_rows; begin += step) {
    const uint64_t end = std::min(n_rows, begin + step);
    if (target.copied()) {
      QUERN_CHECK(sink({view.rows(begin, end, out_), (end - begin) * view.row_bytes}));
    } else if (target.exact) {
      QUERN_CHECK(repack_rows(target, begin, end));
      QUERN_CHECK(sink(out_));
    } else {
      QUERN_CHECK(write_rows(weighted, moments, begin, end));
      QUERN_CHECK(sink(out_));
    }
    QUERN_CHECK(advance(target, view.slice(begin, end - begin)));
  }
  return {};
}

Status Quantizer::repack_rows(const TensorTarget& target, uint64_t begin, uint64_t end) {
  const tensor::TensorView& view = target.source->view;
  QUERN_TRY(const quant::FormatInfo* from, quant::resolve_format(target.source->type_id));
  QUERN_TRY(const quant::FormatInfo* to, quant::resolve_format(target.type_id));
  const size_t n = (end - begin) * view.shape.cols();
  out_.resize(n / to->block_elems * to->block_bytes);
  std::vector<std::byte> scratch;
  const bool same = repack(*from, *to, view.rows(begin, end, scratch), view.scale, n, out_.data());
  QUERN_ENSURE(same, Errc::internal, file_.path, ": tensor '", target.source->name, "': ", to->name,
               " does not hold its numbers");
  return {};
}

Status Quantizer::write_rows(const TensorTarget& target, const Moments* moments, uint64_t begin, uint64_t end) {
  const tensor::TensorView& view = target.source->view;
  QUERN_TRY(const quant::FormatInfo* from, quant::resolve_format(target.source->type_id));
  QUERN_TRY(const quant::FormatInfo* to, quant::resolve_format(target.type_id));
  const size_t cols = view.shape.cols(), row_bytes = cols / to->block_elems * to->block_bytes;
  const bool per_matrix = target.importance.size() > cols, refine = moments != nullptr && Refiner::can(*to);
  constexpr size_t kReadTogether = 16;  // see tensor::RowSource
  const size_t step = refine ? Refiner::kRows : view.source != nullptr ? kReadTogether : 1;
  out_.resize((end - begin) * row_bytes);
  workers_.resize(pool_.n_threads());
  for (Worker& worker : workers_) {
    worker.rows.resize(step * cols);
    worker.weights.resize(cols);
    worker.reader = std::make_unique<quant::RowReader>(view, *from);
    worker.refiner.reset();
    if (refine) worker.refiner = Refiner::make(*to, *moments);
  }
  constexpr uint64_t kNone = ~uint64_t{0};
  std::atomic<uint64_t> bad{kNone};  // the first row, of those met, with a number that is not finite
  const auto note_bad = [&bad](uint64_t r) {
    uint64_t seen = bad.load();
    while (r < seen && !bad.compare_exchange_weak(seen, r)) {
    }
  };
  pool_.run((end - begin + step - 1) / step, [&](size_t i, size_t thread) {
    Worker& worker = workers_[thread];
    const uint64_t first = begin + i * step, n = std::min<uint64_t>(step, end - first);
    std::byte* const out = out_.data() + i * step * row_bytes;
    worker.reader->read(first, first + n, worker.rows.data());
    for (uint64_t r = first; r < first + n; ++r) {
      const float* const row = worker.rows.data() + (r - first) * cols;
      if (quant::first_not_finite(row, cols) < cols) {
        note_bad(r);
        return;
      }
      const float* importance = nullptr;
      if (!target.importance.empty()) {
        const uint64_t matrix = r / view.shape.ne[1] % view.shape.ne[2];
        importance = target.importance.data() + (per_matrix ? matrix * cols : 0);
      }
      if (to->block_elems == 1) {  // nothing is searched for, but a shorter type may be too short
        to->encode(row, nullptr, cols, out + (r - first) * row_bytes);
        to->decode(out + (r - first) * row_bytes, worker.weights.data(), cols);
        if (quant::first_not_finite(worker.weights.data(), cols) == cols) continue;
        note_bad(r);
        return;
      }
      quant::weigh(row, importance, worker.weights);
      to->encode(row, worker.weights.data(), cols, out + (r - first) * row_bytes);
    }
    if (refine) worker.refiner->refine(worker.rows.data(), n, out, row_bytes);
  });
  return bad == kNone ? Status() : not_finite(target, bad, *to);
}

Error Quantizer::not_finite(const TensorTarget& target, uint64_t r, const quant::FormatInfo& to) {
  const size_t cols = target.source->view.shape.cols();
  std::vector<float>& row = workers_[0].rows;
  workers_[0].reader->read(r, r + 1, row.data());
  const std::string place = cat(file_.path, ": tensor '", target.source->name, "', row ", r, ", column ");
  if (const size_t col = quant::first_not_finite(row.data(), cols); col < cols)
    return fail(Errc::format, place, col, ": ", row[col], " cannot be quantized");
  std::vector<std::byte> stored(cols * to.block_bytes);
  std::vector<float> decoded(cols);
  to.encode(row.data(), nullptr, cols, stored.data());
  to.decode(stored.data(), decoded.data(), cols);
  const size_t col = quant::first_not_finite(decoded.data(), cols);
  return fail(Errc::format, place, col, ": ", row[col], " is too large for ", to.name);
}

Status Quantizer::advance(const TensorTarget& target, const tensor::TensorView& part) {
  file_.release(*target.source, part);
  done_bytes_ += part.size_bytes();
  const bool go_on = !progress_ || progress_(Progress{"quantize", done_bytes_, total_bytes_});
  QUERN_ENSURE(go_on && !cancel_.cancelled(), Errc::cancelled, "quantizing was cancelled");
  return {};
}

}  // namespace quern::convert
