// Random numbers that are the same on every platform: xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom
// number generators", 2018), its state filled by SplitMix64. Not for secrets.
//
// std:: distributions are left out on purpose: the standard does not fix what they draw from a given generator.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace quern::base {

/// The finalizer of SplitMix64: a bijection of 64-bit words; 0 maps to 0.
constexpr uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// SplitMix64: a walk by the golden ratio, mixed. Good for filling other generators' states.
class SplitMix64 {
 public:
  constexpr explicit SplitMix64(uint64_t seed) : state_(seed) {}
  constexpr uint64_t next() { return mix64(state_ += 0x9E3779B97F4A7C15u); }

 private:
  uint64_t state_;
};

/// xoshiro256**, period 2^256 - 1. A value: copy it to save the place in the sequence.
class Rng {
 public:
  using State = std::array<uint64_t, 4>;

  /// Streams of one seed are unrelated sequences, for users that must not disturb each other.
  constexpr explicit Rng(uint64_t seed, uint64_t stream = 0) {
    SplitMix64 fill(seed ^ mix64(stream));
    for (auto& word : state_) word = fill.next();
  }
  /// Goes on from a known state, which must not be all zeros.
  constexpr explicit Rng(const State& state) : state_(state) {}
  constexpr const State& state() const { return state_; }

  /// 64 uniform bits.
  constexpr uint64_t next() {
    const uint64_t out = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return out;
  }

  /// Uniform in [0, 1): a multiple of 2^-53.
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  State state_{};
};

/// 64 bits that differ from call to call and from process to process: the system's entropy, mixed with the clock in
/// case it has none to give.
uint64_t random_bits();

}  // namespace quern::base
