// Recipes against llama.cpp's choices (tests/data/convert/mix_rules.txt, written by mix_rules.py from the library
// itself), and the options.
#include "lib/convert/recipe.h"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "lib/convert/recipe_table.h"
#include "lib/quant/format.h"

using namespace quern;
using namespace quern::convert;

namespace {

constexpr uint32_t kF16 = 1;
uint32_t type(std::string_view name) { return quant::find_type(name).value(); }

void add_tensor(io::ModelFile& file, std::string name, std::vector<uint64_t> ne, uint32_t type_id = kF16) {
  io::TensorEntry entry;
  entry.name = std::move(name);
  entry.type_id = type_id;
  entry.view.shape.rank = static_cast<uint32_t>(ne.size());
  for (size_t i = 0; i < ne.size(); ++i) entry.view.shape.ne[i] = ne[i];
  file.tensors.add(std::move(entry)).value();
}

io::ModelFile model(const std::string& arch, std::map<std::string, uint64_t> numbers) {
  io::ModelFile file;
  const auto add = [&](const std::string& key, io::MetaValue value) {
    file.meta.add({key, std::move(value), 0}).value();
  };
  add("general.architecture", arch);
  add(arch + ".block_count", numbers["n_layer"]);
  add(arch + ".attention.head_count", numbers["n_head"]);
  add(arch + ".attention.head_count_kv", numbers["n_head_kv"]);
  if (numbers["n_expert"] > 0) add(arch + ".expert_count", numbers["n_expert"]);
  return file;
}

/// One model of the vectors.
struct Case {
  std::string name;
  io::ModelFile file;
  std::vector<std::vector<std::string>> series;  ///< the tensors of each line
};

/// "4PT2P" is PPPPTPP.
std::string unpacked(const std::string& runs) {
  std::string out;
  size_t count = 0;
  for (const char c : runs) {
    if (c >= '0' && c <= '9') {
      count = count * 10 + static_cast<size_t>(c - '0');
      continue;
    }
    out.append(count > 0 ? count : 1, c);
    count = 0;
  }
  return out;
}

Case read_model(std::istringstream words) {
  Case out;
  std::string word, arch;
  std::map<std::string, uint64_t> numbers;
  words >> word >> out.name;
  while (words >> word) {
    const size_t equals = word.find('=');
    const std::string value = word.substr(equals + 1);
    if (word.substr(0, equals) == "arch")
      arch = value;
    else
      numbers[word.substr(0, equals)] = std::stoull(value);
  }
  out.file = model(arch, numbers);
  return out;
}

void read_series(std::istringstream words, Case& out) {
  std::string kind, name, extents, extent;
  words >> kind;
  size_t first = 0, last = 0;
  char dash = 0;
  if (kind == "layers") words >> first >> dash >> last;
  words >> name >> extents;
  std::vector<uint64_t> ne;
  for (std::istringstream list(extents); std::getline(list, extent, ',');) ne.push_back(std::stoull(extent));
  out.series.emplace_back();
  for (size_t i = first; i <= last; ++i) {
    out.series.back().push_back(kind == "layers" ? "blk." + std::to_string(i) + "." + name : name);
    add_tensor(out.file, out.series.back().back(), ne);
  }
}

std::vector<TensorPlan> plan(const io::ModelFile& file, std::string_view recipe, const RecipeOptions& options = {}) {
  return plan_types(file, *find_recipe(recipe).value(), options).value();
}

struct Counts {
  size_t recipes = 0, tensors = 0, wrong = 0;
};

void check_recipe(std::istringstream words, const Case& model, const std::map<char, std::string>& types,
                  Counts& counts) {
  std::string kind, name, runs;
  RecipeOptions options;
  words >> kind >> name >> options.has_imatrix;
  const auto plans = plan(model.file, name, options);
  std::map<std::string, const TensorPlan*> by_name;
  for (const TensorPlan& plan : plans) by_name[plan.tensor->name] = &plan;
  ++counts.recipes;
  for (const auto& series : model.series) {
    REQUIRE((words >> runs));
    const std::string letters = unpacked(runs);
    REQUIRE(letters.size() == series.size());
    for (size_t i = 0; i < series.size(); ++i) {
      const TensorPlan& plan = *by_name.at(series[i]);
      const std::string found = quant::type_name(plan.target_type), &expected = types.at(letters[i]);
      ++counts.tensors;
      if (found == expected) continue;
      ++counts.wrong;
      if (counts.wrong <= 20) MESSAGE(model.name, " ", name, " ", series[i], ": ", found, ", not ", expected);
    }
  }
}

/// 8 layers of 8 heads, one key-value head each.
io::ModelFile small_model(uint64_t cols = 512, bool tied = false) {
  io::ModelFile file = model("llama", {{"n_layer", 8}, {"n_head", 8}, {"n_head_kv", 8}});
  add_tensor(file, "token_embd.weight", {cols, 256});
  if (!tied) add_tensor(file, "output.weight", {cols, 256});
  for (int i = 0; i < 8; ++i) {
    const std::string layer = "blk." + std::to_string(i);
    add_tensor(file, layer + ".attn_norm.weight", {cols}, 0);
    add_tensor(file, layer + ".attn_q.weight", {cols, 512});
    add_tensor(file, layer + ".attn_v.weight", {cols, 512});
    add_tensor(file, layer + ".ffn_down.weight", {1024, cols});
    add_tensor(file, layer + ".ffn_up.weight", {cols, 1024});
  }
  return file;
}

/// The types of the tensors whose names end so, in the order of the file: "Q6_K Q4_K ...".
std::string types_of(const io::ModelFile& file, std::string_view recipe, const RecipeOptions& options,
                     std::string_view ending) {
  std::string out;
  for (const TensorPlan& each : plan(file, recipe, options)) {
    if (each.tensor->name.ends_with(ending)) out += (out.empty() ? "" : " ") + quant::type_name(each.target_type);
  }
  return out;
}

}  // namespace

