// The shape checks of every verb. A backend's do_... methods assume what is checked here.
#include "lib/compute/ops.h"

#include <utility>

namespace quern::compute {

namespace {
bool valid(const Mat& m) { return m.buffer != nullptr && m.stride >= m.cols; }
bool same_shape(const Mat& a, const Mat& b) { return a.rows == b.rows && a.cols == b.cols; }
}  // namespace

void Stream::fail_with(Error error) {
  if (status_) status_ = std::move(error);
}

bool Stream::accept(bool condition, const char* op, const char* what) {
  if (!condition) fail_with(fail(Errc::internal, op, ": ", what));
  return status_.has_value();
}

/// Calls f(addition) where there is one, with neither addition nor observer for what that does.
template <class F>
void Stream::add_with(F&& f) {
  if (addition_ == nullptr || !status_) return;
  MatmulAddition* const addition = std::exchange(addition_, nullptr);
  MatmulObserver* const observer = std::exchange(observer_, nullptr);
  const Status added = f(*addition);
  addition_ = addition;
  observer_ = observer;
  if (!added) fail_with(added.error());
}

void Stream::upload(std::span<const float> from, Mat to) {
  if (!accept(valid(to) && from.size() == uint64_t{to.rows} * to.cols, "upload", "sizes differ")) return;
  do_upload(from, to);
}

void Stream::embed(const Weight& table, std::span<const int32_t> ids, Mat out) {
  if (!accept(table.usage() == Usage::gather, "embed", "the table was not prepared for gathering")) return;
  if (!accept(valid(out) && out.rows == ids.size() && out.cols == table.cols(), "embed", "shapes differ")) return;
  for (const int32_t id : ids) {
    if (!accept(id >= 0 && static_cast<uint32_t>(id) < table.rows(), "embed", "token id outside the vocabulary"))
      return;
  }
  do_embed(table, ids, out);
  add_with([&](MatmulAddition& addition) { return addition.add_rows(*this, table, ids, out); });
}

void Stream::rms_norm(Mat x, const Weight& weight, float eps, Mat out) {
  if (!accept(valid(x) && valid(out) && same_shape(x, out), "rms_norm", "shapes differ")) return;
  if (!accept(weight.usage() == Usage::vector && weight.cols() == x.cols, "rms_norm", "weight of another length"))
    return;
  do_rms_norm(x, &weight, eps, out);
}

void Stream::rms_norm(Mat x, float eps, Mat out) {
  if (!accept(valid(x) && valid(out) && same_shape(x, out), "rms_norm", "shapes differ")) return;
  do_rms_norm(x, nullptr, eps, out);
}

void Stream::layer_norm(Mat x, const Weight& weight, const Weight* bias, float eps, Mat out) {
  if (!accept(valid(x) && valid(out) && same_shape(x, out), "layer_norm", "shapes differ")) return;
  const auto fits = [&](const Weight& w) { return w.usage() == Usage::vector && w.cols() == x.cols; };
  if (!accept(fits(weight) && (bias == nullptr || fits(*bias)), "layer_norm", "weight or bias of another length"))
    return;
  do_layer_norm(x, weight, bias, eps, out);
}

void Stream::l2_norm(Mat x, uint32_t head_dim, float eps) {
  if (!accept(valid(x) && head_dim > 0 && x.cols % head_dim == 0, "l2_norm", "rows are not whole heads")) return;
  do_l2_norm(x, head_dim, eps);
}

void Stream::matmul(Mat x, std::span<const MatmulTarget> targets) {
  if (!accept(valid(x) && !targets.empty(), "matmul", "no input or no target")) return;
  for (const MatmulTarget& t : targets) {
    if (!accept(t.weight && t.weight->multiplies() && t.weight->cols() == x.cols, "matmul", "weight does not fit x"))
      return;
    if (!accept(valid(t.out) && t.out.rows == x.rows && t.out.cols == t.weight->rows(), "matmul",
                "weight does not fit out"))
      return;
    const bool bias_fits = !t.bias || (t.bias->usage() == Usage::vector && t.bias->cols() == t.out.cols);
    if (!accept(bias_fits, "matmul", "bias of another length")) return;
  }
  if (x.rows == 0) return;
  if (observer_ != nullptr) show(x, targets);
  if (status_) do_matmul(x, targets);
  add_with([&](MatmulAddition& addition) { return addition.add(*this, x, targets); });
}

/// What x holds now, in `copy` where the host cannot read the device's memory.
Result<MatmulInput> Stream::on_host(Mat x, std::vector<float>& copy) {
  const bool readable = x.buffer->host() != nullptr;
  if (!readable) {
    copy.resize(uint64_t{x.rows} * x.cols);
    do_download(x, copy);
  }
  QUERN_CHECK(do_finish());
  return readable ? MatmulInput{x.row(0), x.rows, x.cols, x.stride} : MatmulInput{copy.data(), x.rows, x.cols, x.cols};
}

void Stream::show(Mat x, std::span<const MatmulTarget> targets) {
  std::vector<float> copy;
  const auto input = on_host(x, copy);
  if (!input) return fail_with(input.error());
  observer_->observe(*input, targets);
}

void Stream::show_experts(Mat x, Mat experts, std::span<const ExpertTarget> targets) {
  std::vector<float> copy, copy_of_experts;
  const auto chosen = on_host(experts, copy_of_experts);
  if (!chosen) return fail_with(chosen.error());
  const auto input = on_host(x, copy);
  if (!input) return fail_with(input.error());
  const bool own_rows = x.rows != experts.rows;
  std::vector<ExpertRow> rows;
  for (uint32_t r = 0; r < experts.rows; ++r) {
    for (uint32_t j = 0; j < experts.cols; ++j) {
      const float expert = chosen->row(r)[j];
      const bool exists = expert >= 0 && expert < static_cast<float>(targets[0].weights.size());
      if (!accept(exists, "matmul_experts", "no such expert")) return;
      rows.push_back({own_rows ? r * experts.cols + j : r, static_cast<uint32_t>(expert)});
    }
  }
  observer_->observe_experts(*input, rows, targets);
}

void Stream::add(Mat x, Mat y) {
  if (!accept(valid(x) && valid(y) && same_shape(x, y), "add", "shapes differ")) return;
  do_add(x, y);
}

void Stream::rope(Mat x, uint32_t head_dim, uint32_t n_rot, RopePairs pairs, Mat cos_sin, uint32_t first) {
  if (!accept(valid(x) && head_dim > 0 && x.cols % head_dim == 0, "rope", "rows are not whole heads")) return;
  if (!accept(n_rot % 2 == 0 && uint64_t{first} + n_rot <= head_dim, "rope", "odd or too many rotated elements"))
    return;
  if (!accept(valid(cos_sin) && cos_sin.rows == x.rows && cos_sin.cols == n_rot, "rope", "table of another shape"))
    return;
  x.offset += first;
  if (n_rot > 0) do_rope(x, head_dim, n_rot, pairs, cos_sin);
}

void Stream::glu(Glu kind, Mat gate, Mat up, Mat out) {
  if (!accept(valid(gate) && valid(up) && valid(out) && same_shape(gate, up) && same_shape(gate, out), "glu",
              "shapes differ"))
    return;
  do_glu(kind, gate, up, out);
}

void Stream::gelu(Mat x) {
  if (!accept(valid(x), "gelu", "no matrix")) return;
  do_gelu(x);
}

void Stream::scale(Mat x, float factor) {
  if (!accept(valid(x), "scale", "no matrix")) return;
  do_scale(x, factor);
}

void Stream::scale_rows(Mat x, Mat factors) {
  if (!accept(valid(x) && valid(factors) && factors.rows == x.rows && factors.cols == 1, "scale_rows",
              "one factor per row"))
    return;
  do_scale_rows(x, factors);
}

void Stream::softcap(Mat x, float cap) {
  if (!accept(valid(x) && cap > 0, "softcap", "no matrix, or no positive cap")) return;
  do_softcap(x, cap);
}

void Stream::sigmoid(Mat x) {
  if (!accept(valid(x), "sigmoid", "no matrix")) return;
  do_sigmoid(x);
}

void Stream::decay(Mat x, const Weight& rate, const Weight& bias) {
  const auto fits = [&](const Weight& w) { return w.usage() == Usage::vector && w.cols() == x.cols; };
  if (!accept(valid(x) && fits(rate) && fits(bias), "decay", "one rate and one bias per column")) return;
  do_decay(x, rate, bias);
}

void Stream::route(Mat scores, const Routing& routing, Mat experts, Mat weights) {
  if (!accept(valid(scores) && valid(experts) && valid(weights) && same_shape(experts, weights), "route",
              "shapes differ"))
    return;
  if (!accept(experts.rows == scores.rows && experts.cols > 0 && experts.cols <= scores.cols, "route",
              "more experts chosen than there are"))
    return;
  const Weight* const bias = routing.choice_bias;
  if (!accept(!bias || (bias->usage() == Usage::vector && bias->cols() == scores.cols), "route",
              "bias of another length"))
    return;
  const bool groups = routing.n_groups > 0 && scores.cols % routing.n_groups == 0 && routing.n_groups_used > 0 &&
                      routing.n_groups_used <= routing.n_groups &&
                      experts.cols <= scores.cols / routing.n_groups * routing.n_groups_used;
  if (!accept(groups, "route", "groups that do not fit")) return;
  do_route(scores, routing, experts, weights);
}

bool Stream::accept_experts(const ExpertTarget& target, Mat x, uint64_t n_out) {
  if (!accept(!target.weights.empty() && valid(target.out) && target.out.rows == n_out, "matmul_experts",
              "no experts, or out of another shape"))
    return false;
  if (!accept(target.biases.empty() || target.biases.size() == target.weights.size(), "matmul_experts",
              "one bias per expert"))
    return false;
  for (const auto& weight : target.weights) {
    if (!accept(weight && weight->multiplies() && weight->cols() == x.cols && weight->rows() == target.out.cols,
                "matmul_experts", "weight does not fit"))
      return false;
  }
  for (const auto& bias : target.biases) {
    if (!accept(bias && bias->usage() == Usage::vector && bias->cols() == target.out.cols, "matmul_experts",
                "bias of another length"))
      return false;
  }
  return true;
}

void Stream::matmul_experts(Mat x, Mat experts, std::span<const ExpertTarget> targets) {
  if (!accept(valid(x) && valid(experts) && !targets.empty(), "matmul_experts", "no input or no target")) return;
  const uint64_t n_out = uint64_t{experts.rows} * experts.cols;
  if (!accept(x.rows == experts.rows || x.rows == n_out, "matmul_experts", "experts do not fit x")) return;
  for (const ExpertTarget& target : targets) {
    if (!accept_experts(target, x, n_out)) return;
    if (!accept(target.weights.size() == targets[0].weights.size(), "matmul_experts", "numbers of experts differ"))
      return;
  }
  if (n_out == 0) return;
  if (observer_ != nullptr) show_experts(x, experts, targets);
  if (status_) do_matmul_experts(x, experts, targets);
  add_with([&](MatmulAddition& addition) { return addition.add_experts(*this, x, experts, targets); });
}

void Stream::combine(Mat parts, Mat weights, Mat out) {
  if (!accept(valid(parts) && valid(weights) && valid(out) && out.cols == parts.cols && out.rows == weights.rows &&
                  parts.rows == uint64_t{weights.rows} * weights.cols,
              "combine", "shapes differ"))
    return;
  do_combine(parts, weights, out);
}

void Stream::kv_store(KvStore& kv, uint32_t layer, Mat k, Mat v, std::span<const uint32_t> slots) {
  if (!accept(valid(k) && valid(v) && k.rows == slots.size() && v.rows == slots.size(), "kv_store", "one slot per row"))
    return;
  for (const uint32_t slot : slots) {
    if (!accept(slot / kKvBlockTokens < kv.n_blocks(), "kv_store", "slot outside the store")) return;
  }
  do_kv_store(kv, layer, k, v, slots);
}

void Stream::attention(KvStore& kv, uint32_t layer, const AttentionShape& shape, Mat q,
                       std::span<const AttentionRow> rows, Mat out) {
  const bool heads = shape.n_kv_heads > 0 && shape.n_heads % shape.n_kv_heads == 0;
  if (!accept(heads, "attention", "query heads are no multiple of key-value heads")) return;
  if (!accept(valid(q) && q.rows == rows.size() && q.cols == shape.n_heads * shape.k_dim, "attention",
              "q of another shape"))
    return;
  if (!accept(valid(out) && out.rows == q.rows && out.cols == shape.n_heads * shape.v_dim, "attention",
              "out of another shape"))
    return;
  const bool sinks =
      shape.sinks == nullptr || (shape.sinks->usage() == Usage::vector && shape.sinks->cols() == shape.n_heads);
  if (!accept(sinks, "attention", "one sink per head")) return;
  for (const AttentionRow& row : rows) {
    if (!accept(row.blocks != nullptr && row.begin < row.end, "attention", "a row attends to nothing")) return;
  }
  do_attention(kv, layer, shape, q, rows, out);
}

bool Stream::accept_runs(const StateStore& states, uint32_t layer, uint32_t n_rows, std::span<const StateRun> runs,
                         const char* op) {
  if (!accept(layer < states.shape().layers.size(), op, "layer outside the store")) return false;
  uint64_t n = 0;
  for (const StateRun& run : runs) {
    const bool slots = (run.from == kZeroState || run.from < states.n_slots()) && run.to < states.n_slots();
    if (!accept(slots, op, "slot outside the store")) return false;
    if (!accept(!run.rows.empty(), op, "a run without rows")) return false;
    for (size_t i = 0; i < run.rows.size(); ++i) {
      const bool increasing = run.rows[i] < n_rows && (i == 0 || run.rows[i - 1] < run.rows[i]);
      if (!accept(increasing, op, "rows out of order")) return false;
    }
    n += run.rows.size();
  }
  return accept(n == n_rows, op, "every row in one run");
}

void Stream::causal_conv(StateStore& states, uint32_t layer, Mat x, const Weight& taps, std::span<const StateRun> runs,
                         Mat out) {
  if (!accept(valid(x) && valid(out) && same_shape(x, out), "causal_conv", "shapes differ")) return;
  if (!accept_runs(states, layer, x.rows, runs, "causal_conv")) return;
  const StateLayer& state = states.shape().layers[layer];
  const bool fits = state.channels == x.cols && taps.usage() == Usage::vector &&
                    uint64_t{taps.rows()} * taps.cols() == uint64_t{x.cols} * (state.n_past + 1);
  if (!accept(fits, "causal_conv", "taps or state of another shape")) return;
  do_causal_conv(states, layer, x, taps, runs, out);
}

void Stream::delta_rule(StateStore& states, uint32_t layer, const DeltaShape& shape, const DeltaInputs& in,
                        std::span<const StateRun> runs, Mat out) {
  const bool heads = shape.n_k_heads > 0 && shape.n_heads > 0 && shape.n_heads % shape.n_k_heads == 0;
  if (!accept(heads, "delta_rule", "heads of values are no multiple of those of keys")) return;
  const auto is = [&](const Mat& m, uint64_t cols) { return valid(m) && m.rows == in.q.rows && m.cols == cols; };
  const uint64_t k_cols = uint64_t{shape.n_k_heads} * shape.k_dim, v_cols = uint64_t{shape.n_heads} * shape.v_dim;
  const bool inputs = is(in.q, k_cols) && is(in.k, k_cols) && is(in.v, v_cols) && is(in.decay, shape.n_heads) &&
                      is(in.rate, shape.n_heads) && is(out, v_cols);
  if (!accept(inputs, "delta_rule", "shapes differ")) return;
  if (!accept_runs(states, layer, in.q.rows, runs, "delta_rule")) return;
  const StateLayer& state = states.shape().layers[layer];
  const bool fits = state.n_heads == shape.n_heads && state.k_dim == shape.k_dim && state.v_dim == shape.v_dim;
  if (!accept(fits, "delta_rule", "state of another shape")) return;
  do_delta_rule(states, layer, shape, in, runs, out);
}

void Stream::gather_rows(Mat x, std::span<const uint32_t> rows, Mat out) {
  if (!accept(valid(x) && valid(out) && out.rows == rows.size() && out.cols == x.cols, "gather_rows", "shapes differ"))
    return;
  for (const uint32_t row : rows) {
    if (!accept(row < x.rows, "gather_rows", "row outside x")) return;
  }
  do_gather_rows(x, rows, out);
}

void Stream::copy(Mat from, Mat to) {
  if (!accept(valid(from) && valid(to) && same_shape(from, to), "copy", "shapes differ")) return;
  do_copy(from, to);
}

void Stream::download(Mat from, std::span<float> to) {
  if (!accept(valid(from) && to.size() == uint64_t{from.rows} * from.cols, "download", "sizes differ")) return;
  do_download(from, to);
}

Status Stream::finish() {
  QUERN_CHECK(std::exchange(status_, Status{}));
  return do_finish();
}

}  // namespace quern::compute
