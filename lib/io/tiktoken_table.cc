// The published rank files: their pre-tokenizers and special tokens, as the programs that come with them have it.
#include "lib/io/tiktoken.h"

namespace quern::io {
namespace {

using Special = KnownRanks::Special;
using Reserved = KnownRanks::Reserved;

// r50k_base and p50k_base: https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py, as the next two.
constexpr Special kGpt2[] = {{50256, "<|endoftext|>"}};
constexpr Special kCl100k[] = {{100257, "<|endoftext|>"},
                               {100258, "<|fim_prefix|>"},
                               {100259, "<|fim_middle|>"},
                               {100260, "<|fim_suffix|>"},
                               {100276, "<|endofprompt|>"}};
// o200k_base and the tokens that o200k_harmony (gpt-oss) adds to it.
constexpr Special kO200k[] = {{199998, "<|startoftext|>"}, {199999, "<|endoftext|>"}, {200002, "<|return|>"},
                              {200003, "<|constrain|>"},   {200005, "<|channel|>"},   {200006, "<|start|>"},
                              {200007, "<|end|>"},         {200008, "<|message|>"},   {200012, "<|call|>"},
                              {200018, "<|endofprompt|>"}};

// Llama 3.1 and later; Llama 3.0 has the same ranks and calls some of these reserved.
constexpr Special kLlama3[] = {{128000, "<|begin_of_text|>"},
                               {128001, "<|end_of_text|>"},
                               {128002, "<|reserved_special_token_0|>"},
                               {128003, "<|reserved_special_token_1|>"},
                               {128004, "<|finetune_right_pad_id|>"},
                               {128005, "<|reserved_special_token_2|>"},
                               {128006, "<|start_header_id|>"},
                               {128007, "<|end_header_id|>"},
                               {128008, "<|eom_id|>"},
                               {128009, "<|eot_id|>"},
                               {128010, "<|python_tag|>"}};
constexpr Reserved kLlama3Reserved[] = {{128011, 245, "<|reserved_special_token_", "|>", 3}};

constexpr Special kLlama4[] = {{200000, "<|begin_of_text|>"},
                               {200001, "<|end_of_text|>"},
                               {200002, "<|fim_prefix|>"},
                               {200003, "<|fim_middle|>"},
                               {200004, "<|fim_suffix|>"},
                               {200005, "<|header_start|>"},
                               {200006, "<|header_end|>"},
                               {200007, "<|eom|>"},
                               {200008, "<|eot|>"},
                               {200009, "<|step|>"},
                               {200016, "<|python_start|>"},
                               {200017, "<|python_end|>"},
                               {200018, "<|finetune_right_pad|>"}};
constexpr Reserved kLlama4Reserved[] = {{200010, 6, "<|text_post_train_reserved_special_token_", "|>", 0},
                                        {200019, 61, "<|text_post_train_reserved_special_token_", "|>", 6}};

// Qwen 1: https://huggingface.co/Qwen/Qwen-7B/blob/main/tokenization_qwen.py
constexpr Special kQwen[] = {{151643, "<|endoftext|>"}, {151644, "<|im_start|>"}, {151645, "<|im_end|>"}};
constexpr Reserved kQwenReserved[] = {{151646, 205, "<|extra_", "|>", 0}};

constexpr KnownRanks kKnown[] = {
    {50256, "r50k_base (GPT-2)", "gpt-2", kGpt2, {}, "", "<|endoftext|>", false, 50257},
    {50280, "p50k_base", "gpt-2", kGpt2, {}, "", "<|endoftext|>", false, 50281},
    {100256, "cl100k_base (GPT-4)", "llama-bpe", kCl100k, {}, "", "<|endoftext|>", false, 100277},
    {128000, "Llama 3", "llama-bpe", kLlama3, kLlama3Reserved, "<|begin_of_text|>", "<|end_of_text|>", true, 128256},
    {151643, "Qwen 1", "qwen2", kQwen, kQwenReserved, "", "<|endoftext|>", false, 151851},
    {199998, "o200k_base (GPT-4o, gpt-oss)", "gpt-4o", kO200k, {}, "", "<|endoftext|>", false, 200019},
    {200000, "Llama 4", "llama4", kLlama4, kLlama4Reserved, "<|begin_of_text|>", "<|end_of_text|>", true, 202048},
};

}  // namespace

std::span<const KnownRanks> known_ranks() { return kKnown; }

}  // namespace quern::io
