// Low-rank adapters in the sequences of a context, against the reference engine's logits and against merged weights.
#include "lib/model/adapter.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/context/sequences.h"
#include "tests/golden/adapters.h"

using namespace quern;
using namespace quern::testing;

namespace {

using AdapterPtr = std::shared_ptr<const model::Adapter>;

Result<AdapterPtr> open_adapter(const model::LoadedModel& model, const nlohmann::json& description,
                                const GoldenFile::Alter& alter = {}) {
  const GoldenFile file(description, alter);
  QUERN_TRY(auto opened, io::open_model_file(file.path()));
  opened.path = "lora.gguf";
  QUERN_TRY(auto read, io::read_gguf_adapter(std::move(opened)));
  return model::Adapter::prepare(model, std::move(read));
}

model::AdapterList adapters_of(const model::LoadedModel& model, const GoldenAdapters& golden) {
  model::AdapterList out;
  for (size_t i = 0; i < golden.n_adapters(); ++i) {
    auto adapter = open_adapter(model, golden.adapter(i));
    REQUIRE_MESSAGE(adapter.has_value(), adapter.error().message);
    out.push_back({*adapter, golden.scale(i)});
  }
  return out;
}

void set(context::Context& context, int32_t sequence, const model::AdapterList& adapters) {
  const Status status = context.set_adapters(sequence, adapters);
  REQUIRE_MESSAGE(status.has_value(), status.error().message);
}

ContextOptions options_of(const Golden& golden, uint32_t n_batch = 512) {
  ContextOptions options;
  options.n_ctx = golden.n_ctx();
  options.n_batch = n_batch;
  options.type_k = options.type_v = CacheType::f32;
  return options;
}

std::vector<BatchToken> tokens_of(const Golden& golden, bool all_logits = true) {
  std::vector<BatchToken> out;
  for (const Token token : golden.tokens) out.push_back({token, static_cast<int32_t>(out.size()), 0, all_logits});
  out.back().logits = true;
  return out;
}

Rows logits_with(const model::LoadedModel& model, const Golden& golden, const model::AdapterList& adapters,
                 uint32_t n_batch = 512) {
  const auto context = context_of(model, options_of(golden, n_batch));
  set(*context, 0, adapters);
  return decode(*context, tokens_of(golden));
}

/// The largest difference, in standard deviations of the expected logits.
double difference(const Rows& found, const std::vector<float>& expected) {
  double sum = 0, squares = 0, largest = 0;
  size_t i = 0;
  for (const auto& row : found) {
    for (const float x : row) {
      const double e = expected.at(i++), d = std::abs(x - e);
      sum += e;
      squares += e * e;
      largest = d <= largest ? largest : d;  // NaN is the largest of all
    }
  }
  REQUIRE(i == expected.size());
  const double n = static_cast<double>(i);
  return largest / std::sqrt(squares / n - sum / n * (sum / n));
}

std::vector<float> joined(const Rows& rows) {
  std::vector<float> out;
  for (const auto& row : rows) out.insert(out.end(), row.begin(), row.end());
  return out;
}

/// A list of tensors with another name for one of them.
GoldenFile::Alter renamed(const std::string& from, const std::string& to) {
  return [=](std::vector<GoldenTensor> tensors) {
    for (GoldenTensor& tensor : tensors) {
      if (tensor.name.compare(0, from.size(), from) == 0) tensor.name = to + tensor.name.substr(from.size());
    }
    return tensors;
  };
}

nlohmann::json with_key(nlohmann::json description, const std::string& key, const std::string& kind,
                        const nlohmann::json& value) {
  auto& keys = description["keys"];
  for (auto it = keys.begin(); it != keys.end();) it = (*it)[0] == key ? keys.erase(it) : it + 1;
  if (!value.is_null()) keys.push_back({key, kind, value});
  return description;
}

}  // namespace