TEST_CASE("every tensor of 13 models gets llama.cpp's type in every recipe") {
  std::ifstream file(QUERN_TEST_DATA_DIR "/convert/mix_rules.txt");
  REQUIRE(file);
  std::map<char, std::string> types;
  std::vector<Case> models;
  Counts counts;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("types ")) {
      std::istringstream words(line.substr(6));
      for (std::string word; words >> word;) types[word[0]] = word.substr(2);
    } else if (line.starts_with("model ")) {
      models.push_back(read_model(std::istringstream(line)));
    } else if (line.starts_with("tensor ") || line.starts_with("layers ")) {
      read_series(std::istringstream(line), models.back());
    } else if (line.starts_with("recipe ")) {
      check_recipe(std::istringstream(line), models.back(), types, counts);
    }
  }
  CHECK(models.size() == 13);
  CHECK(counts.recipes > 13 * 31);
  CHECK(counts.tensors > 100'000);
  CHECK(counts.wrong == 0);
}

TEST_CASE("the tables name what exists") {
  for (const Recipe& recipe : recipes()) {
    CAPTURE(std::string(recipe.name));
    CHECK((recipe.copies() || quant::find_type(recipe.default_type)));
    CHECK(find_recipe(recipe.name).value() == &recipe);
    CHECK(recipe.description.size() > 3);
  }
  for (const Rule& rule : rule_table()) {
    CHECK((rule.type == kDefault || quant::find_type(rule.type)));
    if (rule.recipes == "*") continue;
    std::istringstream words{std::string(rule.recipes)};
    for (std::string name; words >> name;) CHECK(find_recipe(name).has_value());
  }
  for (const StandIn& row : stand_in_table()) CHECK((quant::find_type(row.type) && quant::find_type(row.instead)));
  for (const ImatrixNeed& row : imatrix_table()) CHECK(quant::find_type(row.type));
}

TEST_CASE("recipes are found by name in any case, by short name, and by number") {
  CHECK(find_recipe("q4_k_m").value()->name == "Q4_K_M");
  CHECK(find_recipe("Q4_K").value()->name == "Q4_K_M");
  CHECK(find_recipe("q3_k").value()->name == "Q3_K_M");
  CHECK(find_recipe("Q5_K").value()->name == "Q5_K_M");
  CHECK(find_recipe("15").value()->name == "Q4_K_M");
  CHECK(find_recipe("0").value()->name == "F32");
  CHECK(find_recipe("copy").value()->copies());
  for (const char* unknown : {"", "Q4", "Q4_K_X", "4294967295", "Q4_K_M "}) {
    const auto found = find_recipe(unknown);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == Errc::argument);
    CHECK(found.error().message.find("Q4_K_M") != std::string::npos);
  }
}

TEST_CASE("bits per weight are those of Llama 3 8B") {
  io::ModelFile file = model("llama", {{"n_layer", 32}, {"n_head", 32}, {"n_head_kv", 8}});
  add_tensor(file, "token_embd.weight", {4096, 128256});
  add_tensor(file, "output.weight", {4096, 128256});
  add_tensor(file, "output_norm.weight", {4096}, 0);
  for (int i = 0; i < 32; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    for (const char* name : {"attn_norm.weight", "ffn_norm.weight"}) add_tensor(file, layer + name, {4096}, 0);
    for (const char* name : {"attn_q.weight", "attn_output.weight"}) add_tensor(file, layer + name, {4096, 4096});
    for (const char* name : {"attn_k.weight", "attn_v.weight"}) add_tensor(file, layer + name, {4096, 1024});
    for (const char* name : {"ffn_gate.weight", "ffn_up.weight"}) add_tensor(file, layer + name, {4096, 14336});
    add_tensor(file, layer + "ffn_down.weight", {14336, 4096});
  }
  for (const Recipe& recipe : recipes()) {
    if (recipe.copies()) continue;
    CAPTURE(std::string(recipe.name));
    RecipeOptions options;
    options.has_imatrix = recipe.needs_imatrix;
    double bits = 0, elements = 0;
    bool needs = false;
    for (const TensorPlan& each : plan(file, recipe.name, options)) {
      const auto block = quant::block_size(each.target_type).value();
      const auto n = static_cast<double>(each.tensor->view.shape.elements());
      elements += n;
      bits += n * 8 * block.bytes / block.elems;
      needs = needs || each.needs_imatrix;
    }
    CHECK(recipe.bits_per_weight == doctest::Approx(bits / elements).epsilon(0.0002));
    CHECK(recipe.needs_imatrix == needs);
  }
}

TEST_CASE("what is asked for by name goes before the rules") {
  // All expectations are what llama.cpp v0.5.0 does in a dry run of the same model, but for those that say otherwise.
  const io::ModelFile file = small_model();
  const auto types = [&](std::string_view recipe, const RecipeOptions& options, std::string_view ending) {
    return types_of(file, recipe, options, ending);
  };
  const std::string mixed = "Q6_K Q4_K Q4_K Q6_K Q4_K Q4_K Q6_K Q6_K";
  const std::string plain = "Q4_K Q4_K Q4_K Q4_K Q4_K Q4_K Q4_K Q4_K";
  CHECK(types("Q4_K_M", {}, "attn_v.weight") == mixed);
  CHECK(types("Q4_K_M", {}, "attn_norm.weight") == "F32 F32 F32 F32 F32 F32 F32 F32");

  RecipeOptions pure;
  pure.pure = true;
  CHECK(types("Q4_K_M", pure, "attn_v.weight") == plain);
  CHECK(types("Q4_K_M", pure, "output.weight") == "Q4_K");
  pure.output_tensor_type = type("Q8_0");
  pure.token_embedding_type = type("Q4_0");
  CHECK(types("Q4_K_M", pure, "output.weight") == "Q8_0");
  CHECK(types("Q4_K_M", pure, "token_embd.weight") == "Q4_0");
  pure.overrides = {{"attn_v", type("Q8_0")}};
  CHECK(types("Q4_K_M", pure, "attn_v.weight") == "Q8_0 Q8_0 Q8_0 Q8_0 Q8_0 Q8_0 Q8_0 Q8_0");

  RecipeOptions leave;
  leave.leave_output = true;
  leave.output_tensor_type = type("Q8_0");
  CHECK(types("Q4_K_M", leave, "output.weight") == "F16");

  RecipeOptions overrides;
  overrides.overrides = {{"blk\\.[02]\\.attn_v", type("Q8_0")}, {"attn_v", type("Q4_0")}, {"output", type("F16")}};
  CHECK(types("Q4_K_M", overrides, "attn_v.weight") == "Q8_0 Q4_0 Q8_0 Q4_0 Q4_0 Q4_0 Q4_0 Q4_0");
  CHECK(types("Q4_K_M", overrides, "ffn_down.weight") == mixed);
  overrides.output_tensor_type = type("Q4_0");
  CHECK(types("Q4_K_M", overrides, "output.weight") == "Q4_0");
  overrides.overrides = {{"attn_v", type("Q4_K")}};
  CHECK(types("Q4_K_M", overrides, "attn_v.weight") == plain);
  // The first four that the rule sees, not the first four there are.
  overrides.overrides = {{"blk\\.0\\.attn_v", type("Q8_0")}};
  CHECK(types("Q4_K_S", overrides, "attn_v.weight") == "Q8_0 Q5_K Q5_K Q5_K Q5_K Q4_K Q4_K Q4_K");
  overrides.overrides = {{"^attn_v", type("Q8_0")}};
  CHECK(types("Q4_K_M", overrides, "attn_v.weight") == mixed);
  // llama.cpp takes no notice of overrides in recipes of floats.
  overrides.overrides = {{"attn_v", type("Q8_0")}};
  CHECK(types("F16", overrides, "attn_v.weight") == "Q8_0 Q8_0 Q8_0 Q8_0 Q8_0 Q8_0 Q8_0 Q8_0");
  CHECK(types("F32", {}, "attn_q.weight") == "F32 F32 F32 F32 F32 F32 F32 F32");
  CHECK(types("COPY", overrides, "attn_v.weight") == "F16 F16 F16 F16 F16 F16 F16 F16");

  const io::ModelFile tied = small_model(512, true);
  RecipeOptions ends;
  CHECK(types_of(tied, "Q4_K_M", ends, "token_embd.weight") == "Q6_K");
  ends.output_tensor_type = type("Q8_0");
  CHECK(types_of(tied, "Q4_K_M", ends, "token_embd.weight") == "Q8_0");
  ends.token_embedding_type = type("Q4_0");
  CHECK(types_of(tied, "Q4_K_M", ends, "token_embd.weight") == "Q4_0");
}

