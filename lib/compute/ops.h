// The verbs of the forward pass, as two abstract classes. Backend is a device: it prepares weights and owns memory.
// Stream is one thread's sequence of operations on it. Shapes are checked here, once, before a backend sees them.
//
// Reproducibility is part of the contract: a row of any result depends on that row's inputs alone, bit for bit,
// whatever other rows share the call and however many threads work on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/state.h"
#include "lib/tensor/view.h"

namespace quern::compute {

/// Device memory for activations. A backend's own class.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual uint64_t size_bytes() const = 0;
  virtual float* host() = 0;  ///< nullptr where the host cannot address it.
};

/// A float32 matrix in a buffer: one row per token. Non-owning.
struct Mat {
  Buffer* buffer = nullptr;
  uint64_t offset = 0;  ///< In floats.
  uint32_t rows = 0, cols = 0;
  uint32_t stride = 0;  ///< Floats from one row to the next, >= cols.

  float* row(uint32_t r) const { return buffer->host() + offset + uint64_t{r} * stride; }
  /// Columns [begin, begin + count) of every row.
  Mat columns(uint32_t begin, uint32_t count) const { return {buffer, offset + begin, rows, count, stride}; }
  /// Rows [begin, begin + count).
  Mat slice(uint32_t begin, uint32_t count) const {
    return {buffer, offset + uint64_t{begin} * stride, count, cols, stride};
  }
};

/// What a weight is prepared for.
enum class Usage {
  matmul,            ///< left side of Stream::matmul: repacked for the device
  matmul_in_source,  ///< the same, read from the source each time: slower, takes no memory; same results, bit for bit
  gather,            ///< Stream::embed: rows are read one by one; may keep pointing into the source
  vector,            ///< norm weights and biases: one float32 row
};

/// A tensor prepared for a device. Immutable, shared by streams.
class Weight {
 public:
  Weight(tensor::DType type, uint32_t rows, uint32_t cols, Usage usage)
      : type_(type), rows_(rows), cols_(cols), usage_(usage) {}
  virtual ~Weight() = default;
  virtual uint64_t size_bytes() const = 0;  ///< Memory beyond the source file's mapping.

  tensor::DType type() const { return type_; }
  uint32_t rows() const { return rows_; }  ///< output features
  uint32_t cols() const { return cols_; }  ///< input features
  Usage usage() const { return usage_; }
  bool multiplies() const { return usage_ == Usage::matmul || usage_ == Usage::matmul_in_source; }

 private:
  tensor::DType type_;
  uint32_t rows_, cols_;
  Usage usage_;
};

enum class KvType : uint32_t { f32 = 0, f16 = 1, q4_0 = 2, q8_0 = 8 };

/// One layer's share of a cached token.
struct KvLayer {
  uint32_t n_heads = 0;  ///< key-value heads
  uint32_t k_dim = 0;    ///< floats of one key
  uint32_t v_dim = 0;    ///< floats of one value
};

struct KvShape {
  std::vector<KvLayer> layers;
  KvType type_k = KvType::f16, type_v = KvType::f16;
  /// Around attention the activations are rounded to 8 bits anyway, so f16 may be kept as integers of 14 bits with a
  /// scale for every 32 of them, where that is faster.
  bool rounded = false;
};

/// Tokens of one cache block; a slot is block * kKvBlockTokens + index in the block. Attention combines keys in groups
/// of this size, in the order of the block table, so the value is part of the results.
inline constexpr uint32_t kKvBlockTokens = 32;

/// Paged storage of keys and values for all layers. Which block belongs to whom is the context's business; how a block
/// is laid out is the backend's.
class KvStore {
 public:
  virtual ~KvStore() = default;
  virtual uint32_t n_blocks() const = 0;
  /// Grows to at least `n_blocks`; existing blocks keep their contents. Errc::memory if there is no room.
  virtual Status grow(uint32_t n_blocks) = 0;
  virtual uint64_t block_bytes() const = 0;  ///< of one block, all layers
  virtual void copy_block(uint32_t from, uint32_t to) = 0;
  virtual void move_slot(uint32_t from, uint32_t to) = 0;
  /// out: block_bytes(). What is not of the tokens [begin, end) of the block comes out as zeros.
  virtual void read_block(uint32_t block, uint32_t begin, uint32_t end, std::span<std::byte> out) const = 0;
  virtual void write_block(uint32_t block, std::span<const std::byte> in) = 0;
  /// Identifies the layout of the bytes of read_block(): equal only where they can be exchanged.
  virtual std::string layout() const = 0;
};

/// Which cached tokens one query row attends to: entries [begin, end) of its sequence, in the order of the block table.
/// Causality and sliding windows are expressed by the range alone.
struct AttentionRow {
  /// The sequence's block table. Entries of blocks that no row of the call sees into are not read.
  const uint32_t* blocks = nullptr;
  uint32_t begin = 0, end = 0;  ///< begin < end
};

