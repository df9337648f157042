#include "lib/reference/backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <numbers>
#include <numeric>

#include "lib/base/half.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"
#include "lib/reference/kv_store.h"
#include "lib/reference/recurrent.h"

namespace quern::reference {

using compute::AttentionRow;
using compute::AttentionShape;
using compute::ExpertTarget;
using compute::Gating;
using compute::Glu;
using compute::kKvBlockTokens;
using compute::KvType;
using compute::Mat;
using compute::MatmulTarget;
using compute::RopePairs;
using compute::Routing;
using compute::Usage;

namespace {

class Buffer final : public compute::Buffer {
 public:
  explicit Buffer(uint64_t n_floats) : floats_(n_floats) {}
  uint64_t size_bytes() const override { return floats_.size() * sizeof(float); }
  float* host() override { return floats_.data(); }

 private:
  std::vector<float> floats_;
};

/// Decoded to float32 when prepared, except for tables that rows are gathered from, which stay in the source.
class Weight final : public compute::Weight {
 public:
  Weight(const tensor::TensorView& source, const quant::FormatInfo& format, Usage usage)
      : compute::Weight(source.type, static_cast<uint32_t>(source.shape.rows()),
                        static_cast<uint32_t>(source.shape.cols()), usage),
        source_(source),
        format_(format) {
    if (usage == Usage::gather) return;
    floats_.resize(source.shape.elements());
    quant::RowReader(source, format).read(0, source.shape.rows(), floats_.data());
  }
  uint64_t size_bytes() const override { return floats_.size() * sizeof(float); }
  const float* row(uint32_t r) const { return floats_.data() + uint64_t{r} * cols(); }
  void decode_row(uint32_t r, float* out) const { quant::RowReader(source_, format_).read(r, r + 1, out); }

 private:
  tensor::TensorView source_;
  const quant::FormatInfo& format_;
  std::vector<float> floats_;
};

const Weight& own(const compute::Weight& weight) { return static_cast<const Weight&>(weight); }

/// Sum of a[i] * b[i] in double, as four interleaved partial sums added in order.
double dot(const float* a, const float* b, uint32_t n) {
  double sums[4] = {0, 0, 0, 0};
  for (uint32_t i = 0; i < n; ++i) sums[i & 3] += static_cast<double>(a[i]) * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

float half(float x) { return base::f16_to_f32(base::f32_to_f16(x)); }

/// 32 elements of a head, or the rest of it, as blocks of Q8_0 or Q4_0 keep them: the largest becomes 127, or -8.
void round_block(KvType type, const float* from, float* to, uint32_t n) {
  float largest = 0;
  for (uint32_t i = 0; i < n; ++i) largest = std::fabs(from[i]) > std::fabs(largest) ? from[i] : largest;
  const float scale = type == KvType::q8_0 ? std::fabs(largest) / 127 : largest / -8;
  const float inverse = scale != 0 ? 1 / scale : 0;
  for (uint32_t i = 0; i < n; ++i) {
    const float code = type == KvType::q8_0 ? std::round(from[i] * inverse)
                                            : std::min(std::floor(from[i] * inverse + 8.5f), 15.0f) - 8;
    to[i] = code * half(scale);
  }
}

/// A row of heads of `dim` elements in the cache's type.
void round_heads(KvType type, const float* from, float* to, uint32_t n, uint32_t dim) {
  for (uint32_t begin = 0; begin < n; begin += dim) {
    for (uint32_t i = begin; i < begin + dim; i += 32) {
      const uint32_t count = std::min(32u, begin + dim - i);
      if (type == KvType::q8_0 || type == KvType::q4_0) {
        round_block(type, from + i, to + i, count);
      } else {
        for (uint32_t j = i; j < i + count; ++j) to[j] = type == KvType::f16 ? half(from[j]) : from[j];
      }
    }
  }
}

double gelu_of(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

/// f(gate) * up
double gated(Glu kind, double gate, double up) {
  if (kind == Glu::silu) return gate / (1.0 + std::exp(-gate)) * up;
  if (kind == Glu::clipped_silu) {
    const double g = std::min(gate, 7.0);
    return g / (1.0 + std::exp(-1.702 * g)) * (std::clamp(up, -7.0, 7.0) + 1);
  }
  if (kind == Glu::sigmoid) return up / (1.0 + std::exp(-gate));
  return gelu_of(gate) * up;
}

void softmax(std::vector<double>& x) {
  const double highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& value : x) sum += value = std::exp(value - highest);
  for (double& value : x) value /= sum;
}

/// By falling values, what is no number last, the first of equal ones first.
std::vector<uint32_t> order_of(const std::vector<double>& values) {
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto rank = [&](uint32_t i) { return std::isnan(values[i]) ? -INFINITY : values[i]; };
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return rank(a) > rank(b); });
  return order;
}

/// Takes the groups that are not used out of the choice.
void drop_groups(std::vector<double>& choice, const Routing& routing) {
  const size_t size = choice.size() / routing.n_groups;
  std::vector<double> sums;
  for (uint32_t g = 0; g < routing.n_groups; ++g) {
    const auto first = choice.begin() + static_cast<ptrdiff_t>(g * size);
    std::vector<double> group(first, first + static_cast<ptrdiff_t>(size));
    const auto order = order_of(group);
    sums.push_back(group[order[0]] + (size > 1 ? group[order[1]] : 0));
  }
  const auto groups = order_of(sums);
  for (size_t i = routing.n_groups_used; i < groups.size(); ++i) {
    const auto first = choice.begin() + static_cast<ptrdiff_t>(groups[i] * size);
    std::fill(first, first + static_cast<ptrdiff_t>(size), -INFINITY);
  }
}

/// One row of Stream::route.
void route_row(std::span<const float> scores, const Routing& routing, std::span<float> experts, float* weights) {
  std::vector<double> values(scores.begin(), scores.end());
  if (routing.gating == Gating::softmax) softmax(values);
  if (routing.gating == Gating::sigmoid) {
    for (double& value : values) value = 1 / (1 + std::exp(-value));
  }
  std::vector<double> choice(scores.begin(), scores.end());
  if (routing.choice_bias != nullptr || routing.n_groups > 1) choice = values;
  for (size_t i = 0; i < choice.size() && routing.choice_bias != nullptr; ++i)
    choice[i] += own(*routing.choice_bias).row(0)[i];
  if (routing.n_groups > 1) drop_groups(choice, routing);
  const auto order = order_of(choice);
  std::vector<double> chosen;
  for (size_t j = 0; j < experts.size(); ++j) {
    experts[j] = static_cast<float>(order[j]);
    chosen.push_back(values[order[j]]);
  }
  if (routing.gating == Gating::softmax_of_chosen) softmax(chosen);
  const double sum = std::accumulate(chosen.begin(), chosen.end(), 0.0);
  const double divisor = routing.normalize ? std::max(sum, 0x1p-14) : 1;
  for (size_t j = 0; j < chosen.size(); ++j) weights[j] = static_cast<float>(chosen[j] / divisor * routing.scale);
}

class Stream final : public compute::Stream {
 protected:
  void do_upload(std::span<const float> from, Mat to) override {
    for (uint32_t r = 0; r < to.rows; ++r) std::copy_n(from.data() + uint64_t{r} * to.cols, to.cols, to.row(r));
  }

  void do_embed(const compute::Weight& table, std::span<const int32_t> ids, Mat out) override {
    for (uint32_t r = 0; r < out.rows; ++r) own(table).decode_row(static_cast<uint32_t>(ids[r]), out.row(r));
  }

  void do_rms_norm(Mat x, const compute::Weight* weight, float eps, Mat out) override {
    const float* w = weight != nullptr ? own(*weight).row(0) : nullptr;
    for (uint32_t r = 0; r < x.rows; ++r) {
      const float* in = x.row(r);
      const double mean = dot(in, in, x.cols) / x.cols;
      const float inverse = static_cast<float>(1.0 / std::sqrt(mean + eps));
      for (uint32_t c = 0; c < x.cols; ++c) out.row(r)[c] = in[c] * inverse * (w != nullptr ? w[c] : 1.0f);
    }
  }

