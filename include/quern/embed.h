// Embedder: texts to vectors whose directions tell how near the texts are in meaning.
#pragma once

#include <quern/adapter.h>
#include <quern/callbacks.h>
#include <quern/model.h>
#include <quern/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// How the vectors of a text's tokens become the text's. The numbers are those of the files' key pooling_type.
enum class Pooling : int32_t {
  from_model = -1,  ///< What the file says; `none` where it says nothing.
  none = 0,         ///< They stay one per token.
  mean = 1,
  cls = 2,  ///< The first token's.
  last = 3,
  rank = 4,  ///< Scores of rerankers; not supported.
};

struct EmbedderOptions {
  Pooling pooling = Pooling::from_model;
  /// What a vector is divided by: -1: nothing; 0: its largest magnitude, to 32760; 1: the sum of its magnitudes; 2: its
  /// Euclidean length; p > 2: its p-norm.
  int32_t normalize = 2;
  /// Tokens of one pass through the model, and so of the longest text. 0: the model's training context. Memory is taken
  /// for the texts that come.
  uint32_t n_batch = 0;
  std::vector<AdapterUse> adapters{};  ///< What the model is run with.
};

struct EmbedOptions {
  ProgressFn progress{};  ///< Stage "embed", in tokens, after each pass.
  CancelToken cancel{};   ///< Checked at least once per layer.
};

/// One text's vectors: one, or with Pooling::none one for each of its tokens.
struct Embedding {
  std::vector<float> values;  ///< [n_rows, n_embd]
  size_t n_rows = 0, n_embd = 0;
  size_t n_tokens = 0;
  std::span<const float> row(size_t i = 0) const { return std::span(values).subspan(i * n_embd, n_embd); }
};

/// Makes embeddings: with encoders (BERT, EmbeddingGemma, ...), or of what a language model's last layer holds. Keeps
/// its Model alive. Not thread-safe: one thread at a time; several Embedders of one Model may run at once. A text's
/// vector does not depend on the texts beside it, nor on threads, to the bit.
class Embedder {
 public:
  static Result<Embedder> create(const Model& model, const EmbedderOptions& options = {});
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  ~Embedder();

  /// One embedding per text. The tokens that the model wants around a text are added; control tokens written out in it
  /// are read as such. Errc::argument for a text without tokens, or with more than n_batch().
  Result<std::vector<Embedding>> embed(std::span<const std::string> texts, const EmbedOptions& options = {});
  /// The same for tokens, which are taken as they are.
  Result<std::vector<Embedding>> embed(std::span<const std::vector<Token>> texts, const EmbedOptions& options = {});
  /// A single text. (Not a third embed(): two literals in braces would be taken for a string's begin and end.)
  Result<Embedding> embed_one(std::string_view text, const EmbedOptions& options = {});

  Pooling pooling() const;   ///< Never from_model.
  size_t n_embd() const;     ///< Length of a vector.
  uint32_t n_batch() const;  ///< Tokens of the longest text.
  const Model& model() const;

 private:
  struct Impl;
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The cosine of the angle between two vectors of one length; 0 where one of them is zero.
double cosine_similarity(std::span<const float> a, std::span<const float> b);

}  // namespace quern