struct AttentionShape {
  uint32_t n_heads = 0;  ///< query heads; a multiple of n_kv_heads
  uint32_t n_kv_heads = 0;
  uint32_t k_dim = 0, v_dim = 0;
  float scale = 1;    ///< of the scores
  float softcap = 0;  ///< c * tanh(score / c) where > 0
  /// One number per query head, [1, n_heads], Usage::vector: the score of a key that is always there and whose value is
  /// zero. Or none.
  const Weight* sinks = nullptr;
};

/// How rotary embedding pairs the elements of a head: (2i, 2i+1) or (i, i + n_rot/2).
enum class RopePairs { interleaved, halves };

/// Gated units, f(gate) * up with f one of
enum class Glu {
  silu,          ///< g * sigmoid(g)
  gelu,          ///< g / 2 * (1 + tanh(sqrt(2 / pi) * (g + 0.044715 g^3)))
  clipped_silu,  ///< with g at most 7 and up within -7 ... 7: g * sigmoid(1.702 g) * (up + 1)
  sigmoid,       ///< sigmoid(g)
};

/// How a token's experts are chosen: those with the highest scores, the first of equal ones. Softmax is taken before
/// the choice, over all experts, or after it, over those chosen. Sigmoid and softmax turn scores into weights.
enum class Gating { softmax, sigmoid, softmax_of_chosen };
struct Routing {
  Gating gating = Gating::softmax;
  bool normalize = false;  ///< weights of a row are divided by their sum, or by 2^-14 where that is larger
  float scale = 1;         ///< of the weights, after all else
  /// Added to the weights for the choice alone; [1, experts], Usage::vector, or none.
  const Weight* choice_bias = nullptr;
  /// Experts come in groups of neighbours. Only those in the n_groups_used groups with the highest sums of the two
  /// highest (biased) weights are chosen from.
  uint32_t n_groups = 1, n_groups_used = 1;
};

/// What the delta rule works on, a row per token.
struct DeltaInputs {
  Mat q, k, v, decay, rate;
};

/// One output of a group of products that share their input.
struct MatmulTarget {
  const Weight* weight = nullptr;  ///< [out.cols, x.cols], prepared for matmul
  const Weight* bias = nullptr;    ///< added to each row where given; [1, out.cols], Usage::vector
  Mat out;                         ///< [x.rows, weight.rows]
};

/// The same with experts.
struct ExpertTarget {
  std::span<const std::unique_ptr<Weight>> weights;  ///< one per expert, all of one shape, prepared for matmul
  std::span<const std::unique_ptr<Weight>> biases;   ///< one per expert, or none
  Mat out;                                           ///< [experts.rows * experts.cols, rows of a weight]
};

/// What a product multiplies, as an observer sees it: one row per token. Valid during the call.
struct MatmulInput {
  const float* data = nullptr;
  uint32_t rows = 0, cols = 0;
  uint64_t stride = 0;  ///< Floats from one row to the next.

  const float* row(uint32_t r) const { return data + r * stride; }
};

/// Which row of the input goes to which expert.
struct ExpertRow {
  uint32_t row = 0, expert = 0;
};

/// Sees the inputs of the products of a stream: for statistics of a model's activations (importance matrices, GPTQ).
class MatmulObserver {
 public:
  virtual ~MatmulObserver() = default;
  /// Before each product, in the order of the operations, on the stream's thread. The targets share the input.
  virtual void observe(const MatmulInput& x, std::span<const MatmulTarget> targets) = 0;
  /// The same for products of experts; `rows` in the order of the tokens.
  virtual void observe_experts(const MatmulInput& x, std::span<const ExpertRow> rows,
                               std::span<const ExpertTarget> targets) = 0;
};

class Stream;

/// Adds to the results of the products of a stream, and to the rows that are looked up: low-rank adapters.
class MatmulAddition {
 public:
  virtual ~MatmulAddition() = default;
  /// After each product, whose results the targets hold. Operations that it issues are not added to, nor observed.
  virtual Status add(Stream& stream, Mat x, std::span<const MatmulTarget> targets) = 0;
  virtual Status add_experts(Stream& stream, Mat x, Mat experts, std::span<const ExpertTarget> targets) = 0;
  virtual Status add_rows(Stream& stream, const Weight& table, std::span<const int32_t> ids, Mat out) = 0;
};

/// A sequence of operations that one thread issues; they take effect in order. The first misuse or device failure is
/// kept and returned by finish(); later operations are skipped. Not thread-safe; streams of one Backend may run at
/// once.
class Stream {
 public:
  virtual ~Stream() = default;

