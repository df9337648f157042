#include <quern/context.h>

#include <algorithm>

#include "lib/engine/api/impl.h"
#include "lib/engine/sequence_bytes.h"

namespace quern {

Context::Context(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;
Context::~Context() = default;

namespace {

Status check_sequence(const context::Context& inner, int32_t sequence) {
  QUERN_ENSURE(sequence >= 0 && static_cast<uint32_t>(sequence) < inner.n_seq_max(), Errc::argument, "sequence ",
               sequence, " is outside 0 ... ", inner.n_seq_max() - 1);
  return {};
}

bool has_sequence(const context::Context& inner, int32_t sequence) {
  return sequence >= 0 && static_cast<uint32_t>(sequence) < inner.n_seq_max();
}

}  // namespace

Result<Context> Context::create(const Model& model, const ContextOptions& options) {
  return engine::guarded([&]() -> Result<Context> {
    auto impl = std::make_unique<Impl>();
    impl->model = model;
    QUERN_TRY(impl->inner, context::Context::create(*model.impl().loaded, options));
    impl->tokens.resize(impl->inner->n_seq_max());
    impl->adapters.resize(impl->inner->n_seq_max());
    Context context(std::move(impl));
    for (int32_t s = 0; !options.adapters.empty() && s < static_cast<int32_t>(options.n_seq_max); ++s)
      QUERN_CHECK(context.set_adapters(s, options.adapters));
    return context;
  });
}

Status Context::decode(std::span<const BatchToken> batch, const DecodeOptions& options) {
  return engine::guarded([&]() -> Status {
    // Room first: after the decoding nothing may fail.
    for (const BatchToken& entry : batch) {
      if (!has_sequence(*impl_->inner, entry.sequence)) break;  // decode() refuses it
      auto& tokens = impl_->tokens[static_cast<size_t>(entry.sequence)];
      const size_t needed = tokens.size() + batch.size();
      if (tokens.capacity() < needed) tokens.reserve(std::max(needed, 2 * tokens.capacity()));
    }
    QUERN_CHECK(impl_->inner->decode(batch, options));
    for (const BatchToken& entry : batch) impl_->tokens[static_cast<size_t>(entry.sequence)].push_back(entry.token);
    return {};
  });
}

Status Context::append(std::span<const Token> tokens, int32_t sequence, bool all_logits, const DecodeOptions& options) {
  return engine::guarded([&]() -> Status {
    QUERN_CHECK(check_sequence(*impl_->inner, sequence));
    int32_t position = next_position(sequence);
    std::vector<BatchToken> batch;
    batch.reserve(tokens.size());
    for (const Token token : tokens) batch.push_back({token, position++, sequence, all_logits});
    if (!batch.empty()) batch.back().logits = true;
    return decode(batch, options);
  });
}

std::span<const float> Context::logits(size_t i) const {
  return i < impl_->inner->n_logits() ? impl_->inner->logits(i) : std::span<const float>();
}

size_t Context::n_logits() const { return impl_->inner->n_logits(); }

std::span<const float> Context::last_logits() const {
  return n_logits() > 0 ? logits(n_logits() - 1) : std::span<const float>();
}

std::shared_ptr<const std::vector<float>> Context::share_logits() const {
  return n_logits() > 0 ? impl_->inner->share_logits() : std::make_shared<const std::vector<float>>();
}

uint32_t Context::sequence_length(int32_t sequence) const {
  return has_sequence(*impl_->inner, sequence) ? impl_->inner->sequence(sequence).size() : 0;
}

int32_t Context::next_position(int32_t sequence) const {
  return has_sequence(*impl_->inner, sequence) ? impl_->inner->sequence(sequence).next_position() : 0;
}

std::span<const Token> Context::sequence_tokens(int32_t sequence) const {
  return has_sequence(*impl_->inner, sequence) ? impl_->tokens[static_cast<size_t>(sequence)]
                                               : std::span<const Token>();
}

Status Context::sequence_remove(int32_t sequence, int32_t from, int32_t to) {
  return engine::guarded([&]() -> Status {
    QUERN_CHECK(check_sequence(*impl_->inner, sequence));
    const auto positions = impl_->inner->sequence(sequence).positions();
    const auto cell = [&](int32_t position) {
      return std::lower_bound(positions.begin(), positions.end(), position) - positions.begin();
    };
    const auto begin = cell(from), end = to < 0 ? static_cast<std::ptrdiff_t>(positions.size()) : cell(to);
    QUERN_CHECK(impl_->inner->remove(sequence, from, to));
    auto& tokens = impl_->tokens[static_cast<size_t>(sequence)];
    if (begin < end) tokens.erase(tokens.begin() + begin, tokens.begin() + end);
    return {};
  });
}

Result<int32_t> Context::sequence_rewind(int32_t sequence, int32_t position) {
  return engine::guarded([&]() -> Result<int32_t> {
    QUERN_TRY(const int32_t reached, impl_->inner->rewind(sequence, position));
    impl_->tokens[static_cast<size_t>(sequence)].resize(impl_->inner->sequence(sequence).size());
    return reached;
  });
}

Status Context::sequence_keep(int32_t sequence) {
  return engine::guarded([&]() -> Status {
    QUERN_CHECK(impl_->inner->keep(sequence));
    for (size_t s = 0; s < impl_->tokens.size(); ++s) {
      if (s != static_cast<size_t>(sequence)) impl_->tokens[s].clear();
    }
    return {};
  });
}

Status Context::sequence_fork(int32_t from, int32_t to) {
  return engine::guarded([&]() -> Status {
    QUERN_CHECK(check_sequence(*impl_->inner, from));
    QUERN_CHECK(check_sequence(*impl_->inner, to));
    if (from == to) return {};
    auto tokens = impl_->tokens[static_cast<size_t>(from)];
    auto adapters = impl_->adapters[static_cast<size_t>(from)];
    QUERN_CHECK(impl_->inner->fork(from, to));
    impl_->adapters[static_cast<size_t>(to)] = std::move(adapters);
    impl_->tokens[static_cast<size_t>(to)] = std::move(tokens);
    return {};
  });
}

void Context::clear() {
  impl_->inner->clear();
  for (auto& tokens : impl_->tokens) tokens.clear();
}

Status Context::set_adapters(int32_t sequence, const std::vector<AdapterUse>& adapters) {
  return engine::guarded([&]() -> Status {
    auto kept = adapters;
    QUERN_CHECK(impl_->inner->set_adapters(sequence, engine::inner_adapters(adapters)));
    impl_->adapters[static_cast<size_t>(sequence)] = std::move(kept);
    return {};
  });
}

std::span<const AdapterUse> Context::adapters(int32_t sequence) const {
  return has_sequence(*impl_->inner, sequence) ? impl_->adapters[static_cast<size_t>(sequence)]
                                               : std::span<const AdapterUse>();
}

Result<std::vector<std::byte>> Context::sequence_save(int32_t sequence) const {
  return engine::guarded([&]() -> Result<std::vector<std::byte>> {
    QUERN_CHECK(check_sequence(*impl_->inner, sequence));
    QUERN_TRY(const auto state, impl_->inner->save(sequence));
    return engine::join_sequence(impl_->tokens[static_cast<size_t>(sequence)], state);
  });
}

Status Context::sequence_restore(int32_t sequence, std::span<const std::byte> state) {
  return engine::guarded([&]() -> Status {
    QUERN_CHECK(check_sequence(*impl_->inner, sequence));
    QUERN_TRY(auto parts, engine::split_sequence(state, impl_->model.info().n_vocab));
    QUERN_CHECK(impl_->inner->restore(sequence, parts.state));
    auto& tokens = impl_->tokens[static_cast<size_t>(sequence)];
    tokens = std::move(parts.tokens);
    const uint32_t n_cells = impl_->inner->sequence(sequence).size();
    if (tokens.size() == n_cells) return {};
    const size_t n_tokens = tokens.size();
    QUERN_CHECK(impl_->inner->remove(sequence, 0, -1));
    tokens.clear();
    return fail(Errc::format, "state: has ", n_tokens, " tokens and ", n_cells, " cells");
  });
}

uint32_t Context::n_ctx() const { return impl_->inner->n_ctx(); }

uint32_t Context::n_used() const { return impl_->inner->n_used(); }

uint64_t Context::cache_bytes() const { return impl_->inner->cache_bytes(); }

const Model& Context::model() const { return impl_->model; }

}  // namespace quern