  void do_layer_norm(Mat x, const compute::Weight& weight, const compute::Weight* bias, float eps, Mat out) override {
    const float* w = own(weight).row(0);
    const float* b = bias != nullptr ? own(*bias).row(0) : nullptr;
    for (uint32_t r = 0; r < x.rows; ++r) {
      const float* in = x.row(r);
      const double mean = std::accumulate(in, in + x.cols, 0.0) / x.cols;
      double squares = 0;
      for (uint32_t c = 0; c < x.cols; ++c) squares += (in[c] - mean) * (in[c] - mean);
      const double inverse = 1.0 / std::sqrt(squares / x.cols + eps);
      for (uint32_t c = 0; c < x.cols; ++c)
        out.row(r)[c] = static_cast<float>((in[c] - mean) * inverse * w[c] + (b != nullptr ? b[c] : 0.0f));
    }
  }

  void do_l2_norm(Mat x, uint32_t head_dim, float eps) override {
    for (uint32_t r = 0; r < x.rows; ++r) {
      for (float* head = x.row(r); head < x.row(r) + x.cols; head += head_dim) {
        const double length = std::max(std::sqrt(dot(head, head, head_dim)), static_cast<double>(eps));
        for (uint32_t i = 0; i < head_dim; ++i) head[i] = static_cast<float>(head[i] / length);
      }
    }
  }

  void do_matmul(Mat x, std::span<const MatmulTarget> targets) override {
    for (const MatmulTarget& t : targets) {
      for (uint32_t r = 0; r < x.rows; ++r) {
        for (uint32_t o = 0; o < t.out.cols; ++o) {
          const float bias = t.bias ? own(*t.bias).row(0)[o] : 0.0f;
          t.out.row(r)[o] = static_cast<float>(dot(own(*t.weight).row(o), x.row(r), x.cols)) + bias;
        }
      }
    }
  }

  void do_add(Mat x, Mat y) override {
    for (uint32_t r = 0; r < x.rows; ++r) {
      for (uint32_t c = 0; c < x.cols; ++c) x.row(r)[c] += y.row(r)[c];
    }
  }

  void do_rope(Mat x, uint32_t head_dim, uint32_t n_rot, RopePairs pairs, Mat cos_sin) override {
    const uint32_t half = n_rot / 2;
    const uint32_t step = pairs == RopePairs::interleaved ? 2 : 1;  // from one pair's first element to the next's
    const uint32_t apart = pairs == RopePairs::interleaved ? 1 : half;
    for (uint32_t r = 0; r < x.rows; ++r) {
      const float* cosine = cos_sin.row(r);
      const float* sine = cosine + half;
      for (float* head = x.row(r); head < x.row(r) + x.cols; head += head_dim) {
        for (uint32_t i = 0; i < half; ++i) {
          float& a = head[i * step];
          float& b = head[i * step + apart];
          const float a0 = a, b0 = b;
          a = a0 * cosine[i] - b0 * sine[i];
          b = a0 * sine[i] + b0 * cosine[i];
        }
      }
    }
  }

  void do_glu(Glu kind, Mat gate, Mat up, Mat out) override {
    for (uint32_t r = 0; r < gate.rows; ++r) {
      for (uint32_t c = 0; c < gate.cols; ++c) {
        out.row(r)[c] = static_cast<float>(gated(kind, gate.row(r)[c], up.row(r)[c]));
      }
    }
  }

  void do_gelu(Mat x) override {
    each_element(x, [](float& value, uint32_t) { value = static_cast<float>(gelu_of(value)); });
  }

  void do_scale(Mat x, float factor) override {
    each_element(x, [&](float& value, uint32_t) { value *= factor; });
  }

  void do_scale_rows(Mat x, Mat factors) override {
    each_element(x, [&](float& value, uint32_t r) { value *= factors.row(r)[0]; });
  }

  void do_softcap(Mat x, float cap) override {
    each_element(x, [&](float& value, uint32_t) {
      value = static_cast<float>(cap * std::tanh(static_cast<double>(value) / cap));
    });
  }