  void upload(std::span<const float> from, Mat to);  ///< from: rows * cols, dense
  void embed(const Weight& table, std::span<const int32_t> ids, Mat out);
  /// out = x / rms(x) * w per row, rms(x) = sqrt(mean(x^2) + eps). out may be x.
  void rms_norm(Mat x, const Weight& weight, float eps, Mat out);
  void rms_norm(Mat x, float eps, Mat out);  ///< with a weight of ones
  /// out = (x - m) / sqrt(mean((x - m)^2) + eps) * w (+ bias) per row, m = mean(x). out may be x.
  void layer_norm(Mat x, const Weight& weight, const Weight* bias, float eps, Mat out);
  /// Every head of `head_dim` elements is divided by its length, sqrt(sum(x^2)), or by eps where that is larger.
  void l2_norm(Mat x, uint32_t head_dim, float eps);
  /// target.out = x * weight^T (+ bias) for each target.
  void matmul(Mat x, std::span<const MatmulTarget> targets);
  void matmul(Mat x, const Weight& weight, Mat out) {
    const MatmulTarget target{&weight, nullptr, out};
    matmul(x, {&target, 1});
  }
  void add(Mat x, Mat y);  ///< x += y
  /// Rotates the first n_rot elements of every head of `head_dim` elements. cos_sin: [x.rows, n_rot]: for each row the
  /// n_rot/2 cosines, then the sines. With `first` the elements [first, first + n_rot) of every head.
  void rope(Mat x, uint32_t head_dim, uint32_t n_rot, RopePairs pairs, Mat cos_sin, uint32_t first = 0);
  void glu(Glu kind, Mat gate, Mat up, Mat out);  ///< out may be gate or up
  void gelu(Mat x);                               ///< x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
  void scale(Mat x, float factor);                ///< x *= factor
  void scale_rows(Mat x, Mat factors);            ///< row r of x *= factors[r][0]
  void softcap(Mat x, float cap);                 ///< x = cap * tanh(x / cap), cap > 0
  void sigmoid(Mat x);                            ///< x = 1 / (1 + exp(-x))
  /// x = exp(rate * ln(1 + exp(x + bias))), a rate and a bias for each column
  void decay(Mat x, const Weight& rate, const Weight& bias);
  /// Chooses experts.cols experts for each row by its scores [n, experts]. experts: their numbers, as floats; weights,
  /// of the same shape: how much each counts. Both in the order of falling scores.
  void route(Mat scores, const Routing& routing, Mat experts, Mat weights);
  /// For row r of `experts` and its j-th column, with i = r * experts.cols + j: row i of target.out = the product of
  /// expert experts[r][j] and row r of x, or row i where x has as many rows as target.out. `experts` is from route().
  void matmul_experts(Mat x, Mat experts, std::span<const ExpertTarget> targets);
  /// Row r of out = the sum over j of weights[r][j] * (row r * weights.cols + j of parts), from j = 0 on.
  void combine(Mat parts, Mat weights, Mat out);
  /// Stores each row of k [n, n_heads * k_dim] and v [n, n_heads * v_dim] in its slot.
  void kv_store(KvStore& kv, uint32_t layer, Mat k, Mat v, std::span<const uint32_t> slots);
  /// out [n, n_heads * v_dim] = softmax(scale * q k^T) v over each row's range, q [n, n_heads * k_dim].
  void attention(KvStore& kv, uint32_t layer, const AttentionShape& shape, Mat q, std::span<const AttentionRow> rows,
                 Mat out);
  /// Along each sequence, in every column c on its own: out_t = silu(sum over j of taps[c][j] * x_(t - n + 1 + j)),
  /// with zeros before the first token. taps: [channels, n], Usage::vector; the store has n - 1 tokens. Every row is in
  /// one run. out is not x.
  void causal_conv(StateStore& states, uint32_t layer, Mat x, const Weight& taps, std::span<const StateRun> runs,
                   Mat out);
  /// The gated delta rule (Yang et al. 2024, arXiv 2412.06464). Along each sequence, for each head with its matrix S
  /// [k_dim, v_dim], its decay a and its rate b:
  ///   S_t = a S_(t-1) + k_t (b (v_t - a S_(t-1)^T k_t))^T,  out_t = scale * S_t^T q_t
  /// q and k: [n, n_k_heads * k_dim], v and out: [n, n_heads * v_dim], decay and rate: [n, n_heads]. Every row is in
  /// one run. out may be v.
  void delta_rule(StateStore& states, uint32_t layer, const DeltaShape& shape, const DeltaInputs& in,
                  std::span<const StateRun> runs, Mat out);
  void gather_rows(Mat x, std::span<const uint32_t> rows, Mat out);
  void copy(Mat from, Mat to);
  void download(Mat from, std::span<float> to);  ///< to: rows * cols, dense; valid after finish()

