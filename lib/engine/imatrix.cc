#include "lib/engine/imatrix.h"

#include <algorithm>

#include "lib/convert/activations.h"
#include "lib/engine/api/impl.h"

namespace quern::engine {
namespace {

using Collector = convert::ActivationCollector<convert::SquareSums>;

/// Which chunks of the text are read: [first, last).
struct Chunks {
  size_t first = 0, last = 0;
};

Result<Chunks> choose_chunks(std::span<const Token> tokens, const ImatrixOptions& options, const Tokenizer& tokenizer) {
  QUERN_ENSURE(options.n_ctx >= 1, Errc::argument, "n_ctx: expected at least 1, found ", options.n_ctx);
  QUERN_ENSURE(options.n_batch >= 1, Errc::argument, "n_batch: expected at least 1, found ", options.n_batch);
  QUERN_ENSURE(options.max_chunks == -1 || options.max_chunks >= 1, Errc::argument,
               "max_chunks: expected at least 1 or -1, found ", options.max_chunks);
  Chunks chunks{options.first_chunk, tokens.size() / options.n_ctx};
  QUERN_ENSURE(chunks.first < chunks.last, Errc::argument, "the text has ", tokens.size(), " tokens, but chunk ",
               options.first_chunk, " of ", options.n_ctx, " tokens would be the first to read");
  if (options.max_chunks > 0)
    chunks.last = std::min(chunks.last, chunks.first + static_cast<size_t>(options.max_chunks));
  for (size_t i = chunks.first * options.n_ctx; i < chunks.last * options.n_ctx; ++i) {
    QUERN_ENSURE(tokens[i] >= 0 && tokens[i] < tokenizer.n_tokens(), Errc::argument, "token ", i, " is ", tokens[i],
                 ", the vocabulary has ", tokenizer.n_tokens());
  }
  return chunks;
}

/// Logits are asked for only where their weight is watched: its product is skipped otherwise. They are thrown away, so
/// few of them at a time will do.
Status read_chunk(context::Context& context, const Tokenizer& tokenizer, std::span<const Token> chunk,
                  const ImatrixOptions& options) {
  constexpr uint32_t kLogitRows = 64;
  const uint32_t n_batch = options.process_output ? std::min(options.n_batch, kLogitRows) : options.n_batch;
  DecodeOptions decode;
  decode.cancel = options.cancel;
  context.clear();
  std::vector<BatchToken> batch;
  for (size_t begin = 0; begin < chunk.size(); begin += n_batch) {
    const size_t end = std::min<size_t>(begin + n_batch, chunk.size());
    batch.clear();
    for (size_t i = begin; i < end; ++i) {
      const Token token = i == 0 && tokenizer.adds_bos() ? tokenizer.bos() : chunk[i];
      batch.push_back({token, static_cast<int32_t>(i), 0, options.process_output});
    }
    QUERN_CHECK(context.decode(batch, decode));
  }
  return {};
}

/// All of a chunk's sums or, if one cannot be added, none.
Status add_sums(std::vector<Collector::Group> groups, convert::Imatrix& out) {
  convert::Imatrix chunk;
  chunk.chunk_size = out.chunk_size;
  for (const Collector::Group& group : groups) {
    for (const convert::WatchedWeight& weight : group.weights) {
      QUERN_CHECK(chunk.add(weight.name, group.sum.sums(), group.sum.n_rows(), weight.matrix, weight.n_matrices));
    }
  }
  return out.merge(chunk);
}

void name_dataset(const std::string& name, convert::Imatrix& out) {
  if (name.empty() || std::find(out.datasets.begin(), out.datasets.end(), name) != out.datasets.end()) return;
  out.datasets.push_back(name);
}

}  // namespace

Status collect_imatrix(const Model& model, std::span<const Token> tokens, const ImatrixOptions& options,
                       convert::Imatrix& out) {
  const Tokenizer& tokenizer = model.tokenizer();
  QUERN_TRY(const Chunks chunks, choose_chunks(tokens, options, tokenizer));
  const model::LoadedModel& loaded = *model.impl().loaded;
  ContextOptions context_options;
  context_options.n_ctx = options.n_ctx;
  context_options.n_batch = std::min(options.n_batch, options.n_ctx);
  QUERN_TRY(auto context, context::Context::create(loaded, context_options));
  Collector collector(convert::watched_weights(loaded.weights, options.process_output));
  context->observe(&collector);

  if (out.entries.empty()) out.chunk_size = options.n_ctx;
  constexpr size_t kReports = 200;
  const size_t n_chunks = chunks.last - chunks.first;
  for (size_t i = 0; i < n_chunks; ++i) {
    QUERN_CHECK(
        read_chunk(*context, tokenizer, tokens.subspan((chunks.first + i) * options.n_ctx, options.n_ctx), options));
    if (Status status = add_sums(collector.take(), out); !status)
      return fail(status.error().code, loaded.file.path, ": chunk ", chunks.first + i, ": ", status.error().message);
    if (i == 0) name_dataset(options.dataset, out);
    ++out.n_chunks;
    if (options.on_chunk) options.on_chunk(static_cast<uint32_t>(i + 1));
    if (i + 1 < n_chunks && (i + 1) * kReports / n_chunks == i * kReports / n_chunks) continue;
    const Progress progress{"imatrix", (i + 1) * options.n_ctx, n_chunks * options.n_ctx};
    QUERN_ENSURE(!options.progress || options.progress(progress), Errc::cancelled, "collecting was cancelled");
  }
  return {};
}

}  // namespace quern::engine