  void do_sigmoid(Mat x) override {
    each_element(x, [&](float& value, uint32_t) {
      value = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(value))));
    });
  }

  void do_decay(Mat x, const compute::Weight& rate, const compute::Weight& bias) override {
    for (uint32_t r = 0; r < x.rows; ++r) {
      for (uint32_t c = 0; c < x.cols; ++c) {
        const double value = static_cast<double>(x.row(r)[c]) + own(bias).row(0)[c],
                     softplus = value > 30 ? value : std::log1p(std::exp(value));
        x.row(r)[c] = static_cast<float>(std::exp(own(rate).row(0)[c] * softplus));
      }
    }
  }

  void do_route(Mat scores, const Routing& routing, Mat experts, Mat weights) override {
    for (uint32_t r = 0; r < scores.rows; ++r) {
      route_row({scores.row(r), scores.cols}, routing, {experts.row(r), experts.cols}, weights.row(r));
    }
  }

  void do_matmul_experts(Mat x, Mat experts, std::span<const ExpertTarget> targets) override {
    for (const ExpertTarget& target : targets) {
      for (uint32_t i = 0; i < target.out.rows; ++i) {
        const uint32_t row = i / experts.cols;
        const auto expert = static_cast<size_t>(experts.row(row)[i % experts.cols]);
        const Mat one = x.slice(x.rows == experts.rows ? row : i, 1);
        const MatmulTarget product{target.weights[expert].get(),
                                   target.biases.empty() ? nullptr : target.biases[expert].get(),
                                   target.out.slice(i, 1)};
        do_matmul(one, {&product, 1});
      }
    }
  }

  void do_combine(Mat parts, Mat weights, Mat out) override {
    for (uint32_t r = 0; r < out.rows; ++r) {
      for (uint32_t c = 0; c < out.cols; ++c) {
        double sum = 0;
        for (uint32_t j = 0; j < weights.cols; ++j)
          sum += static_cast<double>(weights.row(r)[j]) * parts.row(r * weights.cols + j)[c];
        out.row(r)[c] = static_cast<float>(sum);
      }
    }
  }

  void do_kv_store(compute::KvStore& kv, uint32_t layer, Mat k, Mat v, std::span<const uint32_t> slots) override {
    auto& store = static_cast<KvStore&>(kv);
    for (uint32_t r = 0; r < k.rows; ++r) {
      const compute::KvLayer& dims = store.shape().layers[layer];
      round_heads(store.shape().type_k, k.row(r), store.key(layer, slots[r]), k.cols, dims.k_dim);
      round_heads(store.shape().type_v, v.row(r), store.value(layer, slots[r]), v.cols, dims.v_dim);
    }
  }

  void do_attention(compute::KvStore& kv, uint32_t layer, const AttentionShape& shape, Mat q,
                    std::span<const AttentionRow> rows, Mat out) override {
    auto& store = static_cast<KvStore&>(kv);
    for (uint32_t r = 0; r < q.rows; ++r) {
      for (uint32_t h = 0; h < shape.n_heads; ++h) attend(store, layer, shape, q.row(r), rows[r], h, out.row(r));
    }
  }

  void do_causal_conv(compute::StateStore& states, uint32_t layer, Mat x, const compute::Weight& taps,
                      std::span<const compute::StateRun> runs, Mat out) override {
    for (const auto& run : runs) conv_run(static_cast<StateStore&>(states), layer, x, own(taps).row(0), run, out);
  }

  void do_delta_rule(compute::StateStore& states, uint32_t layer, const compute::DeltaShape& shape,
                     const compute::DeltaInputs& in, std::span<const compute::StateRun> runs, Mat out) override {
    for (const auto& run : runs) delta_run(static_cast<StateStore&>(states), layer, shape, in, run, out);
  }

  void do_gather_rows(Mat x, std::span<const uint32_t> rows, Mat out) override {
    for (uint32_t r = 0; r < out.rows; ++r) std::memmove(out.row(r), x.row(rows[r]), x.cols * sizeof(float));
  }

  void do_copy(Mat from, Mat to) override {
    for (uint32_t r = 0; r < to.rows; ++r) std::memmove(to.row(r), from.row(r), to.cols * sizeof(float));
  }

  void do_download(Mat from, std::span<float> to) override {
    for (uint32_t r = 0; r < from.rows; ++r) std::copy_n(from.row(r), from.cols, to.data() + uint64_t{r} * from.cols);
  }

  Status do_finish() override { return {}; }

 private:
  /// f(element, row)
  template <class F>
  static void each_element(Mat x, F&& f) {
    for (uint32_t r = 0; r < x.rows; ++r) {
      for (uint32_t c = 0; c < x.cols; ++c) f(x.row(r)[c], r);
    }
  }

  void attend(KvStore& store, uint32_t layer, const AttentionShape& shape, const float* q, const AttentionRow& row,
              uint32_t head, float* out) {
    const uint32_t kv_head = head / (shape.n_heads / shape.n_kv_heads);
    const auto slot = [&](uint32_t i) { return row.blocks[i / kKvBlockTokens] * kKvBlockTokens + i % kKvBlockTokens; };
    scores_.assign(row.end - row.begin, 0.0);
    double highest = -INFINITY;
    for (uint32_t i = row.begin; i < row.end; ++i) {
      const float* key = store.key(layer, slot(i)) + kv_head * shape.k_dim;
      double score = dot(q + head * shape.k_dim, key, shape.k_dim) * shape.scale;
      if (shape.softcap > 0) score = shape.softcap * std::tanh(score / shape.softcap);
      scores_[i - row.begin] = score;
      highest = std::max(highest, score);
    }
    double total = 0;
    if (shape.sinks != nullptr) {
      const double sink = own(*shape.sinks).row(0)[head];
      highest = std::max(highest, sink);
      total = std::exp(sink - highest);
    }
    sums_.assign(shape.v_dim, 0.0);
    for (uint32_t i = row.begin; i < row.end; ++i) {
      const double weight = std::exp(scores_[i - row.begin] - highest);
      const float* value = store.value(layer, slot(i)) + kv_head * shape.v_dim;
      for (uint32_t c = 0; c < shape.v_dim; ++c) sums_[c] += weight * value[c];
      total += weight;
    }
    for (uint32_t c = 0; c < shape.v_dim; ++c) out[head * shape.v_dim + c] = static_cast<float>(sums_[c] / total);
  }

  std::vector<double> scores_, sums_;
};