  /// Waits for everything issued so far.
  Status finish();

  /// `observer` sees every product from now on; nullptr for none. Borrowed. Results stay the same, bit for bit.
  void set_observer(MatmulObserver* observer) { observer_ = observer; }
  bool observed() const { return observer_ != nullptr; }
  /// `addition` adds to every product from now on; nullptr for none. Borrowed.
  void set_addition(MatmulAddition* addition) { addition_ = addition; }

 protected:
  virtual void do_upload(std::span<const float> from, Mat to) = 0;
  virtual void do_embed(const Weight& table, std::span<const int32_t> ids, Mat out) = 0;
  virtual void do_rms_norm(Mat x, const Weight* weight, float eps, Mat out) = 0;  ///< nullptr: a weight of ones
  virtual void do_layer_norm(Mat x, const Weight& weight, const Weight* bias, float eps, Mat out) = 0;
  virtual void do_l2_norm(Mat x, uint32_t head_dim, float eps) = 0;
  virtual void do_matmul(Mat x, std::span<const MatmulTarget> targets) = 0;
  virtual void do_add(Mat x, Mat y) = 0;
  /// x begins at the first rotated element of its first row.
  virtual void do_rope(Mat x, uint32_t head_dim, uint32_t n_rot, RopePairs pairs, Mat cos_sin) = 0;
  virtual void do_glu(Glu kind, Mat gate, Mat up, Mat out) = 0;
  virtual void do_gelu(Mat x) = 0;
  virtual void do_scale(Mat x, float factor) = 0;
  virtual void do_scale_rows(Mat x, Mat factors) = 0;
  virtual void do_softcap(Mat x, float cap) = 0;
  virtual void do_sigmoid(Mat x) = 0;
  virtual void do_decay(Mat x, const Weight& rate, const Weight& bias) = 0;
  virtual void do_route(Mat scores, const Routing& routing, Mat experts, Mat weights) = 0;
  virtual void do_matmul_experts(Mat x, Mat experts, std::span<const ExpertTarget> targets) = 0;
  virtual void do_combine(Mat parts, Mat weights, Mat out) = 0;
  virtual void do_kv_store(KvStore& kv, uint32_t layer, Mat k, Mat v, std::span<const uint32_t> slots) = 0;
  virtual void do_attention(KvStore& kv, uint32_t layer, const AttentionShape& shape, Mat q,
                            std::span<const AttentionRow> rows, Mat out) = 0;
  virtual void do_causal_conv(StateStore& states, uint32_t layer, Mat x, const Weight& taps,
                              std::span<const StateRun> runs, Mat out) = 0;
  virtual void do_delta_rule(StateStore& states, uint32_t layer, const DeltaShape& shape, const DeltaInputs& in,
                             std::span<const StateRun> runs, Mat out) = 0;
  virtual void do_gather_rows(Mat x, std::span<const uint32_t> rows, Mat out) = 0;
  virtual void do_copy(Mat from, Mat to) = 0;
  virtual void do_download(Mat from, std::span<float> to) = 0;
  virtual Status do_finish() = 0;

  void fail_with(Error error);  ///< keeps the first error

 private:
  bool accept(bool condition, const char* op, const char* what);
  bool accept_runs(const StateStore& states, uint32_t layer, uint32_t n_rows, std::span<const StateRun> runs,
                   const char* op);
  bool accept_experts(const ExpertTarget& target, Mat x, uint64_t n_out);
  Result<MatmulInput> on_host(Mat x, std::vector<float>& copy);
  void show(Mat x, std::span<const MatmulTarget> targets);
  void show_experts(Mat x, Mat experts, std::span<const ExpertTarget> targets);
  template <class F>
  void add_with(F&& f);
  Status status_;
  MatmulObserver* observer_ = nullptr;
  MatmulAddition* addition_ = nullptr;
};

/// A device. Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string description() const = 0;  ///< e.g. "cpu (AVX3_ZEN4)"
  /// Errc::unsupported, naming the type, where this device cannot use it so. The view's memory must outlive the Weight.
  virtual Result<std::unique_ptr<Weight>> prepare(const tensor::TensorView& source, Usage usage) = 0;
  /// What size_bytes() of a prepared weight would say; the error of prepare() for a type that this device cannot use
  /// so.
  virtual Result<uint64_t> weight_bytes(const tensor::TensorView& source, Usage usage) const = 0;
  virtual Result<std::unique_ptr<Buffer>> allocate(uint64_t n_floats) = 0;
  virtual Result<std::unique_ptr<KvStore>> make_kv_store(const KvShape& shape) = 0;
  virtual Result<std::unique_ptr<StateStore>> make_state_store(const StateShape& shape) = 0;
  virtual Result<std::unique_ptr<Stream>> make_stream() = 0;
};

}  // namespace quern::compute