TEST_CASE("logits with adapters: the reference engine's, a merged model's, and independent of how the tokens come in") {
  REQUIRE(golden_adapter_names().size() >= 10);
  for (const std::string& name : golden_adapter_names()) {
    CAPTURE(name);
    const GoldenAdapters golden(name);
    const double tolerance = golden.model.json["tolerance"];
    const auto model = open_golden(golden.model.name, cpu_backend());
    const auto adapters = adapters_of(*model, golden);
    const Rows logits = logits_with(*model, golden.model, adapters);
    if (!golden.of.logits.empty()) {
      const double error = difference(logits, golden.of.logits);
      MESSAGE(name << ": largest difference " << error << " standard deviations");
      CHECK(error < tolerance);
    }
    CHECK(difference(logits, golden.model.logits) > 0.1);  // the adapters do change something

    const auto reference = open_golden(golden.model.name, reference_backend());
    CHECK(difference(logits_with(*reference, golden.model, adapters_of(*reference, golden)), joined(logits)) < 1e-4);
    // A table of embeddings that is tied to the output would change both.
    const GoldenFile file(golden.model, merged_with(golden));
    const auto merged = model::open(file.path(), cpu_backend()).value();
    CHECK(difference(logits_with(*merged, golden.model, {}), joined(logits)) < 1e-4);

    CHECK(same_rows(logits_with(*model, golden.model, adapters, 1), logits));
    CHECK(same_rows(logits_with(*model, golden.model, adapters, 7), logits));
    const auto context = context_of(*model, options_of(golden.model));
    set(*context, 0, adapters);
    CHECK(same_rows(decode(*context, tokens_of(golden.model, false)), logits, logits.size() - 1));
  }
}

TEST_CASE("sequences with different adapters share batches, and each is computed as if it were alone") {
  for (const char* name : {"llama_two", "mixtral", "granitemoe"}) {
    CAPTURE(std::string(name));
    const GoldenAdapters golden(name);
    const auto model = open_golden(golden.model.name, cpu_backend());
    const auto all = adapters_of(*model, golden);
    model::AdapterList weaker = all, other_way(all.rbegin(), all.rend());
    weaker[0].scale = -0.25f;
    const std::vector<model::AdapterList> lists = {all, {}, weaker, other_way, {all[0]}, all};
    const auto n_sequences = static_cast<int32_t>(lists.size());
    ContextOptions options = options_of(golden.model, 64);
    options.n_ctx = 4096;
    options.n_seq_max = lists.size();
    const auto context = context_of(*model, options);
    for (int32_t s = 0; s < n_sequences; ++s) set(*context, s, lists[static_cast<size_t>(s)]);
    std::vector<Rows> found(lists.size());
    const auto run = [&](const std::vector<BatchToken>& batch) {
      const Rows rows = decode(*context, batch);
      size_t r = 0;
      for (const BatchToken& token : batch) {
        if (token.logits) found[static_cast<size_t>(token.sequence)].push_back(rows[r++]);
      }
    };
    // Prompts one behind the other, tokens in turns, and some whose logits nobody wants.
    std::vector<BatchToken> batch;
    for (int32_t s = 0; s < n_sequences; ++s) {
      for (const BatchToken& token : testing::tokens_of(0, 11 + s, s, s)) batch.push_back(token);
    }
    run(batch);
    for (int32_t i = 0; i < 5; ++i) {
      batch.clear();
      for (int32_t s = n_sequences - 1; s >= 0; --s) batch.push_back({token_of(11 + s + i, s), 11 + s + i, s, s != 2});
      run(batch);
    }
    for (int32_t s = 0; s < n_sequences; ++s) {
      CAPTURE(s);
      const auto alone = context_of(*model, options);
      set(*alone, 0, lists[static_cast<size_t>(s)]);
      std::vector<BatchToken> tokens = testing::tokens_of(0, 16 + s, 0, s);
      if (s == 2) tokens.resize(11 + 2);
      CHECK(same_rows(found[static_cast<size_t>(s)], decode(*alone, tokens)));
    }
    const auto plain = context_of(*model, options);
    CHECK(same_rows(found[1], decode(*plain, testing::tokens_of(0, 17, 0, 1))));
    CHECK_FALSE(same_rows(found[0], found[4]));
  }
}