class Backend final : public compute::Backend {
 public:
  std::string description() const override { return "reference (scalar)"; }

  Result<std::unique_ptr<compute::Weight>> prepare(const tensor::TensorView& source, Usage usage) override {
    QUERN_TRY(const quant::FormatInfo* format, quant::resolve_format(static_cast<uint32_t>(source.type)));
    try {
      return std::unique_ptr<compute::Weight>(std::make_unique<Weight>(source, *format, usage));
    } catch (const std::bad_alloc&) {
      return fail(Errc::memory, "no memory for ", source.shape.elements(), " weights as float32");
    }
  }

  Result<uint64_t> weight_bytes(const tensor::TensorView& source, Usage usage) const override {
    QUERN_CHECK(quant::resolve_format(static_cast<uint32_t>(source.type)));
    return usage == Usage::gather ? 0 : source.shape.elements() * sizeof(float);
  }

  Result<std::unique_ptr<compute::Buffer>> allocate(uint64_t n_floats) override {
    try {
      return std::unique_ptr<compute::Buffer>(std::make_unique<Buffer>(n_floats));
    } catch (const std::bad_alloc&) {
      return fail(Errc::memory, "no memory for ", n_floats, " floats");
    }
  }

  Result<std::unique_ptr<compute::KvStore>> make_kv_store(const compute::KvShape& shape) override {
    return std::unique_ptr<compute::KvStore>(std::make_unique<KvStore>(shape));
  }

  Result<std::unique_ptr<compute::StateStore>> make_state_store(const compute::StateShape& shape) override {
    return std::unique_ptr<compute::StateStore>(std::make_unique<StateStore>(shape));
  }

  Result<std::unique_ptr<compute::Stream>> make_stream() override {
    return std::unique_ptr<compute::Stream>(std::make_unique<Stream>());
  }
};

}  // namespace

Result<std::unique_ptr<compute::Backend>> make_backend() {
  return std::unique_ptr<compute::Backend>(std::make_unique<Backend>());
}

}  // namespace quern::reference
