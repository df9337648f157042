// Importance matrices: which input columns of a model's weights matter, measured on a text. Quantization to few bits
// comes out better with one.
#pragma once

#include <quern/callbacks.h>
#include <quern/model.h>
#include <quern/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

enum class ImatrixFormat : int32_t {
  gguf = 0,  ///< What llama-imatrix writes.
  dat = 1,   ///< Its older form, and ik_llama.cpp's.
};

struct ImatrixOptions {
  uint32_t n_ctx = 512;    ///< Tokens of a chunk; each is read on its own.
  uint32_t n_batch = 512;  ///< Tokens of one pass. Without effect on the result.
  uint32_t first_chunk = 0;
  int32_t max_chunks = -1;      ///< -1: all whole chunks of the text.
  bool process_output = false;  ///< Also the weight that makes the logits. Takes longer; seldom of use.
  std::string dataset{};        ///< What the text is called in the file.
  /// After each chunk, with how many of this call's have been added. The matrix may be looked at and saved.
  std::function<void(uint32_t)> on_chunk{};
  ProgressFn progress{};  ///< Stage "imatrix", in tokens.
  CancelToken cancel{};
};

/// What the columns of one weight look like: of the means of their squares. NaN stands for what has no meaning, such as
/// a similarity where there is no layer before.
struct ImatrixTensor {
  std::string name;
  int32_t layer = -1;     ///< -1: of no layer.
  uint64_t n_values = 0;  ///< Columns, of all experts.
  double sum = 0, min = 0, max = 0, mean = 0, stddev = 0;
  double active = 0;              ///< Share of the columns above 1e-5.
  double entropy = 0;             ///< Of the distribution over the columns, in bits.
  double normalized_entropy = 0;  ///< 1 where all columns are alike.
  double zd_score = 0;            ///< Share of the columns more than one standard deviation above the mean.
  double cosine = 0;              ///< Similarity to the same weight in the layer before.
};

/// The same of a layer: means over its weights, each as heavy as it has columns.
struct ImatrixLayer {
  int32_t layer = 0;
  double sum = 0, zd_score = 0, cosine = 0;
};

/// Not thread-safe.
class Imatrix {
 public:
  Imatrix();  ///< Empty: for collect() and merge().
  /// Opens a file of either format.
  static Result<Imatrix> open(const std::string& path);
  Imatrix(Imatrix&&) noexcept;
  Imatrix& operator=(Imatrix&&) noexcept;
  ~Imatrix();

  /// Adds what the model's weights are multiplied with while it reads a text, in chunks of n_ctx tokens whose first is
  /// replaced by BOS where the model adds one. The result does not depend on n_batch or on threads, to the bit. On an
  /// error, Errc::cancelled included, the chunks before it have been added. Errc::argument if the text is too short.
  Status collect(const Model& model, std::span<const Token> tokens, const ImatrixOptions& options = {});
  /// Adds another matrix: as if both texts had been read. On an error nothing has changed.
  Status merge(const Imatrix& other);
  /// Whole or not at all: on an error the file is as it was.
  Status save(const std::string& path, ImatrixFormat format = ImatrixFormat::gguf) const;

  uint32_t n_chunks() const;
  uint32_t chunk_size() const;  ///< In tokens.
  const std::vector<std::string>& datasets() const;
  size_t n_tensors() const;
  /// The mean squares for one weight, by its name in the model file; empty if there are none.
  std::vector<float> weights(std::string_view tensor) const;

  /// By layer, then by name.
  std::vector<ImatrixTensor> statistics() const;
  std::vector<ImatrixLayer> layer_statistics() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }  ///< For the library itself.

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern
