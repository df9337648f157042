/* Sizes and offsets of the public structs on x86-64, as programs have been compiled with. Written by
 * `layout.py update`, which adds lines and changes none, but for the size of structs that begin with struct_size. */
#include <quern_c.h>

/* clang-format off */
#if defined(__x86_64__) && defined(__LP64__)
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has another size than recorded")
#define FIRST(type, size) _Static_assert((size) <= sizeof(type), #type " is shorter than it was")
#define FIELD(type, field, offset, size)                                           \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved"); \
  _Static_assert(sizeof(((type*)0)->field) == (size), #type "." #field " has another size than recorded")

SIZE(quern_runtime_options, 64);
FIRST(quern_runtime_options, 40);
FIELD(quern_runtime_options, struct_size, 0, 8);
FIELD(quern_runtime_options, n_threads, 8, 4);
FIELD(quern_runtime_options, backend, 16, 8);
FIELD(quern_runtime_options, log, 24, 8);
FIELD(quern_runtime_options, log_user, 32, 8);
FIELD(quern_runtime_options, processors, 40, 8);
FIELD(quern_runtime_options, n_processors, 48, 8);
FIELD(quern_runtime_options, pin_threads, 56, 4);
FIELD(quern_runtime_options, reserved, 60, 4);

SIZE(quern_model_options, 72);
FIRST(quern_model_options, 48);
FIELD(quern_model_options, struct_size, 0, 8);
FIELD(quern_model_options, runtime, 8, 8);
FIELD(quern_model_options, no_mmap, 16, 4);
FIELD(quern_model_options, vocab_only, 20, 4);
FIELD(quern_model_options, progress, 24, 8);
FIELD(quern_model_options, progress_user, 32, 8);
FIELD(quern_model_options, cancel, 40, 8);
FIELD(quern_model_options, no_repack, 48, 4);
FIELD(quern_model_options, quantize, 56, 8);
FIELD(quern_model_options, double_quant, 64, 4);
FIELD(quern_model_options, reserved, 68, 4);

SIZE(quern_model_info, 88);
FIRST(quern_model_info, 88);
FIELD(quern_model_info, struct_size, 0, 8);
FIELD(quern_model_info, path, 8, 8);
FIELD(quern_model_info, name, 16, 8);
FIELD(quern_model_info, architecture, 24, 8);
FIELD(quern_model_info, file_type, 32, 8);
FIELD(quern_model_info, n_parameters, 40, 8);
FIELD(quern_model_info, size_bytes, 48, 8);
FIELD(quern_model_info, n_vocab, 56, 4);
FIELD(quern_model_info, n_embd, 60, 4);
FIELD(quern_model_info, n_layer, 64, 4);
FIELD(quern_model_info, n_head, 68, 4);
FIELD(quern_model_info, n_head_kv, 72, 4);
FIELD(quern_model_info, n_ff, 76, 4);
FIELD(quern_model_info, n_ctx_train, 80, 4);

SIZE(quern_footprint, 72);
FIRST(quern_footprint, 72);
FIELD(quern_footprint, struct_size, 0, 8);
FIELD(quern_footprint, matrix_bytes, 8, 8);
FIELD(quern_footprint, vector_bytes, 16, 8);
FIELD(quern_footprint, table_bytes, 24, 8);
FIELD(quern_footprint, kept_bytes, 32, 8);
FIELD(quern_footprint, total_bytes, 40, 8);
FIELD(quern_footprint, file_bytes, 48, 8);
FIELD(quern_footprint, file_needed_bytes, 56, 8);
FIELD(quern_footprint, file_mapped, 64, 4);
FIELD(quern_footprint, reserved, 68, 4);

SIZE(quern_tensor_info, 72);
FIRST(quern_tensor_info, 72);
FIELD(quern_tensor_info, struct_size, 0, 8);
FIELD(quern_tensor_info, name, 8, 8);
FIELD(quern_tensor_info, type, 16, 8);
FIELD(quern_tensor_info, n_dims, 24, 4);
FIELD(quern_tensor_info, shape, 32, 32);
FIELD(quern_tensor_info, size_bytes, 64, 8);

SIZE(quern_chat_message, 24);
FIELD(quern_chat_message, role, 0, 8);
FIELD(quern_chat_message, content, 8, 8);
FIELD(quern_chat_message, content_size, 16, 8);

SIZE(quern_template_options, 24);
FIRST(quern_template_options, 24);
FIELD(quern_template_options, struct_size, 0, 8);
FIELD(quern_template_options, no_generation_prompt, 8, 4);
FIELD(quern_template_options, extra_json, 16, 8);

SIZE(quern_context_options, 40);
FIRST(quern_context_options, 32);
FIELD(quern_context_options, struct_size, 0, 8);
FIELD(quern_context_options, n_ctx, 8, 4);
FIELD(quern_context_options, n_batch, 12, 4);
FIELD(quern_context_options, n_seq_max, 16, 4);
FIELD(quern_context_options, type_k, 20, 4);
FIELD(quern_context_options, type_v, 24, 4);
FIELD(quern_context_options, n_checkpoints, 32, 8);

SIZE(quern_batch_token, 16);
FIELD(quern_batch_token, token, 0, 4);
FIELD(quern_batch_token, position, 4, 4);
FIELD(quern_batch_token, sequence, 8, 4);
FIELD(quern_batch_token, logits, 12, 4);

SIZE(quern_decode_options, 32);
FIRST(quern_decode_options, 32);
FIELD(quern_decode_options, struct_size, 0, 8);
FIELD(quern_decode_options, progress, 8, 8);
FIELD(quern_decode_options, progress_user, 16, 8);
FIELD(quern_decode_options, cancel, 24, 8);

SIZE(quern_logit_bias, 8);
FIELD(quern_logit_bias, token, 0, 4);
FIELD(quern_logit_bias, bias, 4, 4);

SIZE(quern_sampler_options, 144);
FIRST(quern_sampler_options, 144);
FIELD(quern_sampler_options, struct_size, 0, 8);
FIELD(quern_sampler_options, seed, 8, 4);
FIELD(quern_sampler_options, temperature, 12, 4);
FIELD(quern_sampler_options, dynatemp_range, 16, 4);
FIELD(quern_sampler_options, dynatemp_exponent, 20, 4);
FIELD(quern_sampler_options, top_k, 24, 4);
FIELD(quern_sampler_options, top_p, 28, 4);
FIELD(quern_sampler_options, min_p, 32, 4);
FIELD(quern_sampler_options, typical_p, 36, 4);
FIELD(quern_sampler_options, top_n_sigma, 40, 4);
FIELD(quern_sampler_options, min_keep, 44, 4);
FIELD(quern_sampler_options, xtc_probability, 48, 4);
FIELD(quern_sampler_options, xtc_threshold, 52, 4);
FIELD(quern_sampler_options, penalty_last_n, 56, 4);
FIELD(quern_sampler_options, repeat_penalty, 60, 4);
FIELD(quern_sampler_options, frequency_penalty, 64, 4);
FIELD(quern_sampler_options, presence_penalty, 68, 4);
FIELD(quern_sampler_options, dry_multiplier, 72, 4);
FIELD(quern_sampler_options, dry_base, 76, 4);
FIELD(quern_sampler_options, dry_allowed_length, 80, 4);
FIELD(quern_sampler_options, dry_penalty_last_n, 84, 4);
FIELD(quern_sampler_options, dry_sequence_breakers, 88, 8);
FIELD(quern_sampler_options, n_dry_sequence_breakers, 96, 8);
FIELD(quern_sampler_options, mirostat, 104, 4);
FIELD(quern_sampler_options, mirostat_tau, 108, 4);
FIELD(quern_sampler_options, mirostat_eta, 112, 4);
FIELD(quern_sampler_options, ignore_eos, 116, 4);
FIELD(quern_sampler_options, logit_bias, 120, 8);
FIELD(quern_sampler_options, n_logit_bias, 128, 8);
FIELD(quern_sampler_options, order, 136, 8);

SIZE(quern_token_probability, 8);
FIELD(quern_token_probability, token, 0, 4);
FIELD(quern_token_probability, probability, 4, 4);

SIZE(quern_token_logprob, 8);
FIELD(quern_token_logprob, token, 0, 4);
FIELD(quern_token_logprob, logprob, 4, 4);

SIZE(quern_step, 48);
FIRST(quern_step, 48);
FIELD(quern_step, struct_size, 0, 8);
FIELD(quern_step, token, 8, 4);
FIELD(quern_step, logprob, 12, 4);
FIELD(quern_step, text, 16, 8);
FIELD(quern_step, size, 24, 8);
FIELD(quern_step, top, 32, 8);
FIELD(quern_step, n_top, 40, 8);

SIZE(quern_generate_options, 120);
FIRST(quern_generate_options, 80);
FIELD(quern_generate_options, struct_size, 0, 8);
FIELD(quern_generate_options, max_tokens, 8, 4);
FIELD(quern_generate_options, sampler, 16, 8);
FIELD(quern_generate_options, stop, 24, 8);
FIELD(quern_generate_options, n_stop, 32, 8);
FIELD(quern_generate_options, on_token, 40, 8);
FIELD(quern_generate_options, on_token_user, 48, 8);
FIELD(quern_generate_options, progress, 56, 8);
FIELD(quern_generate_options, progress_user, 64, 8);
FIELD(quern_generate_options, cancel, 72, 8);
FIELD(quern_generate_options, adapters, 80, 8);
FIELD(quern_generate_options, n_adapters, 88, 8);
FIELD(quern_generate_options, on_step, 96, 8);
FIELD(quern_generate_options, on_step_user, 104, 8);
FIELD(quern_generate_options, logprobs, 112, 4);
FIELD(quern_generate_options, n_logprobs, 116, 4);

SIZE(quern_timings, 40);
FIRST(quern_timings, 40);
FIELD(quern_timings, struct_size, 0, 8);
FIELD(quern_timings, n_prompt, 8, 4);
FIELD(quern_timings, n_cached, 12, 4);
FIELD(quern_timings, n_generated, 16, 4);
FIELD(quern_timings, prompt_seconds, 24, 8);
FIELD(quern_timings, generate_seconds, 32, 8);

SIZE(quern_adapter_info, 48);
FIRST(quern_adapter_info, 48);
FIELD(quern_adapter_info, struct_size, 0, 8);
FIELD(quern_adapter_info, path, 8, 8);
FIELD(quern_adapter_info, name, 16, 8);
FIELD(quern_adapter_info, n_weights, 24, 8);
FIELD(quern_adapter_info, size_bytes, 32, 8);
FIELD(quern_adapter_info, rank, 40, 4);
FIELD(quern_adapter_info, alpha, 44, 4);

SIZE(quern_adapter_use, 16);
FIELD(quern_adapter_use, adapter, 0, 8);
FIELD(quern_adapter_use, scale, 8, 4);
FIELD(quern_adapter_use, reserved, 12, 4);

SIZE(quern_check_options, 48);
FIRST(quern_check_options, 32);
FIELD(quern_check_options, struct_size, 0, 8);
FIELD(quern_check_options, runtime, 8, 8);
FIELD(quern_check_options, no_mmap, 16, 4);
FIELD(quern_check_options, no_repack, 20, 4);
FIELD(quern_check_options, context, 24, 8);
FIELD(quern_check_options, quantize, 32, 8);
FIELD(quern_check_options, double_quant, 40, 4);
FIELD(quern_check_options, reserved, 44, 4);

SIZE(quern_check_info, 176);
FIRST(quern_check_info, 176);
FIELD(quern_check_info, struct_size, 0, 8);
FIELD(quern_check_info, opens, 8, 4);
FIELD(quern_check_info, runs, 12, 4);
FIELD(quern_check_info, format, 16, 8);
FIELD(quern_check_info, architecture, 24, 8);
FIELD(quern_check_info, tokenizer, 32, 8);
FIELD(quern_check_info, pretokenizer, 40, 8);
FIELD(quern_check_info, file_type, 48, 8);
FIELD(quern_check_info, backend, 56, 8);
FIELD(quern_check_info, architecture_known, 64, 4);
FIELD(quern_check_info, tokenizer_known, 68, 4);
FIELD(quern_check_info, has_chat_template, 72, 4);
FIELD(quern_check_info, n_ctx, 76, 4);
FIELD(quern_check_info, n_problems, 80, 8);
FIELD(quern_check_info, n_listed, 88, 8);
FIELD(quern_check_info, n_tensors, 96, 8);
FIELD(quern_check_info, n_unused, 104, 8);
FIELD(quern_check_info, n_skipped, 112, 8);
FIELD(quern_check_info, n_skipped_layers, 120, 4);
FIELD(quern_check_info, reserved, 124, 4);
FIELD(quern_check_info, file_bytes, 128, 8);
FIELD(quern_check_info, weight_bytes, 136, 8);
FIELD(quern_check_info, cache_bytes, 144, 8);
FIELD(quern_check_info, buffer_bytes, 152, 8);
FIELD(quern_check_info, needed_bytes, 160, 8);
FIELD(quern_check_info, available_bytes, 168, 8);

SIZE(quern_check_problem, 40);
FIRST(quern_check_problem, 40);
FIELD(quern_check_problem, struct_size, 0, 8);
FIELD(quern_check_problem, part, 8, 4);
FIELD(quern_check_problem, fatal, 12, 4);
FIELD(quern_check_problem, code, 16, 4);
FIELD(quern_check_problem, missing, 20, 4);
FIELD(quern_check_problem, message, 24, 8);
FIELD(quern_check_problem, tensor, 32, 8);

SIZE(quern_perplexity_options, 80);
FIRST(quern_perplexity_options, 48);
FIELD(quern_perplexity_options, struct_size, 0, 8);
FIELD(quern_perplexity_options, n_ctx, 8, 4);
FIELD(quern_perplexity_options, n_batch, 12, 4);
FIELD(quern_perplexity_options, max_windows, 16, 4);
FIELD(quern_perplexity_options, progress, 24, 8);
FIELD(quern_perplexity_options, progress_user, 32, 8);
FIELD(quern_perplexity_options, cancel, 40, 8);
FIELD(quern_perplexity_options, adapters, 48, 8);
FIELD(quern_perplexity_options, n_adapters, 56, 8);
FIELD(quern_perplexity_options, on_window, 64, 8);
FIELD(quern_perplexity_options, on_window_user, 72, 8);

SIZE(quern_perplexity_result, 48);
FIRST(quern_perplexity_result, 48);
FIELD(quern_perplexity_result, struct_size, 0, 8);
FIELD(quern_perplexity_result, ppl, 8, 8);
FIELD(quern_perplexity_result, nll, 16, 8);
FIELD(quern_perplexity_result, nll_stderr, 24, 8);
FIELD(quern_perplexity_result, n_tokens, 32, 8);
FIELD(quern_perplexity_result, n_windows, 40, 4);

SIZE(quern_imatrix_options, 80);
FIRST(quern_imatrix_options, 64);
FIELD(quern_imatrix_options, struct_size, 0, 8);
FIELD(quern_imatrix_options, n_ctx, 8, 4);
FIELD(quern_imatrix_options, n_batch, 12, 4);
FIELD(quern_imatrix_options, first_chunk, 16, 4);
FIELD(quern_imatrix_options, max_chunks, 20, 4);
FIELD(quern_imatrix_options, process_output, 24, 4);
FIELD(quern_imatrix_options, dataset, 32, 8);
FIELD(quern_imatrix_options, progress, 40, 8);
FIELD(quern_imatrix_options, progress_user, 48, 8);
FIELD(quern_imatrix_options, cancel, 56, 8);
FIELD(quern_imatrix_options, on_chunk, 64, 8);
FIELD(quern_imatrix_options, on_chunk_user, 72, 8);

SIZE(quern_imatrix_info, 24);
FIRST(quern_imatrix_info, 24);
FIELD(quern_imatrix_info, struct_size, 0, 8);
FIELD(quern_imatrix_info, n_tensors, 8, 8);
FIELD(quern_imatrix_info, n_chunks, 16, 4);
FIELD(quern_imatrix_info, chunk_size, 20, 4);

SIZE(quern_imatrix_tensor, 112);
FIRST(quern_imatrix_tensor, 112);
FIELD(quern_imatrix_tensor, struct_size, 0, 8);
FIELD(quern_imatrix_tensor, name, 8, 8);
FIELD(quern_imatrix_tensor, n_values, 16, 8);
FIELD(quern_imatrix_tensor, layer, 24, 4);
FIELD(quern_imatrix_tensor, reserved, 28, 4);
FIELD(quern_imatrix_tensor, sum, 32, 8);
FIELD(quern_imatrix_tensor, min, 40, 8);
FIELD(quern_imatrix_tensor, max, 48, 8);
FIELD(quern_imatrix_tensor, mean, 56, 8);
FIELD(quern_imatrix_tensor, stddev, 64, 8);
FIELD(quern_imatrix_tensor, active, 72, 8);
FIELD(quern_imatrix_tensor, entropy, 80, 8);
FIELD(quern_imatrix_tensor, normalized_entropy, 88, 8);
FIELD(quern_imatrix_tensor, zd_score, 96, 8);
FIELD(quern_imatrix_tensor, cosine, 104, 8);

SIZE(quern_imatrix_layer, 40);
FIRST(quern_imatrix_layer, 40);
FIELD(quern_imatrix_layer, struct_size, 0, 8);
FIELD(quern_imatrix_layer, layer, 8, 4);
FIELD(quern_imatrix_layer, reserved, 12, 4);
FIELD(quern_imatrix_layer, sum, 16, 8);
FIELD(quern_imatrix_layer, zd_score, 24, 8);
FIELD(quern_imatrix_layer, cosine, 32, 8);

SIZE(quern_quantization_type, 48);
FIRST(quern_quantization_type, 40);
FIELD(quern_quantization_type, struct_size, 0, 8);
FIELD(quern_quantization_type, name, 8, 8);
FIELD(quern_quantization_type, description, 16, 8);
FIELD(quern_quantization_type, bits_per_weight, 24, 8);
FIELD(quern_quantization_type, needs_imatrix, 32, 4);
FIELD(quern_quantization_type, reserved, 36, 4);
FIELD(quern_quantization_type, makes_folder, 40, 4);
FIELD(quern_quantization_type, reserved2, 44, 4);

SIZE(quern_tensor_type_override, 16);
FIELD(quern_tensor_type_override, pattern, 0, 8);
FIELD(quern_tensor_type_override, type, 8, 8);

SIZE(quern_quantize_options, 200);
FIRST(quern_quantize_options, 152);
FIELD(quern_quantize_options, struct_size, 0, 8);
FIELD(quern_quantize_options, type, 8, 8);
FIELD(quern_quantize_options, imatrix, 16, 8);
FIELD(quern_quantize_options, method, 24, 8);
FIELD(quern_quantize_options, calibration, 32, 8);
FIELD(quern_quantize_options, calibration_size, 40, 8);
FIELD(quern_quantize_options, calibration_ctx, 48, 4);
FIELD(quern_quantize_options, calibration_chunks, 52, 4);
FIELD(quern_quantize_options, tensor_types, 56, 8);
FIELD(quern_quantize_options, n_tensor_types, 64, 8);
FIELD(quern_quantize_options, output_tensor_type, 72, 8);
FIELD(quern_quantize_options, token_embedding_type, 80, 8);
FIELD(quern_quantize_options, pure, 88, 4);
FIELD(quern_quantize_options, leave_output_tensor, 92, 4);
FIELD(quern_quantize_options, allow_requantize, 96, 4);
FIELD(quern_quantize_options, dry_run, 100, 4);
FIELD(quern_quantize_options, keep_split, 104, 4);
FIELD(quern_quantize_options, reserved, 108, 4);
FIELD(quern_quantize_options, override_kv, 112, 8);
FIELD(quern_quantize_options, n_override_kv, 120, 8);
FIELD(quern_quantize_options, progress, 128, 8);
FIELD(quern_quantize_options, progress_user, 136, 8);
FIELD(quern_quantize_options, cancel, 144, 8);
FIELD(quern_quantize_options, target_size_bytes, 152, 8);
FIELD(quern_quantize_options, target_bpw, 160, 8);
FIELD(quern_quantize_options, report, 168, 8);
FIELD(quern_quantize_options, report_size, 176, 8);
FIELD(quern_quantize_options, report_chunks, 184, 4);
FIELD(quern_quantize_options, reserved2, 188, 4);
FIELD(quern_quantize_options, group_size, 192, 4);
FIELD(quern_quantize_options, asymmetric, 196, 4);

SIZE(quern_quantize_info, 88);
FIRST(quern_quantize_info, 48);
FIELD(quern_quantize_info, struct_size, 0, 8);
FIELD(quern_quantize_info, n_tensors, 8, 8);
FIELD(quern_quantize_info, n_files, 16, 8);
FIELD(quern_quantize_info, from_bytes, 24, 8);
FIELD(quern_quantize_info, to_bytes, 32, 8);
FIELD(quern_quantize_info, bits_per_weight, 40, 8);
FIELD(quern_quantize_info, n_report_tokens, 48, 8);
FIELD(quern_quantize_info, kl_divergence, 56, 8);
FIELD(quern_quantize_info, top1_agreement, 64, 8);
FIELD(quern_quantize_info, ppl, 72, 8);
FIELD(quern_quantize_info, source_ppl, 80, 8);

SIZE(quern_quantized_tensor, 104);
FIRST(quern_quantized_tensor, 104);
FIELD(quern_quantized_tensor, struct_size, 0, 8);
FIELD(quern_quantized_tensor, name, 8, 8);
FIELD(quern_quantized_tensor, from, 16, 8);
FIELD(quern_quantized_tensor, to, 24, 8);
FIELD(quern_quantized_tensor, reason, 32, 8);
FIELD(quern_quantized_tensor, fallback, 40, 8);
FIELD(quern_quantized_tensor, n_dims, 48, 4);
FIELD(quern_quantized_tensor, reserved, 52, 4);
FIELD(quern_quantized_tensor, shape, 56, 32);
FIELD(quern_quantized_tensor, from_bytes, 88, 8);
FIELD(quern_quantized_tensor, to_bytes, 96, 8);

SIZE(quern_merged_adapter, 16);
FIELD(quern_merged_adapter, path, 0, 8);
FIELD(quern_merged_adapter, scale, 8, 4);
FIELD(quern_merged_adapter, reserved, 12, 4);

SIZE(quern_convert_options, 120);
FIRST(quern_convert_options, 104);
FIELD(quern_convert_options, struct_size, 0, 8);
FIELD(quern_convert_options, type, 8, 8);
FIELD(quern_convert_options, dequantize, 16, 4);
FIELD(quern_convert_options, allow_requantize, 20, 4);
FIELD(quern_convert_options, imatrix, 24, 8);
FIELD(quern_convert_options, model_name, 32, 8);
FIELD(quern_convert_options, vocab_only, 40, 4);
FIELD(quern_convert_options, dry_run, 44, 4);
FIELD(quern_convert_options, split_max_bytes, 48, 8);
FIELD(quern_convert_options, split_max_tensors, 56, 8);
FIELD(quern_convert_options, override_kv, 64, 8);
FIELD(quern_convert_options, n_override_kv, 72, 8);
FIELD(quern_convert_options, progress, 80, 8);
FIELD(quern_convert_options, progress_user, 88, 8);
FIELD(quern_convert_options, cancel, 96, 8);
FIELD(quern_convert_options, adapters, 104, 8);
FIELD(quern_convert_options, n_adapters, 112, 8);

SIZE(quern_embedder_options, 40);
FIRST(quern_embedder_options, 24);
FIELD(quern_embedder_options, struct_size, 0, 8);
FIELD(quern_embedder_options, pooling, 8, 4);
FIELD(quern_embedder_options, normalize, 12, 4);
FIELD(quern_embedder_options, n_batch, 16, 4);
FIELD(quern_embedder_options, reserved, 20, 4);
FIELD(quern_embedder_options, adapters, 24, 8);
FIELD(quern_embedder_options, n_adapters, 32, 8);

SIZE(quern_embed_options, 32);
FIRST(quern_embed_options, 32);
FIELD(quern_embed_options, struct_size, 0, 8);
FIELD(quern_embed_options, progress, 8, 8);
FIELD(quern_embed_options, progress_user, 16, 8);
FIELD(quern_embed_options, cancel, 24, 8);

SIZE(quern_comparison, 56);
FIRST(quern_comparison, 56);
FIELD(quern_comparison, struct_size, 0, 8);
FIELD(quern_comparison, kl_divergence, 8, 8);
FIELD(quern_comparison, kl_divergence_stderr, 16, 8);
FIELD(quern_comparison, top1_agreement, 24, 8);
FIELD(quern_comparison, reference_ppl, 32, 8);
FIELD(quern_comparison, ppl, 40, 8);
FIELD(quern_comparison, n_tokens, 48, 8);

SIZE(quern_scheduler_options, 48);
FIRST(quern_scheduler_options, 48);
FIELD(quern_scheduler_options, struct_size, 0, 8);
FIELD(quern_scheduler_options, n_parallel, 8, 4);
FIELD(quern_scheduler_options, max_queued, 12, 4);
FIELD(quern_scheduler_options, n_ctx_request, 16, 4);
FIELD(quern_scheduler_options, n_kept, 20, 4);
FIELD(quern_scheduler_options, context, 24, 8);
FIELD(quern_scheduler_options, adapters, 32, 8);
FIELD(quern_scheduler_options, n_adapters, 40, 8);

SIZE(quern_scheduler_stats, 88);
FIRST(quern_scheduler_stats, 88);
FIELD(quern_scheduler_stats, struct_size, 0, 8);
FIELD(quern_scheduler_stats, n_running, 8, 4);
FIELD(quern_scheduler_stats, n_queued, 12, 4);
FIELD(quern_scheduler_stats, n_kept, 16, 4);
FIELD(quern_scheduler_stats, n_used, 20, 4);
FIELD(quern_scheduler_stats, n_ctx, 24, 4);
FIELD(quern_scheduler_stats, reserved, 28, 4);
FIELD(quern_scheduler_stats, n_finished, 32, 8);
FIELD(quern_scheduler_stats, n_prompt_tokens, 40, 8);
FIELD(quern_scheduler_stats, n_cached_tokens, 48, 8);
FIELD(quern_scheduler_stats, n_generated_tokens, 56, 8);
FIELD(quern_scheduler_stats, n_steps, 64, 8);
FIELD(quern_scheduler_stats, prompt_seconds, 72, 8);
FIELD(quern_scheduler_stats, generate_seconds, 80, 8);

SIZE(quern_running, 24);
FIELD(quern_running, id, 0, 8);
FIELD(quern_running, n_prompt, 8, 4);
FIELD(quern_running, n_prompt_done, 12, 4);
FIELD(quern_running, n_generated, 16, 4);
FIELD(quern_running, reserved, 20, 4);

#endif

int main(void) { return 0; }