TEST_CASE("a sequence's adapters: set while it is empty, inherited by copies, part of saved states") {
  const GoldenAdapters golden("llama_two");
  const auto model = open_golden(golden.model.name, cpu_backend());
  const auto adapters = adapters_of(*model, golden);
  ContextOptions options = options_of(golden.model);
  options.n_seq_max = 3;
  const auto context = context_of(*model, options);
  set(*context, 0, adapters);
  const auto tokens = tokens_of(golden.model);
  const Rows all = decode(*context, tokens);

  const Status late = context->set_adapters(0, {});
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().message ==
        "sequence 0: has 64 tokens, computed with other adapters: they can be changed while it is empty");
  CHECK(context->set_adapters(0, adapters).has_value());  // the same ones
  CHECK(context->set_adapters(3, {}).error().code == Errc::argument);

  REQUIRE(context->rewind(0, 40).has_value());
  REQUIRE(context->fork(0, 1).has_value());
  CHECK(context->adapters(1) == adapters);
  std::vector<BatchToken> rest(tokens.begin() + 40, tokens.end());
  for (BatchToken& token : rest) token.sequence = 1;
  CHECK(same_rows(decode(*context, rest), all, 40));

  const auto state = context->save(0).value();
  const Status refused = context->restore(2, state);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message == "state: it was saved with another model, or with other adapters");
  model::AdapterList weaker = adapters;
  weaker[1].scale *= 0.5f;
  set(*context, 2, weaker);
  CHECK_FALSE(context->restore(2, state).has_value());
  set(*context, 2, {adapters[1], adapters[0]});
  CHECK_FALSE(context->restore(2, state).has_value());
  // Opened once more, it is the same adapter.
  set(*context, 2, adapters_of(*model, golden));
  REQUIRE(context->restore(2, state).has_value());
  for (BatchToken& token : rest) token.sequence = 2;
  CHECK(same_rows(decode(*context, rest), all, 40));

  context->clear();
  CHECK(context->adapters(0) == adapters);
  set(*context, 0, {});
  CHECK(same_rows(decode(*context, tokens), logits_with(*model, golden.model, {})));

  const auto other = open_golden(golden.model.name, cpu_backend());
  const auto elsewhere = context_of(*other, options);
  CHECK(elsewhere->set_adapters(0, adapters).error().message == "lora.gguf: the adapter was opened for another model");
  model::AdapterList infinite = adapters;
  infinite[0].scale = std::numeric_limits<float>::infinity();
  CHECK(context->set_adapters(1, infinite).error().code == Errc::argument);
  CHECK(context->set_adapters(1, {{nullptr, 1.0f}}).error().code == Errc::argument);
}

TEST_CASE("adapters fit whatever form the model's file has its weights in") {
  // Queries, keys and values in one tensor in the adapter, in three in the model.
  const GoldenAdapters golden("llama_fused");
  const auto fused = open_golden("llama_fused", cpu_backend());
  const GoldenFile file(golden.model, [](const std::vector<GoldenTensor>& tensors) {
    std::vector<GoldenTensor> out;
    for (const GoldenTensor& tensor : tensors) {
      const size_t at = tensor.name.find("qkv");
      if (at == std::string::npos) {
        out.push_back(tensor);
        continue;
      }
      const bool bias = tensor.shape.rank == 1;
      const auto cols = static_cast<ptrdiff_t>(bias ? 1 : tensor.shape.ne[0]);
      ptrdiff_t first = 0;
      for (const auto& [letter, count] : {std::pair{"q", 64}, {"k", 32}, {"v", 32}}) {
        GoldenTensor part{tensor.name.substr(0, at) + letter + tensor.name.substr(at + 3), tensor.shape, {}};
        part.shape.ne[bias ? 0 : 1] = static_cast<uint64_t>(count);
        part.elements.assign(tensor.elements.begin() + first * cols, tensor.elements.begin() + (first + count) * cols);
        out.push_back(std::move(part));
        first += count;
      }
    }
    return out;
  });
  const auto separate = model::open(file.path(), cpu_backend()).value();
  const Rows expected = logits_with(*fused, golden.model, adapters_of(*fused, golden));
  CHECK(same_rows(logits_with(*separate, golden.model, adapters_of(*separate, golden)), expected));
}

TEST_CASE("adapters that do not fit are refused by name") {
  const GoldenAdapters golden("mixtral");
  const auto model = open_golden("mixtral", cpu_backend());
  const auto& description = golden.adapter(0);
  const auto refusal = [&](const nlohmann::json& changed, const GoldenFile::Alter& alter = {}) {
    const auto adapter = open_adapter(*model, changed, alter);
    REQUIRE_FALSE(adapter.has_value());
    return adapter.error().message;
  };
  CHECK(refusal(with_key(description, "general.type", "str", "model")) ==
        "lora.gguf: key 'general.type': expected 'adapter', found 'model'");
  CHECK(refusal(with_key(description, "general.type", "str", nullptr)) ==
        "lora.gguf: key 'general.type': missing: not an adapter");
  CHECK(refusal(with_key(description, "adapter.type", "str", "control_vector")) ==
        "lora.gguf: key 'adapter.type': expected 'lora', found 'control_vector'");
  CHECK(refusal(with_key(description, "adapter.alora.invocation_tokens", "i32s", {1, 2})).find("aLoRA") !=
        std::string::npos);
  CHECK(refusal(with_key(description, "general.architecture", "str", "qwen2")) ==
        "lora.gguf: expected an adapter for the model's architecture 'llama', found one for 'qwen2'");
  CHECK(refusal(description, renamed("blk.1.attn_q.", "blk.1.attn_z."))
            .find("has no weight 'blk.1.attn_z.weight' that an adapter could change") != std::string::npos);
  CHECK(refusal(description, renamed("blk.1.attn_q.", "blk.2.attn_q.")).find("has no weight 'blk.2.attn_q.weight'") !=
        std::string::npos);
  CHECK(refusal(description, renamed("blk.1.attn_q.weight.lora_b", "blk.1.attn_k.weight.lora_b"))
            .find("missing, but its other half is there") != std::string::npos);
  CHECK(refusal(description, renamed("blk.1.attn_q.weight.lora_b", "blk.1.attn_norm.weight"))
            .find("tensor 'blk.1.attn_norm.weight': expected a name that ends in .lora_a or .lora_b") !=
        std::string::npos);
  CHECK(refusal(description, renamed("blk.1.attn_q.", "blk.1.attn_k.")) ==
        "lora.gguf: tensor 'blk.1.attn_k.weight.lora_b': expected the shape [4, 32] for the model's "
        "'blk.1.attn_k.weight', found [4, 64]");
  CHECK(
      refusal(description,
              [](std::vector<GoldenTensor> tensors) {
                for (GoldenTensor& tensor : tensors) {
                  if (tensor.name == "blk.0.attn_q.weight.lora_a") {
                    tensor.shape.ne[1] = 3;
                    tensor.elements.resize(3 * 64);
                  }
                }
                return tensors;
              }) ==
      "lora.gguf: tensor 'blk.0.attn_q.weight.lora_a': expected the rank 4 of 'blk.0.attn_q.weight.lora_b', found the "
      "shape [64, 3]");
  // As many experts as the model has.
  CHECK(refusal(description,
                [](std::vector<GoldenTensor> tensors) {
                  for (GoldenTensor& tensor : tensors) {
                    if (tensor.name.find("blk.0.ffn_up_exps") == std::string::npos) continue;
                    tensor.shape.ne[2] = 5;
                    tensor.elements.resize(tensor.shape.elements());
                  }
                  return tensors;
                }) ==
        "lora.gguf: tensor 'blk.0.ffn_up_exps.weight.lora_a': expected the shape [64, 4, 6] for the model's "
        "'blk.0.ffn_up_exps.weight', found [64, 4, 5]");
}
