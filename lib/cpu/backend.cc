#include "lib/cpu/backend.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "lib/cpu/attention/attention.h"
#include "lib/cpu/kernels/elementwise.h"
#include "lib/cpu/kernels/layer_norm.h"
#include "lib/cpu/kernels/rms_norm.h"
#include "lib/cpu/kernels/rope.h"
#include "lib/cpu/kernels/route.h"
#include "lib/cpu/matmul/matmul.h"
#include "lib/cpu/recurrent/recurrent.h"
#include "lib/cpu/target_name.h"
#include "lib/cpu/weight.h"

namespace quern::cpu {

using compute::AttentionRow;
using compute::AttentionShape;
using compute::ExpertTarget;
using compute::Glu;
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

class Stream final : public compute::Stream {
 public:
  explicit Stream(base::ThreadPool& pool) : pool_(pool), matmul_(pool), attention_(pool), recurrent_(pool) {}

 protected:
  void do_upload(std::span<const float> from, Mat to) override {
    for (uint32_t r = 0; r < to.rows; ++r) std::copy_n(from.data() + uint64_t{r} * to.cols, to.cols, to.row(r));
  }

  void do_embed(const compute::Weight& table, std::span<const int32_t> ids, Mat out) override {
    const auto& rows = static_cast<const TableWeight&>(table);
    each_row(out, [&](uint32_t r) { rows.decode_row(static_cast<uint32_t>(ids[r]), out.row(r)); });
  }

  void do_rms_norm(Mat x, const compute::Weight* weight, float eps, Mat out) override {
    const float* w = weight != nullptr ? static_cast<const VectorWeight*>(weight)->data() : nullptr;
    each_row(x, [&](uint32_t r) { rms_norm_row(x.row(r), w, eps, out.row(r), x.cols); });
  }

  void do_layer_norm(Mat x, const compute::Weight& weight, const compute::Weight* bias, float eps, Mat out) override {
    const float* w = static_cast<const VectorWeight&>(weight).data();
    const float* b = bias != nullptr ? static_cast<const VectorWeight&>(*bias).data() : nullptr;
    each_row(x, [&](uint32_t r) { layer_norm_row(x.row(r), w, b, eps, out.row(r), x.cols); });
  }

  void do_l2_norm(Mat x, uint32_t head_dim, float eps) override {
    each_row(x, [&](uint32_t r) {
      for (float* head = x.row(r); head < x.row(r) + x.cols; head += head_dim) l2_norm_row(head, eps, head_dim);
    });
  }

  void do_matmul(Mat x, std::span<const MatmulTarget> targets) override { matmul_.run(x, targets); }

  void do_add(Mat x, Mat y) override {
    each_row(x, [&](uint32_t r) { add_row(x.row(r), y.row(r), x.cols); });
  }

  void do_rope(Mat x, uint32_t head_dim, uint32_t n_rot, RopePairs pairs, Mat cos_sin) override {
    each_row(x, [&](uint32_t r) {
      rope_row(x.row(r), x.cols / head_dim, head_dim, n_rot / 2, pairs, cos_sin.row(r), cos_sin.row(r) + n_rot / 2);
    });
  }

  void do_glu(Glu kind, Mat gate, Mat up, Mat out) override {
    each_row(gate, [&](uint32_t r) { glu_row(kind, gate.row(r), up.row(r), out.row(r), gate.cols); });
  }

  void do_gelu(Mat x) override {
    each_row(x, [&](uint32_t r) { gelu_row(x.row(r), x.cols); });
  }

  void do_scale(Mat x, float factor) override {
    each_row(x, [&](uint32_t r) { scale_row(x.row(r), factor, x.row(r), x.cols); });
  }

  void do_scale_rows(Mat x, Mat factors) override {
    each_row(x, [&](uint32_t r) { scale_row(x.row(r), factors.row(r)[0], x.row(r), x.cols); });
  }

  void do_softcap(Mat x, float cap) override {
    each_row(x, [&](uint32_t r) { softcap_row(x.row(r), cap, x.cols); });
  }

  void do_sigmoid(Mat x) override {
    each_row(x, [&](uint32_t r) { sigmoid_row(x.row(r), x.cols); });
  }

  void do_decay(Mat x, const compute::Weight& rate, const compute::Weight& bias) override {
    const float* w = static_cast<const VectorWeight&>(rate).data();
    const float* b = static_cast<const VectorWeight&>(bias).data();
    each_row(x, [&](uint32_t r) {
      add_row(x.row(r), b, x.cols);
      decay_row(x.row(r), w, x.cols);
    });
  }

  void do_route(Mat scores, const Routing& routing, Mat experts, Mat weights) override {
    const float* const bias =
        routing.choice_bias ? static_cast<const VectorWeight*>(routing.choice_bias)->data() : nullptr;
    for (uint32_t r = 0; r < scores.rows; ++r) {
      route_row({scores.row(r), scores.cols}, routing, bias, {experts.row(r), experts.cols}, weights.row(r),
                route_memory_);
    }
  }

  void do_matmul_experts(Mat x, Mat experts, std::span<const ExpertTarget> targets) override {
    matmul_.run_experts(x, experts, targets);
  }

