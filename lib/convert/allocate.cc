#include "lib/convert/allocate.h"

#include <algorithm>
#include <cmath>

#include "lib/convert/quantize.h"
#include "lib/quant/format.h"
#include "lib/quant/importance.h"
#include "lib/quant/rows.h"

namespace quern::convert {
namespace {

uint64_t size_of(std::span<const std::vector<Choice>> tensors, const std::vector<size_t>& chosen) {
  uint64_t sum = 0;
  for (size_t i = 0; i < tensors.size(); ++i) sum += tensors[i][chosen[i]].size_bytes;
  return sum;
}

/// The best choices where a byte costs `lambda`.
std::vector<size_t> choose(std::span<const std::vector<Choice>> tensors, double lambda) {
  std::vector<size_t> out;
  for (const std::vector<Choice>& choices : tensors) {
    const auto cost = [&](const Choice& c) { return c.loss + lambda * static_cast<double>(c.size_bytes); };
    const auto better = [&](const Choice& a, const Choice& b) {
      return cost(a) != cost(b) ? cost(a) < cost(b) : a.size_bytes < b.size_bytes;
    };
    out.push_back(static_cast<size_t>(std::min_element(choices.begin(), choices.end(), better) - choices.begin()));
  }
  return out;
}

/// Exchanges one choice for a better one that still fits: that which gains most per byte. False if there is none.
bool spend(std::span<const std::vector<Choice>> tensors, uint64_t left, std::vector<size_t>& chosen) {
  double best = 0;
  size_t tensor = 0, choice = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Choice& now = tensors[i][chosen[i]];
    for (size_t c = 0; c < tensors[i].size(); ++c) {
      const Choice& other = tensors[i][c];
      if (other.loss >= now.loss || other.size_bytes > now.size_bytes + left) continue;
      const double more =
          other.size_bytes > now.size_bytes ? static_cast<double>(other.size_bytes - now.size_bytes) : 0.5;
      if ((now.loss - other.loss) / more <= best) continue;
      best = (now.loss - other.loss) / more;
      tensor = i;
      choice = c;
    }
  }
  if (best > 0) chosen[tensor] = choice;
  return best > 0;
}

}  // namespace

Result<std::vector<size_t>> allocate(std::span<const std::vector<Choice>> tensors, uint64_t budget_bytes) {
  uint64_t least = 0;
  double loss = 0;
  for (const std::vector<Choice>& choices : tensors) {
    const auto smaller = [](const Choice& a, const Choice& b) { return a.size_bytes < b.size_bytes; };
    least += std::min_element(choices.begin(), choices.end(), smaller)->size_bytes;
    for (const Choice& c : choices) loss = std::max(loss, c.loss);
  }
  QUERN_ENSURE(least <= budget_bytes, Errc::argument, "the tensors take at least ", least, " bytes, asked for were ",
               budget_bytes);
  double low = 0, high = loss + 1;  // a byte never costs more than all that a tensor can lose
  if (size_of(tensors, choose(tensors, low)) <= budget_bytes) high = low;
  for (int step = 0; step < 200 && high > low; ++step) {
    const double middle = low > 0 ? std::sqrt(low * high) : high * 1e-6;
    if (middle <= low || middle >= high) break;
    (size_of(tensors, choose(tensors, middle)) <= budget_bytes ? high : low) = middle;
    if (high < 1e-300) break;
  }
  std::vector<size_t> chosen = choose(tensors, high);
  while (spend(tensors, budget_bytes - size_of(tensors, chosen), chosen)) {
  }
  return chosen;
}

Result<RoundingError> rounding_error(const io::TensorEntry& tensor, uint32_t type_id, std::span<const float> importance,
                                     base::ThreadPool& pool) {
  QUERN_TRY(const quant::FormatInfo* from, quant::resolve_format(tensor.type_id));
  QUERN_TRY(const quant::FormatInfo* to, quant::resolve_format(type_id));
  const tensor::TensorView& view = tensor.view;
  const size_t cols = view.shape.cols();
  const uint64_t n_rows = view.shape.rows(), n = std::min(n_rows, kSampledRows);
  std::vector<RoundingError> rows(n);
  pool.run(n, [&](size_t i) {
    const uint64_t r = i * n_rows / n;
    std::vector<float> x(cols), y(cols), weights(cols);
    std::vector<std::byte> blocks(cols / to->block_elems * to->block_bytes);
    quant::RowReader(view, *from).read(r, r + 1, x.data());
    const uint64_t matrix = importance.size() > cols ? r / view.shape.ne[1] % view.shape.ne[2] : 0;
    quant::weigh(x.data(), importance.empty() ? nullptr : importance.data() + matrix * cols, weights);
    to->encode(x.data(), weights.data(), cols, blocks.data());
    to->decode(blocks.data(), y.data(), cols);
    for (size_t k = 0; k < cols; ++k) {
      const double w = weights[k], miss = static_cast<double>(x[k]) - y[k];
      rows[i].error += w * miss * miss;
      rows[i].energy += w * x[k] * x[k];
    }
  });
  RoundingError sum;
  for (const RoundingError& row : rows) {
    sum.error += row.error;
    sum.energy += row.energy;
  }
  const double scale = static_cast<double>(n_rows) / static_cast<double>(n);
  return RoundingError{sum.error * scale, sum.energy * scale};
}

}  // namespace quern::convert