TEST_CASE("rows that are not whole blocks get another type, and the plan says so") {
  struct Row {
    uint64_t cols;
    const char *recipe, *output, *embd, *query;
  };
  // From llama.cpp v0.5.0, but for Q1_0, which it refuses.
  const Row rows[] = {
      {96, "Q2_0", "Q8_0", "Q5_0", "Q4_0"},      {96, "Q2_K", "Q8_0", "Q4_0", "Q4_0"},
      {96, "Q4_K_M", "Q8_0", "Q5_0", "Q5_0"},    {96, "IQ2_XS", "Q8_0", "Q4_0", "IQ4_NL"},
      {96, "TQ1_0", "Q8_0", "Q5_0", "Q4_0"},     {96, "IQ4_XS", "Q8_0", "IQ4_NL", "IQ4_NL"},
      {96, "Q4_0", "Q8_0", "Q4_0", "Q4_0"},      {100, "Q4_0", "F16", "F16", "F16"},
      {100, "Q4_K_M", "F16", "F16", "F16"},      {100, "MXFP4_MOE", "F16", "F16", "F16"},
      {192, "Q2_0", "Q8_0", "Q5_0", "Q2_0"},     {160, "Q2_0", "Q8_0", "Q5_0", "Q4_0"},
      {96, "MXFP4_MOE", "Q8_0", "Q8_0", "Q8_0"}, {96, "Q1_0", "Q8_0", "Q4_0", "Q4_0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.cols);
    CAPTURE(std::string(row.recipe));
    const io::ModelFile file = small_model(row.cols);
    for (const TensorPlan& each : plan(file, row.recipe)) {
      const std::string found = quant::type_name(each.target_type);
      if (each.tensor->name == "output.weight") CHECK(found == row.output);
      if (each.tensor->name == "token_embd.weight") CHECK(found == row.embd);
      if (each.tensor->name.ends_with("attn_q.weight")) CHECK(found == row.query);
    }
  }
  const io::ModelFile file = small_model(96);
  for (const TensorPlan& each : plan(file, "Q4_K_M")) {
    if (each.tensor->name == "blk.1.attn_q.weight")
      CHECK(each.fallback == "Q5_0, as rows of 96 elements are not whole blocks of Q4_K");
    if (each.tensor->name == "blk.1.ffn_down.weight") CHECK(each.fallback.empty());
  }
}

TEST_CASE("which tensors are quantized at all") {
  // What llama.cpp v0.5.0 leaves alone of these, and what it quantizes.
  const char* left[] = {"blk.0.attn_norm_2_norm.weight",
                        "sam.pos_embd.weight",
                        "sam.neck.0.weight",
                        "sam.net_1.weight",
                        "position_embd.weight",
                        "token_types.weight",
                        "v.position_embd.weight",
                        "a.rel_pos.weight",
                        "blk.0.ffn_gate_inp.weight",
                        "blk.0.time_mix_w0.weight",
                        "blk.0.time_mix_first.weight",
                        "per_layer_model_proj.weight",
                        "blk.0.altup_x.weight",
                        "blk.0.x.bias",
                        "token_embd_norm.weight",
                        "blk.0.ssm_conv1d.weight",
                        "blk.0.shortconv.conv.weight",
                        "blk.0.indexer.k_proj.weight",
                        "blk.0.attn_rel_b.weight",
                        "mm.patch_merger.weight",
                        "v.patch_embd.weight",
                        "blk.0.time_mix_g1.weight",
                        "blk.0.time_mix_decay_w1.weight",
                        "blk.0.ffn_gate_tid2eid.weight",
                        "blk.0.laurel_l.weight"};
  const char* quantized[] = {"blk.0.x.weight",
                             "sam.x.weight",
                             "blk.0.ffn_gate_inp_shexp.weight",
                             "cls.weight",
                             "patch_embd.weight",
                             "blk.0.time_mix_lerp_x.weight",
                             "per_layer_token_embd.weight",
                             "conv1d.weight",
                             "blk.0.time_mix_key.weight",
                             "blk.0.ssm_a.weight",
                             "blk.0.ssm_in.weight",
                             "blk.0.indexer.attn_k.weight",
                             "position_embd_x.weight",
                             "blk.0.xweight"};
  io::ModelFile file = small_model();
  for (const char* name : left) add_tensor(file, name, {512, 64});
  for (const char* name : quantized) add_tensor(file, name, {512, 64});
  add_tensor(file, "one.weight", {512});
  add_tensor(file, "stacked.weight", {512, 8, 2, 2});
  std::map<std::string, TensorPlan> plans;
  for (const TensorPlan& each : plan(file, "Q4_0")) plans[each.tensor->name] = each;
  const auto check = [&](const std::string& name, bool eligible) {
    CAPTURE(name);
    const TensorPlan& plan = plans.at(name);
    CHECK(plan.eligible == eligible);
    CHECK(quant::type_name(plan.target_type) == (eligible ? "Q4_0" : "F16"));
    CHECK(plan.converts() == eligible);
    CHECK_FALSE(plan.reason.empty());
  };
  for (const char* name : left) check(name, false);
  for (const char* name : quantized) check(name, true);
  check("one.weight", false);
  check("stacked.weight", true);
}

TEST_CASE("types that need an importance matrix say so") {
  const auto needing = [](const io::ModelFile& file, std::string_view recipe, const RecipeOptions& options) {
    size_t n = 0;
    for (const TensorPlan& each : plan(file, recipe, options)) n += each.needs_imatrix;
    return n;
  };
  const io::ModelFile file = small_model();
  CHECK(needing(file, "IQ2_XS", {}) > 8);
  CHECK(needing(file, "Q2_K_S", {}) > 8);
  CHECK(needing(file, "Q2_K", {}) == 0);
  CHECK(needing(file, "IQ3_S", {}) == 0);
  CHECK(needing(file, "Q4_K_M", {}) == 0);
  RecipeOptions options;
  options.token_embedding_type = type("IQ2_S");
  CHECK(needing(file, "Q4_K_M", options) == 0);
  options.token_embedding_type = type("IQ2_XS");
  CHECK(needing(file, "Q4_K_M", options) == 1);
  options.overrides = {{"blk\\.3\\.ffn_down", type("IQ2_S")}};
  CHECK(needing(file, "Q4_K_M", options) == 2);
}

TEST_CASE("what cannot be is refused") {
  const io::ModelFile file = small_model();
  const Recipe& recipe = *find_recipe("Q4_K_M").value();
  RecipeOptions options;
  options.overrides = {{"attn_(v", type("Q8_0")}};
  auto plans = plan_types(file, recipe, options);
  REQUIRE_FALSE(plans);
  CHECK(plans.error().code == Errc::argument);
  CHECK(plans.error().message.find("'attn_(v'") != std::string::npos);
  options.overrides = {{"attn_v", 26}};  // I32
  CHECK_FALSE(plan_types(file, recipe, options));
  options = {};
  options.output_tensor_type = 15;  // Q8_K, of activations
  plans = plan_types(file, recipe, options);
  REQUIRE_FALSE(plans);
  CHECK(plans.error().message.find("Q8_K") != std::string::npos);
  io::ModelFile wrong = model("llama", {{"n_layer", 8}, {"n_head", 8}, {"n_head_kv", 8}});
  wrong.meta.add({"llama.expert_count", std::string("8"), 0}).value();
  plans = plan_types(wrong, recipe);
  REQUIRE_FALSE(plans);
  CHECK(plans.error().message.find("llama.expert_count") != std::string::npos);
}
