// Which tensor gets which type: llama.cpp's mixes, so that a file called Q4_K_M holds what people expect of the name.
// The rules were written down from the types that llama-quantize gives to the tensors of 13 models in 31 recipes;
// tests/data/convert/mix_rules.txt holds these, and the rules give the same for every tensor.
#include "lib/convert/recipe_table.h"

namespace quern::convert {
namespace {

// name, general.file_type, default type, bits per weight of Llama 3 8B, what for.
constexpr bool kImatrix = true;
constexpr Recipe kRecipes[] = {
    {"Q1_0", 40, "Q1_0", 1.482, "for models trained with weights of 1 bit"},
    {"IQ1_S", 24, "IQ1_S", 2.004, "the smallest; damage is heavy", kImatrix},
    {"IQ1_M", 31, "IQ1_M", 2.146, "very small; damage is heavy", kImatrix},
    {"TQ1_0", 36, "TQ1_0", 2.191, "for models trained with ternary weights"},
    {"IQ2_XXS", 19, "IQ2_XXS", 2.382, "very small", kImatrix},
    {"TQ2_0", 37, "TQ2_0", 2.517, "for models trained with ternary weights; faster than TQ1_0"},
    {"IQ2_XS", 20, "IQ2_XS", 2.588, "very small", kImatrix},
    {"Q2_0", 41, "Q2_0", 2.680, "for models trained with weights of 2 bits"},
    {"IQ2_S", 28, "IQ2_XS", 2.740, "IQ2_XS with attention values and the first ffn_down in more bits", kImatrix},
    {"IQ2_M", 29, "IQ2_S", 2.929, "IQ2_S with attention values and the first ffn_down in more bits", kImatrix},
    {"Q2_K_S", 21, "Q2_K", 2.970, "Q2_K with less of Q3_K and Q4_K", kImatrix},
    {"Q2_K", 10, "Q2_K", 3.159, "small, with a marked loss"},
    {"IQ3_XXS", 23, "IQ3_XXS", 3.255, "small; better than Q2_K, slower to make", kImatrix},
    {"IQ3_XS", 22, "IQ3_S", 3.498, "between IQ3_XXS and IQ3_S", kImatrix},
    {"Q3_K_S", 11, "Q3_K", 3.643, "small"},
    {"IQ3_S", 26, "IQ3_S", 3.661, "small; better than Q3_K_S, slower"},
    {"IQ3_M", 27, "IQ3_S", 3.763, "IQ3_S with attention values and outputs in Q4_K"},
    {"Q3_K_M", 12, "Q3_K", 3.996, "small, a usable balance"},
    {"Q3_K_L", 13, "Q3_K", 4.298, "Q3_K with attention values, outputs and ffn_down in Q5_K"},
    {"IQ4_XS", 30, "IQ4_XS", 4.460, "almost as good as Q4_K_S, smaller"},
    {"Q4_0", 2, "Q4_0", 4.636, "simple and fast; Q4_K_S is better at the same size"},
    {"Q4_K_S", 14, "Q4_K", 4.667, "good, a little smaller than Q4_K_M"},
    {"IQ4_NL", 25, "IQ4_NL", 4.682, "for models whose rows are no multiple of 256"},
    {"Q4_K_M", 15, "Q4_K", 4.894, "the usual choice: small, with little loss"},
    {"Q4_1", 3, "Q4_1", 5.103, "simple; Q4_K_M is better and smaller"},
    {"Q5_K_S", 16, "Q5_K", 5.570, "hardly any loss"},
    {"Q5_0", 8, "Q5_0", 5.570, "simple; Q5_K_S is better at the same size"},
    {"Q5_K_M", 17, "Q5_K", 5.704, "hardly any loss; attention values and half of ffn_down in Q6_K"},
    {"Q5_1", 9, "Q5_1", 6.038, "simple; Q5_K_M is better and smaller"},
    {"Q6_K", 18, "Q6_K", 6.563, "next to no loss"},
    {"Q8_0", 7, "Q8_0", 8.501, "no loss that could be noticed"},
    {"MXFP4_MOE", 38, "MXFP4", 8.501, "experts in MXFP4 (4.25 bits), everything else in Q8_0"},
    {"F16", 1, "F16", 16.001, "half floats"},
    {"BF16", 32, "BF16", 16.001, "the type that most models are published in"},
    {"F32", 0, "F32", 32.000, "single floats"},
    {"COPY", kKeepFileType, "", 0, "every tensor as it is"},
};

constexpr Alias kAliases[] = {{"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}};

constexpr PartName kPartNames[] = {
    {Part::output, "output.weight", true},
    {Part::token_embd, "token_embd.weight", true},
    {Part::token_embd, "per_layer_token_embd.weight", true},
    {Part::attn_v, "attn_v.weight", false},
    {Part::attn_v, "attn_qkv.weight", false},
    {Part::attn_v, "attn_kv_b.weight", false},
    {Part::attn_k, "attn_k.weight", false},
    {Part::attn_q, "attn_q.weight", false},
    {Part::ffn_down, "ffn_down", false},
    {Part::attn_output, "attn_output.weight", false},
    {Part::ffn_gate, "ffn_gate", false},
    {Part::ffn_up, "ffn_up", false},
};

// The layers that earn more bits: the first and the last eighth, and every third one between.
constexpr bool is_prominent(uint32_t i, uint32_t n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

constexpr bool is_falcon(const Facts& f) { return f.family == arch::RecipeFamily::falcon; }
constexpr bool is_llama_70b(const Facts& f) {
  return f.family == arch::RecipeFamily::llama && f.n_layer == 80 && f.shares_kv;
}

constexpr Condition kAlways = {"", [](const Facts&) { return true; }};
constexpr Condition kFalcon = {"falcon", [](const Facts& f) { return is_falcon(f); }};
constexpr Condition kOddOutput = {"falcon, or rows are not whole blocks of the default type",
                                  [](const Facts& f) { return is_falcon(f) || f.odd_columns; }};
constexpr Condition kStacked = {"experts", [](const Facts& f) { return f.stacked; }};
constexpr Condition kEightExperts = {"8 experts", [](const Facts& f) { return f.n_expert == 8; }};
constexpr Condition kSharedKv = {"4 or more query heads share it",
                                 [](const Facts& f) { return f.queries_per_kv >= 4; }};
constexpr Condition kSharedKvOrExperts = {"4 or more query heads share it, or 4 or more experts",
                                          [](const Facts& f) { return f.queries_per_kv >= 4 || f.n_expert >= 4; }};
constexpr Condition kLlama70b = {"Llama 70B: small beside the rest", [](const Facts& f) { return is_llama_70b(f); }};
constexpr Condition kLlama70bShared = {"Llama 70B: small beside the rest",
                                       [](const Facts& f) { return is_llama_70b(f) && f.queries_per_kv >= 4; }};
constexpr Condition kNoImatrix = {"no importance matrix", [](const Facts& f) { return !f.has_imatrix; }};
constexpr Condition kFirstTwo = {"the first 2", [](const Facts& f) { return f.nth < 2; }};
constexpr Condition kFirstFour = {"the first 4", [](const Facts& f) { return f.nth < 4; }};
constexpr Condition kFirstEighthOfAll = {"the first eighth", [](const Facts& f) { return f.nth < f.n_layer / 8; }};
constexpr Condition kFirstEighth = {"the first eighth", [](const Facts& f) { return f.layer < f.n_layer / 8; }};
constexpr Condition kFirstSixteenth = {"the first sixteenth", [](const Facts& f) { return f.layer < f.n_layer / 16; }};
constexpr Condition kMiddle = {"between the first and the last eighth",
                               [](const Facts& f) { return f.n_layer / 8 <= f.layer && f.layer < 7 * f.n_layer / 8; }};
constexpr Condition kProminent = {"the first and last eighth, and every third between",
                                  [](const Facts& f) { return is_prominent(f.layer, f.n_layer); }};
constexpr Condition kProminentOfPart = {"the first and last eighth, and every third between",
                                        [](const Facts& f) { return is_prominent(f.nth, f.n_same); }};
constexpr Condition kFirstEighthNotFalcon = {"the first eighth",
                                             [](const Facts& f) { return !is_falcon(f) && kFirstEighth.holds(f); }};
constexpr Condition kFirstEighthNoImatrix = {"the first eighth, no importance matrix",
                                             [](const Facts& f) { return !f.has_imatrix && kFirstEighth.holds(f); }};
constexpr Condition kFirstEighthImatrix = {"the first eighth, importance matrix",
                                           [](const Facts& f) { return f.has_imatrix && kFirstEighth.holds(f); }};
constexpr Condition kFirstSixteenthFalcon = {"falcon, the first sixteenth",
                                             [](const Facts& f) { return is_falcon(f) && kFirstSixteenth.holds(f); }};
constexpr Condition kProminentFalcon = {"falcon, the first and last eighth, and every third between",
                                        [](const Facts& f) { return is_falcon(f) && kProminent.holds(f); }};
constexpr Condition kUnlessDullFalcon = {"unless falcon, and none of the more important layers",
                                         [](const Facts& f) { return !is_falcon(f) || kProminent.holds(f); }};
constexpr Condition kFirstEighthOrEightExperts = {
    "the first eighth; with 8 experts also the last one and every third between",
    [](const Facts& f) { return kFirstEighth.holds(f) || (f.n_expert == 8 && kProminent.holds(f)); }};

// The recipes of 1 and 2 bits have rules of their own.
#define QUERN_LOW "IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M"

constexpr Rule kRules[] = {
    {Part::output, "MXFP4_MOE", kAlways, "Q8_0"},
    {Part::output, "*", kOddOutput, "Q8_0"},
    {Part::output, QUERN_LOW " IQ3_XXS", kAlways, "Q5_K"},
    {Part::output, "Q8_0", kAlways, kDefault},
    {Part::output, "*", kAlways, "Q6_K"},

    {Part::any, "MXFP4_MOE", kStacked, kDefault},
    {Part::any, "MXFP4_MOE", kAlways, "Q8_0"},

    {Part::token_embd, "IQ1_S IQ1_M IQ2_XXS IQ2_XS", kAlways, "Q2_K"},
    {Part::token_embd, "IQ2_S IQ2_M IQ3_XXS", kAlways, "IQ3_S"},
    {Part::token_embd, "TQ1_0 TQ2_0 Q2_0", kAlways, "Q4_K"},

    {Part::attn_v, QUERN_LOW, kSharedKvOrExperts, "Q4_K"},
    {Part::attn_v, "IQ2_S IQ2_M", kAlways, "IQ3_S"},
    {Part::attn_v, QUERN_LOW, kAlways, "Q2_K"},
    {Part::attn_v, "*", kEightExperts, "Q8_0"},
    {Part::attn_v, "Q4_K_M Q5_K_M", kProminentOfPart, "Q6_K"},
    {Part::attn_v, "Q2_K Q3_K_S Q3_K_M IQ3_M Q4_K_S Q4_K_M", kLlama70b, "Q5_K"},
    {Part::attn_v, "Q2_K_S IQ3_XXS IQ3_XS IQ3_S", kLlama70bShared, "Q5_K"},
    {Part::attn_v, "Q2_K Q2_K_S IQ3_XXS IQ3_XS IQ3_S", kSharedKv, "Q4_K"},
    {Part::attn_v, "Q2_K", kAlways, "Q3_K"},
    {Part::attn_v, "IQ3_XXS", kNoImatrix, "IQ3_S"},
    {Part::attn_v, "IQ3_M", kAlways, "Q4_K"},
    {Part::attn_v, "Q3_K_M", kFirstTwo, "Q5_K"},
    {Part::attn_v, "Q3_K_M", kAlways, "Q4_K"},
    {Part::attn_v, "Q3_K_L", kAlways, "Q5_K"},
    {Part::attn_v, "Q4_K_S", kFirstFour, "Q5_K"},
    {Part::attn_v, "IQ4_NL IQ4_XS", kSharedKv, "Q5_K"},

    {Part::attn_k, QUERN_LOW, kEightExperts, "Q4_K"},
    {Part::attn_k, QUERN_LOW, kAlways, kDefault},
    {Part::attn_k, "*", kEightExperts, "Q8_0"},
    {Part::attn_k, "IQ3_XS", kAlways, "IQ3_XXS"},
    {Part::attn_k, "IQ3_XXS", kAlways, "IQ2_S"},

    {Part::attn_q, "IQ3_XS", kAlways, "IQ3_XXS"},
    {Part::attn_q, "IQ3_XXS", kAlways, "IQ2_S"},

    {Part::ffn_down, "IQ2_S IQ2_M", kFirstEighthOfAll, "IQ3_S"},
    {Part::ffn_down, QUERN_LOW, kFirstEighthOfAll, "Q2_K"},
    {Part::ffn_down, "Q2_K", kAlways, "Q3_K"},
    {Part::ffn_down, "Q2_K_S", kFirstEighth, "Q4_K"},
    {Part::ffn_down, "IQ3_XXS", kFirstEighthNoImatrix, "Q4_K"},
    {Part::ffn_down, "IQ3_XXS", kNoImatrix, "Q3_K"},
    {Part::ffn_down, "IQ3_M", kFirstEighthOrEightExperts, "Q4_K"},
    {Part::ffn_down, "Q3_K_M", kFirstSixteenth, "Q5_K"},
    {Part::ffn_down, "Q3_K_M", kUnlessDullFalcon, "Q4_K"},
    {Part::ffn_down, "Q3_K_L", kFalcon, "Q4_K"},
    {Part::ffn_down, "Q3_K_L", kAlways, "Q5_K"},
    {Part::ffn_down, "Q4_K_S", kFirstEighthNotFalcon, "Q5_K"},
    {Part::ffn_down, "Q4_K_M", kFirstSixteenthFalcon, "Q6_K"},
    {Part::ffn_down, "Q4_K_M", kProminentFalcon, "Q5_K"},
    {Part::ffn_down, "Q4_K_M", kFalcon, kDefault},
    {Part::ffn_down, "Q4_K_M Q5_K_M", kProminent, "Q6_K"},
    {Part::ffn_down, "IQ4_NL IQ4_XS", kFirstEighthNoImatrix, "Q5_K"},
    {Part::ffn_down, "Q4_0", kFirstEighthImatrix, "Q4_1"},
    {Part::ffn_down, "Q5_0", kFirstEighthImatrix, "Q5_1"},

    {Part::attn_output, QUERN_LOW, kEightExperts, "Q5_K"},
    {Part::attn_output, "IQ1_S IQ1_M", kAlways, "IQ2_XXS"},
    {Part::attn_output, "IQ2_S IQ2_M", kAlways, "IQ3_S"},
    {Part::attn_output, "Q3_K_L", kFalcon, "Q4_K"},
    {Part::attn_output, "*", kFalcon, kDefault},
    {Part::attn_output, "Q3_K_L Q5_K_S Q5_K_M", kEightExperts, kDefault},
    {Part::attn_output, "Q2_K IQ3_XS IQ3_XXS Q3_K_S Q3_K_M IQ4_NL Q4_K_S Q4_K_M IQ3_S IQ3_M IQ4_XS", kEightExperts,
     "Q5_K"},
    {Part::attn_output, "Q2_K", kAlways, "Q3_K"},
    {Part::attn_output, "IQ3_XXS", kAlways, "IQ3_S"},
    {Part::attn_output, "Q3_K_M IQ3_M", kAlways, "Q4_K"},
    {Part::attn_output, "Q3_K_L", kAlways, "Q5_K"},

    {Part::ffn_gate, "IQ3_XS", kMiddle, "IQ3_XXS"},
    {Part::ffn_up, "IQ3_XS", kMiddle, "IQ3_XXS"},
};
#undef QUERN_LOW

constexpr std::string_view kNeverQuantized[] = {
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    "position_embd.weight",
    "token_types.weight",
    ".position_embd",
    ".patch_embd",
    ".patch_merger",
    ".rel_pos",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
};

constexpr StandIn kStandIns[] = {
    {"IQ1_S", "IQ4_NL"},   {"IQ1_M", "IQ4_NL"}, {"IQ2_XXS", "IQ4_NL"}, {"IQ2_XS", "IQ4_NL"}, {"IQ2_S", "IQ4_NL"},
    {"IQ3_XXS", "IQ4_NL"}, {"IQ3_S", "IQ4_NL"}, {"IQ4_XS", "IQ4_NL"},  {"Q2_0", "Q4_0"},     {"Q2_K", "Q4_0"},
    {"Q3_K", "Q4_0"},      {"TQ1_0", "Q4_0"},   {"TQ2_0", "Q4_0"},     {"Q4_K", "Q5_0"},     {"Q5_K", "Q5_1"},
    {"Q6_K", "Q8_0"},      {"Q1_0", "Q4_0"},
};

constexpr ImatrixNeed kImatrixNeeds[] = {
    {"IQ1_S", "*", true},  {"IQ2_XXS", "*", true},  {"IQ2_XS", "*", true},     {"IQ1_M", "*", false},
    {"IQ2_S", "*", false}, {"IQ3_XXS", "*", false}, {"Q2_K", "Q2_K_S", false},
};

}  // namespace

std::span<const Recipe> recipe_table() { return kRecipes; }
std::span<const Rule> rule_table() { return kRules; }
std::span<const Alias> alias_table() { return kAliases; }
std::span<const PartName> part_table() { return kPartNames; }
std::span<const std::string_view> never_quantized() { return kNeverQuantized; }
std::span<const StandIn> stand_in_table() { return kStandIns; }
std::span<const ImatrixNeed> imatrix_table() { return kImatrixNeeds; }

}  // namespace quern::convert
