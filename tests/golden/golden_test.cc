// Every architecture, as a tiny model with random weights: its logits are those of the reference engine (llama.cpp),
// and the same to the bit however the tokens come in.
#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <tuple>

#include "lib/arch/spec.h"
#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

/// Those with this kind of results.
std::vector<std::string> golden_names(const std::string& results = ".f32") {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_TEST_DATA_DIR "/golden")) {
    if (entry.path().extension() == results) out.push_back(entry.path().stem().string());
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
  for (const char* results : {".f32", ".embd"}) {
    for (const std::string& name : golden_names(results))
      tested.insert(Golden(name, results).json["keys"][0][2].get<std::string>());
  }
  for (const arch::ArchSpec* spec : arch::architectures()) {
    CAPTURE(std::string(spec->name));
    CHECK(tested.count(std::string(spec->name)) == 1);
  }
}

namespace {

/// Rows [first, first + count) of every matrix of a tensor.
GoldenTensor rows_of(const GoldenTensor& tensor, const std::string& name, uint64_t first, uint64_t count) {
  const auto& ne = tensor.shape.ne;
  GoldenTensor out{name, tensor.shape, {}};
  out.shape.ne[1] = count;
  for (uint64_t matrix = 0; matrix < ne[2]; ++matrix) {
    const auto begin = tensor.elements.begin() + static_cast<ptrdiff_t>((matrix * ne[1] + first) * ne[0]);
    out.elements.insert(out.elements.end(), begin, begin + static_cast<ptrdiff_t>(count * ne[0]));
  }
  return out;
}

bool ends_with(const std::string& name, const std::string& end) {
  return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

/// The model as described and as altered give the same logits.
void check_same(const std::string& name, const GoldenFile::Alter& alter) {
  const Golden golden(name);
  const GoldenFile plain(golden), altered(golden, alter);
  CHECK(all_logits(open_with(altered.path(), 2), golden) == all_logits(open_with(plain.path(), 2), golden));
}

std::vector<GoldenTensor> separate_experts(std::vector<GoldenTensor> tensors) {
  std::vector<GoldenTensor> out;
  for (GoldenTensor& tensor : tensors) {
    if (!ends_with(tensor.name, "_exps.weight")) {
      out.push_back(std::move(tensor));
      continue;
    }
    const std::string base = tensor.name.substr(0, tensor.name.find("_exps"));
    const uint64_t cols = tensor.shape.ne[0], rows = tensor.shape.ne[1];
    for (uint64_t e = 0; e < tensor.shape.ne[2]; ++e) {
      const auto first = tensor.elements.begin() + static_cast<ptrdiff_t>(e * rows * cols);
      out.push_back({base + "." + std::to_string(e) + ".weight",
                     {{cols, rows, 1, 1}, 2},
                     {first, first + static_cast<ptrdiff_t>(rows * cols)}});
    }
  }
  return out;
}

}  // namespace

TEST_CASE("experts as one tensor each give the same logits") { check_same("mixtral", separate_experts); }

TEST_CASE("a model that lacks one of its experts is refused") {
  const GoldenFile file(Golden("mixtral"), [](std::vector<GoldenTensor> tensors) {
    auto out = separate_experts(std::move(tensors));
    std::erase_if(out, [](const GoldenTensor& tensor) { return tensor.name == "blk.1.ffn_up.3.weight"; });
    return out;
  });
  const auto model = Model::open(file.path());
  REQUIRE_FALSE(model.has_value());
  CHECK(model.error().code == Errc::format);
  CHECK(ends_with(model.error().message, "tensor 'blk.1.ffn_up.3.weight': missing, but expert 0 has one"));
}

TEST_CASE("gate and up of experts in one tensor give the same logits") {
  check_same("qwen3moe", [](const std::vector<GoldenTensor>& tensors) {
    std::vector<GoldenTensor> out;
    for (const GoldenTensor& gate : tensors) {
      if (ends_with(gate.name, "ffn_up_exps.weight")) continue;
      out.push_back(gate);
      if (!ends_with(gate.name, "ffn_gate_exps.weight")) continue;
      const std::string block = gate.name.substr(0, gate.name.find("ffn_gate"));
      const auto up = std::find_if(tensors.begin(), tensors.end(), [&](const GoldenTensor& tensor) {
        return tensor.name == block + "ffn_up_exps.weight";
      });
      const uint64_t rows = gate.shape.ne[1], n = gate.shape.ne[2];
      GoldenTensor both{block + "ffn_gate_up_exps.weight", gate.shape, {}};
      both.shape.ne[1] = 2 * rows;
      for (uint64_t e = 0; e < n; ++e) {
        for (const GoldenTensor* from : {&gate, &*up}) {
          const auto first = from->elements.begin() + static_cast<ptrdiff_t>(e * rows * gate.shape.ne[0]);
          both.elements.insert(both.elements.end(), first, first + static_cast<ptrdiff_t>(rows * gate.shape.ne[0]));
        }
      }
      out.back() = std::move(both);
    }
    return out;
  });
}

TEST_CASE("queries, keys and values in one tensor or in three give the same logits") {
  check_same("llama_fused", [](const std::vector<GoldenTensor>& tensors) {
    std::vector<GoldenTensor> out;
    for (const GoldenTensor& tensor : tensors) {
      const bool weight = ends_with(tensor.name, "attn_qkv.weight"), bias = ends_with(tensor.name, "attn_qkv.bias");
      if (!weight && !bias) {
        out.push_back(tensor);
        continue;
      }
      // 4 query heads and 2 of keys and values, of 16 elements each.
      GoldenTensor column = tensor;
      if (bias) column.shape = {{1, tensor.shape.ne[0], 1, 1}, 2};
      const std::string block = tensor.name.substr(0, tensor.name.find("qkv")), end = bias ? ".bias" : ".weight";
      for (const auto& [letter, first, count] : {std::tuple{"q", 0, 64}, {"k", 64, 32}, {"v", 96, 32}}) {
        out.push_back(
            rows_of(column, block + letter + end, static_cast<uint64_t>(first), static_cast<uint64_t>(count)));
        if (bias) out.back().shape = {{static_cast<uint64_t>(count), 1, 1, 1}, 1};
      }
    }
    return out;
  });
}

TEST_CASE("a tensor of queries, keys and values of another shape is refused") {
  const GoldenFile file(Golden("phi3"), [](std::vector<GoldenTensor> tensors) {
    for (GoldenTensor& tensor : tensors) {
      if (tensor.name == "blk.1.attn_qkv.weight") tensor = rows_of(tensor, tensor.name, 0, 96);
    }
    return tensors;
  });
  const auto model = Model::open(file.path());
  REQUIRE_FALSE(model.has_value());
  CHECK(model.error().code == Errc::format);
  CHECK(
      ends_with(model.error().message, "tensor 'blk.1.attn_qkv.weight': expected the shape [64, 128], found [64, 96]"));
}

TEST_CASE("a state with one set of LongRoPE factors is refused where the other set is in use") {
  const Golden golden("phi3_long");  // original context: 128
  const GoldenFile file(golden);
  const Model model = open_with(file.path(), 1);
  const auto context_of = [&](uint32_t n_ctx) {
    ContextOptions options;
    options.n_ctx = n_ctx;
    return Context::create(model, options).value();
  };
  Context longer = context_of(129), shorter = context_of(128), other = context_of(200);
  REQUIRE(longer.append(std::span(golden.tokens).first(10)));
  const auto state = longer.sequence_save(0).value();
  CHECK(other.sequence_restore(0, state));
  CHECK_FALSE(shorter.sequence_restore(0, state));
}