  void do_combine(Mat parts, Mat weights, Mat out) override {
    each_row(out, [&](uint32_t r) {
      const uint32_t first = r * weights.cols;
      scale_row(parts.row(first), weights.row(r)[0], out.row(r), out.cols);
      for (uint32_t j = 1; j < weights.cols; ++j)
        add_scaled_row(out.row(r), parts.row(first + j), weights.row(r)[j], out.cols);
    });
  }

  void do_kv_store(compute::KvStore& kv, uint32_t layer, Mat k, Mat v, std::span<const uint32_t> slots) override {
    const auto& store = static_cast<const KvStore&>(kv);
    each_row(k, [&](uint32_t r) { store_kv_row(store, layer, slots[r], k.row(r), v.row(r)); });
  }

  void do_attention(compute::KvStore& kv, uint32_t layer, const AttentionShape& shape, Mat q,
                    std::span<const AttentionRow> rows, Mat out) override {
    attention_.run(static_cast<const KvStore&>(kv), layer, shape, q, rows, out);
  }

  void do_causal_conv(compute::StateStore& states, uint32_t layer, Mat x, const compute::Weight& taps,
                      std::span<const compute::StateRun> runs, Mat out) override {
    const float* w = static_cast<const VectorWeight&>(taps).data();
    recurrent_.causal_conv(static_cast<const StateStore&>(states), layer, x, w, runs, out);
  }

  void do_delta_rule(compute::StateStore& states, uint32_t layer, const compute::DeltaShape& shape,
                     const compute::DeltaInputs& in, std::span<const compute::StateRun> runs, Mat out) override {
    recurrent_.delta_rule(static_cast<const StateStore&>(states), layer, shape, in, runs, out);
  }

  void do_gather_rows(Mat x, std::span<const uint32_t> rows, Mat out) override {
    for (uint32_t r = 0; r < out.rows; ++r) std::memmove(out.row(r), x.row(rows[r]), x.cols * sizeof(float));
  }

  void do_copy(Mat from, Mat to) override {
    each_row(to, [&](uint32_t r) { std::memmove(to.row(r), from.row(r), to.cols * sizeof(float)); });
  }

  void do_download(Mat from, std::span<float> to) override {
    for (uint32_t r = 0; r < from.rows; ++r) std::copy_n(from.row(r), from.cols, to.data() + uint64_t{r} * from.cols);
  }

  Status do_finish() override { return {}; }

 private:
  /// Runs f(row) for every row, in tasks of enough work to be worth handing out.
  template <class F>
  void each_row(const Mat& x, F&& f) {
    constexpr uint64_t kTaskFloats = 16384;
    const auto step = static_cast<uint32_t>(kTaskFloats / std::max<uint64_t>(x.cols, 1) + 1);
    pool_.run((x.rows + step - 1) / step, [&](size_t task) {
      const auto begin = static_cast<uint32_t>(task) * step;
      for (uint32_t r = begin; r < std::min(begin + step, x.rows); ++r) f(r);
    });
  }

  base::ThreadPool& pool_;
  Matmul matmul_;
  Attention attention_;
  Recurrent recurrent_;
  std::vector<float> route_memory_;
};

class Backend final : public compute::Backend {
 public:
  explicit Backend(base::ThreadPool& pool) : pool_(pool) {}

  std::string description() const override {
    return cat("cpu (", target_name(), ", ", pool_.n_threads(), pool_.n_threads() == 1 ? " thread)" : " threads)");
  }

  Result<std::unique_ptr<compute::Weight>> prepare(const tensor::TensorView& source, Usage usage) override {
    QUERN_TRY(const quant::FormatInfo* format, quant::resolve_format(static_cast<uint32_t>(source.type)));
    try {
      switch (usage) {
        case Usage::matmul:
          return PanelWeight::pack(source, arena_, pool_);
        case Usage::matmul_in_source:
          return PanelWeight::keep(source);
        case Usage::gather:
          return std::unique_ptr<compute::Weight>(std::make_unique<TableWeight>(source, *format));
        case Usage::vector:
          return std::unique_ptr<compute::Weight>(std::make_unique<VectorWeight>(source, *format));
      }
      return fail(Errc::internal, "unknown usage of a weight");
    } catch (const std::bad_alloc&) {
      return fail(Errc::memory, "no memory for ", source.size_bytes(), " bytes of weights");
    }
  }

  Result<uint64_t> weight_bytes(const tensor::TensorView& source, Usage usage) const override {
    QUERN_CHECK(quant::resolve_format(static_cast<uint32_t>(source.type)));
    if (usage == Usage::vector) return source.shape.elements() * sizeof(float);
    return usage == Usage::matmul ? PanelWeight::packed_bytes(source) : Result<uint64_t>(0);
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
    return std::unique_ptr<compute::Stream>(std::make_unique<Stream>(pool_));
  }

 private:
  base::ThreadPool& pool_;
  Arena arena_;
};

}  // namespace

Result<std::unique_ptr<compute::Backend>> make_backend(base::ThreadPool& pool) {
  return std::unique_ptr<compute::Backend>(std::make_unique<Backend>(pool));
}

}  // namespace quern::cpu
