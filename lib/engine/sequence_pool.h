// SequencePool: which sequences of a context are in use, and what finished ones still hold for prompts that begin
// alike.
#pragma once

#include <quern/context.h>

#include <cstdint>
#include <span>
#include <vector>

namespace quern::engine {

/// Sequences share the memory of what they have in common, so those that are kept make up a tree of prefixes. Borrows
/// the context, whose sequences are its own from then on. Not thread-safe.
class SequencePool {
 public:
  /// Of `n_used_max` sequences in use at most, and `n_kept_max` finished ones.
  SequencePool(Context& context, uint32_t n_used_max, uint32_t n_kept_max);

  /// How many sequences a context needs for that.
  static uint32_t n_sequences(uint32_t n_used_max, uint32_t n_kept_max) { return n_used_max + n_kept_max; }

  struct Start {
    int32_t sequence = 0;
    uint32_t n_cached = 0;  ///< tokens of the prompt that it holds
  };
  /// Takes a sequence for a prompt and gives it as much of that as any other sequence of the scope with these adapters
  /// holds, but for the last token, whose logits are wanted. At most n_used_max may be in use.
  Result<Start> begin(std::span<const Token> prompt, const std::vector<AdapterUse>& adapters = {}, uint64_t scope = 0);
  /// Gives a sequence back; what it holds may be kept.
  void end(int32_t sequence);
  /// Forgets the kept sequence that was not used for the longest time. False if there is none.
  bool evict();
  /// Forgets the sequence, which must be in use, and frees it.
  void drop(int32_t sequence);

  uint32_t n_kept() const;
  /// Tokens that the prompt and a sequence begin with, the prompt's last one left out.
  uint32_t longest_prefix(std::span<const Token> prompt, const std::vector<AdapterUse>& adapters = {},
                          uint64_t scope = 0) const {
    return find(prompt, adapters, scope).n;
  }

 private:
  enum class State : uint8_t { free, used, kept };
  struct Place {
    State state = State::free;
    uint64_t last_use = 0;
    uint64_t scope = 0;
  };
  struct Donor {
    int32_t sequence = -1;
    uint32_t n = 0;
  };
  Donor find(std::span<const Token> prompt, const std::vector<AdapterUse>& adapters, uint64_t scope) const;
  int32_t oldest_kept(int32_t but) const;
  /// A sequence that is free, if need be made so; not `but`. -1: there is none.
  int32_t free_one(int32_t but);
  void forget(int32_t sequence);
  Place& at(int32_t sequence) { return places_[static_cast<size_t>(sequence)]; }

  Context& context_;
  uint32_t n_kept_max_;
  std::vector<Place> places_;
  uint64_t clock_ = 0;
};

/// Tokens that two texts begin with.
uint32_t common_prefix(std::span<const Token> a, std::span<const Token> b);

}  // namespace quern::engine
