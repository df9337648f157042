#include "lib/engine/sequence_pool.h"

#include <algorithm>

#include "lib/base/status.h"

namespace quern::engine {
namespace {

/// Prefixes shorter than this are not worth a fork.
constexpr uint32_t kLeastPrefix = 16;

}  // namespace

uint32_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  const auto end = a.begin() + static_cast<ptrdiff_t>(std::min(a.size(), b.size()));
  return static_cast<uint32_t>(std::mismatch(a.begin(), end, b.begin()).first - a.begin());
}

SequencePool::SequencePool(Context& context, uint32_t n_used_max, uint32_t n_kept_max)
    : context_(context), n_kept_max_(n_kept_max), places_(n_sequences(n_used_max, n_kept_max)) {}

SequencePool::Donor SequencePool::find(std::span<const Token> prompt, const std::vector<AdapterUse>& adapters,
                                       uint64_t scope) const {
  Donor best;
  for (size_t i = 0; i < places_.size(); ++i) {
    const auto sequence = static_cast<int32_t>(i);
    const auto own = context_.adapters(sequence);
    const bool same = std::equal(own.begin(), own.end(), adapters.begin(), adapters.end());
    if (places_[i].state == State::free || places_[i].scope != scope || !same) continue;
    const uint32_t n = common_prefix(context_.sequence_tokens(sequence), prompt.first(prompt.size() - 1));
    // Of equal ones a kept sequence, which may be taken over instead of copied.
    if (n > best.n || (n == best.n && n > 0 && places_[i].state == State::kept)) best = {sequence, n};
  }
  return best.n < kLeastPrefix ? Donor{} : best;
}

int32_t SequencePool::oldest_kept(int32_t but) const {
  int32_t oldest = -1;
  for (size_t i = 0; i < places_.size(); ++i) {
    const auto sequence = static_cast<int32_t>(i);
    if (places_[i].state != State::kept || sequence == but) continue;
    if (oldest < 0 || places_[i].last_use < places_[static_cast<size_t>(oldest)].last_use) oldest = sequence;
  }
  return oldest;
}

void SequencePool::forget(int32_t sequence) {
  static_cast<void>(context_.sequence_rewind(sequence, 0));  // to the start is always possible
  at(sequence).state = State::free;
}

int32_t SequencePool::free_one(int32_t but) {
  for (size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].state == State::free) return static_cast<int32_t>(i);
  }
  const int32_t oldest = oldest_kept(but);
  if (oldest >= 0) forget(oldest);
  return oldest;
}

Result<SequencePool::Start> SequencePool::begin(std::span<const Token> prompt, const std::vector<AdapterUse>& adapters,
                                                uint64_t scope) {
  const Donor donor = find(prompt, adapters, scope);
  const bool kept = donor.sequence >= 0 && at(donor.sequence).state == State::kept;
  const bool whole = kept && donor.n == context_.sequence_tokens(donor.sequence).size();
  Start start;
  start.sequence = whole ? donor.sequence : free_one(donor.sequence);
  if (start.sequence < 0 && kept) start.sequence = donor.sequence;
  QUERN_ENSURE(start.sequence >= 0, Errc::internal, "more sequences in use than the pool was made for");
  if (donor.sequence < 0) QUERN_CHECK(context_.set_adapters(start.sequence, adapters));  // it is empty
  at(start.sequence) = {State::used, ++clock_, scope};
  if (donor.sequence < 0) return start;
  if (start.sequence != donor.sequence) QUERN_CHECK(context_.sequence_fork(donor.sequence, start.sequence));
  if (kept) at(donor.sequence).last_use = clock_;
  QUERN_TRY(const int32_t n, context_.sequence_rewind(start.sequence, static_cast<int32_t>(donor.n)));
  start.n_cached = static_cast<uint32_t>(n);
  return start;
}

void SequencePool::end(int32_t sequence) {
  if (n_kept_max_ == 0 || context_.sequence_length(sequence) < kLeastPrefix) return drop(sequence);
  at(sequence) = {State::kept, ++clock_, at(sequence).scope};
  if (n_kept() > n_kept_max_) evict();
}

void SequencePool::drop(int32_t sequence) { forget(sequence); }

bool SequencePool::evict() {
  const int32_t oldest = oldest_kept(-1);
  if (oldest >= 0) forget(oldest);
  return oldest >= 0;
}

uint32_t SequencePool::n_kept() const {
  return static_cast<uint32_t>(
      std::count_if(places_.begin(), places_.end(), [](const Place& place) { return place.state == State::kept; }));
}

}  // namespace quern::engine
