// Every architecture, as a tiny model with random weights: its logits are those of the reference engine (llama.cpp),
// and the same to the bit however the tokens come in.
#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "lib/arch/spec.h"
#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

std::vector<std::string> golden_names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_TEST_DATA_DIR "/golden")) {
    if (entry.path().extension() == ".f32") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Context make_context(const Model& model, const Golden& golden, uint32_t n_batch = 512, uint32_t n_seq_max = 1) {
  ContextOptions options;
  options.n_ctx = golden.n_ctx();
  options.n_batch = n_batch;
  options.n_seq_max = n_seq_max;
  options.type_k = options.type_v = CacheType::f32;
  return Context::create(model, options).value();
}

/// Appends tokens and then the logits of all of them to `out`.
void append(Context& context, std::span<const Token> tokens, std::vector<float>& out, int32_t sequence = 0) {
  REQUIRE(context.append(tokens, sequence, true));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto row = context.logits(i);
    out.insert(out.end(), row.begin(), row.end());
  }
}

std::vector<float> all_logits(const Model& model, const Golden& golden, uint32_t n_batch = 512) {
  Context context = make_context(model, golden, n_batch);
  std::vector<float> out;
  append(context, golden.tokens, out);
  return out;
}

/// The largest difference, in standard deviations of b.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0, squares = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += b[i];
    squares += static_cast<double>(b[i]) * b[i];
    const double d = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = d <= largest ? largest : d;  // NaN is the largest of all
  }
  const double mean = sum / static_cast<double>(b.size());
  return largest / std::sqrt(squares / static_cast<double>(b.size()) - mean * mean);
}

/// Two sequences in turns, tokens of both in each batch; returns the logits of the first.
std::vector<float> interleaved(const Model& model, const Golden& golden) {
  Context context = make_context(model, golden, 512, 2);
  std::vector<float> out;
  const size_t n = golden.tokens.size();
  for (size_t begin = 0; begin < n; begin += 9) {
    std::vector<BatchToken> batch;
    for (size_t i = begin; i < std::min(begin + 9, n); ++i) {
      batch.push_back({golden.tokens[n - 1 - i], static_cast<int32_t>(i), 1, i % 2 == 0});
      batch.push_back({golden.tokens[i], static_cast<int32_t>(i), 0, true});
    }
    REQUIRE(context.decode(batch));
    for (size_t i = 0, row = 0; i < batch.size(); ++i) {
      if (!batch[i].logits) continue;
      const auto logits = context.logits(row++);
      if (batch[i].sequence == 0) out.insert(out.end(), logits.begin(), logits.end());
    }
  }
  return out;
}

/// The first tokens, then the rest on top of a copy, of a saved state and of what is left after some were forgotten.
void check_resumed(const Model& model, const Golden& golden, const std::vector<float>& expected) {
  const auto tokens = std::span(golden.tokens);
  const size_t n_prefix = 37;
  const std::vector<float> rest(expected.begin() + static_cast<ptrdiff_t>(n_prefix * golden.n_vocab), expected.end());
  Context context = make_context(model, golden, 512, 3);
  std::vector<float> prefix, forked, restored, shortened;
  append(context, tokens.first(n_prefix), prefix);
  CHECK(std::equal(prefix.begin(), prefix.end(), expected.begin()));
  REQUIRE(context.sequence_fork(0, 1));
  append(context, tokens.subspan(n_prefix), forked, 1);
  CHECK(forked == rest);
  const auto state = context.sequence_save(0);
  REQUIRE(state.has_value());
  Context other = make_context(model, golden);
  REQUIRE(other.sequence_restore(0, *state));
  append(other, tokens.subspan(n_prefix), restored);
  CHECK(restored == rest);
  REQUIRE(context.sequence_remove(1, static_cast<int32_t>(n_prefix)));
  append(context, tokens.subspan(n_prefix), shortened, 1);
  CHECK(shortened == rest);
}

/// The last token's logits alone: the last layer then runs for one row.
void check_last_row(const Model& model, const Golden& golden, const std::vector<float>& expected) {
  Context context = make_context(model, golden);
  REQUIRE(context.append(golden.tokens));
  REQUIRE(context.n_logits() == 1);
  const auto row = context.last_logits();
  CHECK(std::equal(row.begin(), row.end(), expected.end() - static_cast<ptrdiff_t>(golden.n_vocab)));
}

}  // namespace

TEST_CASE("logits of every architecture: the reference engine's, and independent of how the tokens come in") {
  for (const std::string& name : golden_names()) {
    CAPTURE(name);
    const Golden golden(name);
    const GoldenFile file(golden);
    const Model model = open_with(file.path(), 1);
    const std::vector<float> logits = all_logits(model, golden);
    const double error = difference(logits, golden.logits);
    MESSAGE(name << ": largest difference " << error << " standard deviations");
    CHECK(error < golden.json["tolerance"].get<double>());
    CHECK(difference(all_logits(open_with(file.path(), 1, "reference"), golden), logits) < 1e-4);
    CHECK(all_logits(model, golden, 1) == logits);
    CHECK(all_logits(model, golden, 7) == logits);
    CHECK(all_logits(open_with(file.path(), 3), golden) == logits);
    CHECK(all_logits(open_with(file.path(), 2, "cpu", false), golden) == logits);
    CHECK(interleaved(model, golden) == logits);
    check_resumed(model, golden, logits);
    check_last_row(model, golden, logits);
  }
}

TEST_CASE("every architecture has a golden test") {
  std::set<std::string> tested;
  for (const std::string& name : golden_names()) tested.insert(Golden(name).json["keys"][0][2].get<std::string>());
  for (const arch::ArchSpec* spec : arch::architectures()) {
    CAPTURE(std::string(spec->name));
    CHECK(tested.count(std::string(spec->name)) == 1);
  }
}

TEST_CASE("experts as one tensor each give the same logits") {
  const Golden golden("mixtral");
  const GoldenFile separate(golden, [](GoldenTensor tensor) {
    const size_t end = tensor.name.find("_exps.weight");
    if (end == std::string::npos) return std::vector{std::move(tensor)};
    std::vector<GoldenTensor> out;
    const size_t n_experts = tensor.shape.ne[2], size = tensor.elements.size() / n_experts;
    for (size_t e = 0; e < n_experts; ++e) {
      const auto first = tensor.elements.begin() + static_cast<ptrdiff_t>(e * size);
      out.push_back({tensor.name.substr(0, end) + "." + std::to_string(e) + ".weight",
                     {{tensor.shape.ne[0], tensor.shape.ne[1], 1, 1}, 2},
                     {first, first + static_cast<ptrdiff_t>(size)}});
    }
    return out;
  });
  const GoldenFile stacked(golden);
  CHECK(all_logits(open_with(separate.path(), 2), golden) == all_logits(open_with(stacked.path(), 2), golden));
}
