// Context: the key-value cache of one or more sequences over a Model, and the forward pass.
#pragma once

#include <quern/adapter.h>
#include <quern/callbacks.h>
#include <quern/model.h>
#include <quern/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace quern {

/// Element type of cached keys and values. q8_0 and q4_0 take 8.5 and 4.5 bits.
enum class CacheType : int32_t { f32 = 0, f16 = 1, q4_0 = 2, q8_0 = 8 };

struct ContextOptions {
  /// Cached tokens, all sequences together; memory is taken as they come. 0: the model's training context.
  uint32_t n_ctx = 0;
  uint32_t n_batch = 512;  ///< Tokens of one pass through the model; decode() splits longer batches.
  uint32_t n_seq_max = 1;  ///< Sequence ids are 0 ... n_seq_max-1.
  CacheType type_k = CacheType::f16;
  CacheType type_v = CacheType::f16;
  /// Of one sequence; the oldest goes first. Points that a sequence can go back to although layers with a sliding
  /// window, or recurrent ones, have forgotten what they saw there: the end of each decode() that brought it several
  /// tokens, and one every 8192 tokens. A checkpoint takes the memory of one window, less what it shares, or of one
  /// state; of states there are at most as many as 512 MiB hold, and two. Models without such layers need none.
  uint32_t n_checkpoints = 32;
  std::vector<AdapterUse> adapters{};  ///< Of every sequence, until set_adapters() says otherwise.
};

/// One token of a batch.
struct BatchToken {
  Token token = 0;
  int32_t position = 0;  ///< Must exceed every position that its sequence already holds.
  int32_t sequence = 0;
  bool logits = false;  ///< Compute this row's logits.
};

struct DecodeOptions {
  ProgressFn progress{};  ///< Stage "prefill", in tokens, after each pass.
  CancelToken cancel{};   ///< Checked at least once per layer.
};

/// Keeps its Model alive. Not thread-safe: one thread at a time; several Contexts of one Model may run at once.
/// A row's logits depend on its sequence alone: not on the batch it came in, nor on threads, nor on the other
/// sequences.
class Context {
 public:
  static Result<Context> create(const Model& model, const ContextOptions& options = {});
  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;
  ~Context();

  /// Runs the tokens and appends them to their sequences. On any error (Errc::context_full, cancelled, argument) the
  /// sequences are as they were before the call.
  Status decode(std::span<const BatchToken> batch, const DecodeOptions& options = {});

  /// Appends tokens to one sequence at its next positions; logits of the last one, or of all.
  Status append(std::span<const Token> tokens, int32_t sequence = 0, bool all_logits = false,
                const DecodeOptions& options = {});

  /// Logits [n_vocab] of the i-th row of the last decode() that asked for them. Valid until the next decode().
  std::span<const float> logits(size_t i) const;
  size_t n_logits() const;
  /// Logits of the last such row.
  std::span<const float> last_logits() const;
  /// All of them, [n_logits, n_vocab], not copied: they stay as they are while somebody holds them, whatever becomes of
  /// the Context, whose next decode() then takes new memory. Never null.
  std::shared_ptr<const std::vector<float>> share_logits() const;

  /// Tokens that a sequence holds, and the position that follows its last one.
  uint32_t sequence_length(int32_t sequence) const;
  int32_t next_position(int32_t sequence) const;
  /// The tokens of a sequence, in the order of their positions. Valid until the sequence changes.
  std::span<const Token> sequence_tokens(int32_t sequence) const;
  /// Forgets the tokens of a sequence at positions [from, to); to < 0 means the end. Later positions stay as they are.
  /// Errc::unsupported where the sequence would then end at a position that it cannot go back to: see
  /// sequence_rewind().
  Status sequence_remove(int32_t sequence, int32_t from, int32_t to = -1);
  /// Goes back to `position`, or as close before it as the model's memory allows: forgets everything from the position
  /// that is returned, from which the caller decodes again. That is `position`, or the sequence's end if that comes
  /// first, for models whose layers all see the whole sequence. Layers with a sliding window forget: there, the last 64
  /// positions and the checkpoints (ContextOptions) can be gone back to, and with recurrent layers the checkpoints
  /// alone; otherwise the result is 0, and the sequence empty.
  Result<int32_t> sequence_rewind(int32_t sequence, int32_t position);
  /// Forgets every sequence but this one.
  Status sequence_keep(int32_t sequence);
  /// Makes `to` a copy of `from`, sharing memory until they diverge.
  Status sequence_fork(int32_t from, int32_t to);
  void clear();

  /// What the sequence's tokens are computed with from now on: adapters of this model, added in this order; none for
  /// the model as it is. Errc::argument where the sequence has tokens, unless these adapters are those it has already.
  /// Sequences with different adapters may share a batch. Adapters stay when a sequence is emptied; copies get them.
  Status set_adapters(int32_t sequence, const std::vector<AdapterUse>& adapters);
  /// Valid until they are set again.
  std::span<const AdapterUse> adapters(int32_t sequence) const;

  /// The state of one sequence as bytes, for restore into a Context of the same model, cache types and backend, and a
  /// sequence with the same adapters.
  Result<std::vector<std::byte>> sequence_save(int32_t sequence) const;
  Status sequence_restore(int32_t sequence, std::span<const std::byte> state);

  uint32_t n_ctx() const;
  uint32_t n_used() const;       ///< Cached tokens in use.
  uint64_t cache_bytes() const;  ///< Memory that the cache takes at present.
  const Model& model() const;

 private:
  struct Impl;
  explicit Context(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern
