#!/usr/bin/env python3
"""The tiny models of the golden tests as Hugging Face folders: writes tests/data/golden/hf/NAME.json, which
hf_folder_test.cc makes a folder of. Names of classes, fields and modules are those of transformers (its configuration_*.py
and modeling_*.py), and of the models' own code where a class comes with them (NomicBertModel, jina-embeddings-v3,
LlamaBidirectionalModel). Nothing here is read by the library, nor made of its tables.

A description has
  config   config.json
  files    other files, by name, as JSON
  arrays   [name, step...]: what makes the array, from the tensors of the GGUF. Steps work on a stack of row-major arrays:
           ["load", tensor], ["reshape", extents], ["transpose", axes], ["slice", axis, first, end, step],
           ["concat", n, axis], ["stack", n], ["add", x], ["log_of_minus"], ["values", extents, numbers]
  folders  the same for safetensors of other folders: {folder: arrays}
  replace  {tensor: numbers}: the GGUF with these is the one to compare with: what no config.json can say otherwise
  without  tensors of the GGUF that the folder does not make
  differ   {key: value}: keys whose value is another one, which means the same or cannot be said otherwise
  extra    keys that the GGUF of the golden test does without

  hf_families.py [NAME...]     all, or those named
"""
import json
import os
import sys

import goldens
from hf_families_encoders import (bert, eurobert, gemma_embedding, gemma_embedding_dense, jina_bert_v3, llama_embed, modern_bert,
                                  modern_bert_silu, nomic_bert, roberta)
from hf_tiny import *
from tiny_model import N_EMBD, N_FF, N_VOCAB

DATA = os.path.join(goldens.DATA, "hf")


def llama(name="llama"):
    """LlamaForCausalLM."""
    f = Folder(name, "LlamaForCausalLM", model_type="llama")
    sizes(f, rope_theta=10000.0, rope_scaling=LLAMA3, attention_bias=True, mlp_bias=True)
    f.replace["rope_freqs.weight"] = llama3_divisors(10000.0, 16, 8.0, 1.0, 4.0, 256)
    f.ends()
    f.modules(NORMS + MLP)
    unpaired_attention(f)
    return f


def mixtral():
    """MixtralForCausalLM."""
    f = Folder("mixtral", "MixtralForCausalLM", model_type="mixtral", num_local_experts=6, num_experts_per_tok=2)
    sizes(f, rope_theta=1e6, sliding_window=None)
    f.ends()
    f.modules(NORMS + [("block_sparse_moe.gate", "blk.{}.ffn_gate_inp")])
    unpaired_attention(f)
    for i in range(f.layers):
        f.experts(i, 6, MIXTRAL_EXPERTS, "blk.{}.ffn_{}_exps.weight")
    return f


def mistral3():
    """Mistral3ForConditionalGeneration around Ministral3's text model, with the names of transformers 5."""
    f = Folder("mistral3", "Mistral3ForConditionalGeneration", model_type="mistral3")
    f.root, f.layer = "model.language_model.", "model.language_model.layers.{}."
    f.ends()
    f.modules(NORMS + MLP)
    unpaired_attention(f)
    text = Folder("mistral3", "")
    sizes(text, head_dim=32, sliding_window=None, model_type="ministral3",
          rope_parameters={"rope_type": "yarn", "type": "yarn", "rope_theta": 1e6, "factor": 16.0, "beta_fast": 32.0,
                           "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1,
                           "original_max_position_embeddings": 16})
    del text.config["architectures"]
    f.config["text_config"] = text.config
    f.put("model.vision_tower.patch_conv.weight", ("values", [2, 2], [1, 2, 3, 4]))
    return f


def qwen2():
    """Qwen2ForCausalLM."""
    f = Folder("qwen2", "Qwen2ForCausalLM", model_type="qwen2", use_sliding_window=False, sliding_window=None)
    sizes(f, rope_theta=1e6)
    f.ends()
    f.modules(NORMS + ATTENTION + VALUES + MLP)
    return f


def qwen3():
    """Qwen3ForCausalLM; an output beside tied embeddings is not used."""
    f = Folder("qwen3", "Qwen3ForCausalLM", model_type="qwen3", use_sliding_window=False, sliding_window=None)
    sizes(f, head_dim=32, rope_theta=1e6, attention_bias=False)
    f.ends()
    f.put("lm_head.weight", ("load", "token_embd.weight"))
    f.modules(NORMS + ATTENTION + HEAD_NORMS + VALUES + MLP)
    return f


def qwen3moe():
    """Qwen3MoeForCausalLM."""
    f = Folder("qwen3moe", "Qwen3MoeForCausalLM", model_type="qwen3_moe", num_experts=16, num_experts_per_tok=4,
               moe_intermediate_size=40, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[])
    sizes(f, head_dim=32, rope_theta=1e6)
    f.ends()
    f.modules(NORMS + ATTENTION + HEAD_NORMS + VALUES + [("mlp.gate", "blk.{}.ffn_gate_inp")])
    for i in range(f.layers):
        f.experts(i, 16, QWEN_EXPERTS, "blk.{}.ffn_{}_exps.weight")
    return f


def smollm3():
    """SmolLM3ForCausalLM."""
    f = Folder("smollm3", "SmolLM3ForCausalLM", model_type="smollm3", no_rope_layer_interval=4,
               no_rope_layers=[1, 1, 1, 0, 1], use_sliding_window=False, layer_types=["full_attention"] * 5)
    sizes(f, rope_theta=5e6, attention_bias=False, mlp_bias=False)
    f.ends()
    f.modules(NORMS + MLP)
    unpaired_attention(f)
    return f


def phi3(name="phi3", original=4096):
    """Phi3ForCausalLM; its rope_scaling has attention_factor where it is not the usual one."""
    f = Folder(name, "Phi3ForCausalLM", model_type="phi3", original_max_position_embeddings=original)
    factors = {n: [float(x) for x in f.values(f"rope_factors_{n}.weight")] for n in ("long", "short")}
    sizes(f, rope_theta=10000.0, partial_rotary_factor=0.75, sliding_window=None,
          rope_scaling={"type": "longrope", "long_factor": factors["long"], "short_factor": factors["short"],
                        "attention_factor": 1.25})
    f.ends()
    f.modules(NORMS + [("self_attn.qkv_proj", "blk.{}.attn_qkv"), ("self_attn.o_proj", "blk.{}.attn_output")] + FUSED_MLP)
    return f


def phi3_long():
    return phi3("phi3_long", 128)


def gemma():
    """GemmaForCausalLM."""
    return gemma_model("gemma", "GemmaForCausalLM", NORMS, model_type="gemma", rope_theta=10000.0)


def gemma2():
    """Gemma2ForCausalLM."""
    return gemma_model("gemma2", "Gemma2ForCausalLM", GEMMA_NORMS, model_type="gemma2", rope_theta=10000.0,
                       sliding_window=16, attn_logit_softcapping=2.0, final_logit_softcapping=4.0,
                       query_pre_attn_scalar=32)


def gemma3():
    """Gemma3ForConditionalGeneration: the text model below, and its fields in text_config."""
    f = gemma_model("gemma3", "Gemma3ForConditionalGeneration", GEMMA_NORMS, root="language_model.model.")
    text = {**f.config, "model_type": "gemma3_text", "sliding_window": 16, "rope_theta": 1e6,
            "rope_local_base_freq": 10000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0},
            "layer_types": rhythm(7, 6), "query_pre_attn_scalar": 32, "attn_logit_softcapping": None,
            "final_logit_softcapping": None}
    for name in ("architectures", "_name_or_path", "bos_token_id", "eos_token_id"):
        del text[name]
    f.config = {n: f.config[n] for n in ("architectures", "_name_or_path", "bos_token_id", "eos_token_id")}
    f.config.update(model_type="gemma3", text_config=text)
    f.put("multi_modal_projector.mm_input_projection_weight", ("values", [1], [0.5]))
    f.extra = ["attention.sliding_window_pattern"]
    return f


def gemma4_model(name, **config):
    """Gemma4ForConditionalGeneration."""
    f = Folder(name, "Gemma4ForConditionalGeneration", model_type="gemma4")
    windowed = f.key("attention.sliding_window_pattern")
    theta = {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
             "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1e6}}
    text = {"model_type": "gemma4_text", "vocab_size": N_VOCAB, "hidden_size": N_EMBD, "intermediate_size": N_FF,
            "num_hidden_layers": f.layers, "num_attention_heads": 4, "num_key_value_heads": 2,
            "num_global_key_value_heads": 1, "head_dim": 32, "global_head_dim": 64, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 8192, "hidden_activation": "gelu_pytorch_tanh", "sliding_window": 16,
            "layer_types": ["sliding_attention" if w else "full_attention" for w in windowed],
            "final_logit_softcapping": 16.0, "rope_parameters": theta, "num_kv_shared_layers": 0,
            "hidden_size_per_layer_input": 0, "tie_word_embeddings": True, **config}
    f.config["text_config"] = text
    f.root, f.layer = "model.language_model.", "model.language_model.layers.{}."
    f.replace["rope_freqs.weight"] = [1.0] * 8 + [float(np.float32(1e30))] * 24  # of 32 pairs a quarter is turned
    f.ends()
    f.modules(GEMMA_NORMS + ATTENTION + HEAD_NORMS + VALUES + MLP)
    for i in range(f.layers):
        f.put(f.layer.format(i) + "layer_scalar", ("load", f"blk.{i}.layer_output_scale.weight"))
    f.put("model.vision_tower.std_bias", ("values", [1], [0.5]))
    return f


def gemma4():
    return gemma4_model("gemma4", attention_k_eq_v=True)


def gemma4_small():
    f = gemma4_model("gemma4_small", num_kv_shared_layers=3, hidden_size_per_layer_input=24, use_double_wide_mlp=False,
                     intermediate_size=[96] * 4 + [160] * 3)
    f.modules([("embed_tokens_per_layer", "per_layer_token_embd"), ("per_layer_model_projection", "per_layer_model_proj"),
               ("per_layer_projection_norm", "per_layer_proj_norm"), ("per_layer_input_gate", "blk.{}.inp_gate"),
               ("per_layer_projection", "blk.{}.proj"), ("post_per_layer_input_norm", "blk.{}.post_norm")])
    return f


def gemma4_experts():
    f = gemma4_model("gemma4_experts", attention_k_eq_v=True, enable_moe_block=True, num_experts=8, top_k_experts=3,
                     moe_intermediate_size=40)
    f.modules([("router.proj", "blk.{}.ffn_gate_inp"), ("pre_feedforward_layernorm_2", "blk.{}.pre_ffw_norm_2"),
               ("post_feedforward_layernorm_1", "blk.{}.post_ffw_norm_1"),
               ("post_feedforward_layernorm_2", "blk.{}.post_ffw_norm_2")])
    for i in range(f.layers):
        for name, tensor in (("router.scale", "ffn_gate_inp.scale"), ("router.per_expert_scale", "ffn_down_exps.scale"),
                             ("experts.gate_up_proj", "ffn_gate_up_exps.weight"),
                             ("experts.down_proj", "ffn_down_exps.weight")):
            f.put(f.layer.format(i) + name, ("load", f"blk.{i}.{tensor}"))
    return f


def granite_model(name, cls, **config):
    f = Folder(name, cls, embedding_multiplier=2.5, residual_multiplier=0.25, attention_multiplier=0.125,
               logits_scaling=4.0, **config)
    sizes(f, rope_theta=10000.0, attention_bias=False)
    f.ends()
    f.modules(NORMS)
    unpaired_attention(f)
    return f


def granite():
    """GraniteForCausalLM."""
    f = granite_model("granite", "GraniteForCausalLM", model_type="granite")
    f.modules(MLP)
    return f


def granitemoe():
    """GraniteMoeSharedForCausalLM."""
    f = granite_model("granitemoe", "GraniteMoeSharedForCausalLM", model_type="granitemoeshared", num_local_experts=8,
                      num_experts_per_tok=3, shared_intermediate_size=48)
    f.modules([("block_sparse_moe.router.layer", "blk.{}.ffn_gate_inp"),
               ("block_sparse_moe.output_linear", "blk.{}.ffn_down_exps"),
               ("shared_mlp.output_linear", "blk.{}.ffn_down_shexp")])
    for i in range(f.layers):
        b = f.layer.format(i)
        f.stacked_gate_up(b + "block_sparse_moe.input_linear.weight", f"blk.{i}.ffn_gate_exps.weight",
                          f"blk.{i}.ffn_up_exps.weight")
        f.put(b + "shared_mlp.input_linear.weight", ("load", f"blk.{i}.ffn_gate_shexp.weight"),
              ("load", f"blk.{i}.ffn_up_shexp.weight"), ("concat", 2, 0))
    return f


def by_turns(gate, up, extents, axes):
    """Gate and up as neighbours along what becomes the last but one axis, then the axes moved and joined."""
    return [("load", gate), ("load", up), ("stack", 2), ("transpose", axes), ("reshape", extents)]


def gpt_oss():
    """GptOssForCausalLM in BF16's layout: input features are rows, gate and up are columns by turns. A class with one
    length for all its feed-forward blocks."""
    f = Folder("gpt_oss", "GptOssForCausalLM", model_type="gpt_oss", num_local_experts=8, num_experts_per_tok=3,
               swiglu_limit=7.0, layer_types=["sliding_attention", "full_attention", "sliding_attention"])
    sizes(f, head_dim=32, rope_theta=150000.0, intermediate_size=40, sliding_window=16, attention_bias=True,
          rope_scaling={"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 32})
    f.differ["feed_forward_length"] = 40
    f.extra = ["attention.sliding_window_pattern"]
    f.ends()
    f.modules(NORMS_AFTER + ATTENTION + VALUES + [("mlp.router", "blk.{}.ffn_gate_inp")])
    for i in range(f.layers):
        b, t = f.layer.format(i), f"blk.{i}.ffn_"
        f.put(b + "self_attn.sinks", ("load", f"blk.{i}.attn_sinks.weight"))
        # [2, experts, length, width] -> [experts, width, length, 2]
        f.put(b + "mlp.experts.gate_up_proj", *by_turns(t + "gate_exps.weight", t + "up_exps.weight", [8, N_EMBD, 80],
                                                        [1, 3, 2, 0]))
        f.put(b + "mlp.experts.gate_up_proj_bias", *by_turns(t + "gate_exps.bias", t + "up_exps.bias", [8, 80], [1, 2, 0]))
        f.put(b + "mlp.experts.down_proj", ("load", t + "down_exps.weight"), ("transpose", [0, 2, 1]))
        f.put(b + "mlp.experts.down_proj_bias", ("load", t + "down_exps.bias"))
    return f


def deepseek(name, cls, **config):
    f = Folder(name, cls, n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=2, moe_intermediate_size=40,
               first_k_dense_replace=1, moe_layer_freq=1, kv_lora_rank=32, qk_nope_head_dim=24, qk_rope_head_dim=16,
               v_head_dim=20, **config)
    sizes(f, num_key_value_heads=4, rope_theta=10000.0,
          rope_scaling={"type": "yarn", "factor": 40, "original_max_position_embeddings": 64, "mscale": 0.707,
                        "mscale_all_dim": 0.707})
    f.ends()
    f.modules(NORMS + MLP + [("self_attn.q_proj", "blk.{}.attn_q"), ("self_attn.q_a_proj", "blk.{}.attn_q_a"),
                             ("self_attn.q_a_layernorm", "blk.{}.attn_q_a_norm"),
                             ("self_attn.q_b_proj", "blk.{}.attn_q_b"),
                             ("self_attn.kv_a_proj_with_mqa", "blk.{}.attn_kv_a_mqa"),
                             ("self_attn.kv_a_layernorm", "blk.{}.attn_kv_a_norm"),
                             ("self_attn.o_proj", "blk.{}.attn_output"), ("mlp.gate", "blk.{}.ffn_gate_inp"),
                             ("mlp.shared_experts.gate_proj", "blk.{}.ffn_gate_shexp"),
                             ("mlp.shared_experts.up_proj", "blk.{}.ffn_up_shexp"),
                             ("mlp.shared_experts.down_proj", "blk.{}.ffn_down_shexp")])
    for i in range(f.layers):
        b = f.layer.format(i)
        f.put(b + "self_attn.kv_b_proj.weight", ("load", f"blk.{i}.attn_k_b.weight"), ("transpose", [0, 2, 1]),
              ("load", f"blk.{i}.attn_v_b.weight"), ("concat", 2, 1), ("reshape", [4 * 44, 32]))
        if i > 0:
            f.experts(i, 8, QWEN_EXPERTS, "blk.{}.ffn_{}_exps.weight")
        if f.has(f"blk.{i}.exp_probs_b.bias"):
            f.put(b + "mlp.gate.e_score_correction_bias", ("load", f"blk.{i}.exp_probs_b.bias"))
    return f


def deepseek2_lite():
    """DeepseekV2ForCausalLM."""
    f = deepseek("deepseek2_lite", "DeepseekV2ForCausalLM", model_type="deepseek_v2", q_lora_rank=None, n_group=1,
                 topk_group=1, topk_method="greedy", scoring_func="softmax", norm_topk_prob=False,
                 routed_scaling_factor=1.0)
    f.extra = ["expert_gating_func", "expert_weights_norm", "expert_group_count", "expert_group_used_count"]
    return f


def deepseek3():
    """DeepseekV3ForCausalLM, with a layer behind the others that predicts a further token."""
    f = deepseek("deepseek3", "DeepseekV3ForCausalLM", model_type="deepseek_v3", q_lora_rank=48, n_group=4, topk_group=2,
                 topk_method="noaux_tc", scoring_func="sigmoid", norm_topk_prob=True, routed_scaling_factor=2.5,
                 num_nextn_predict_layers=1)
    f.put(f"model.layers.{f.layers}.enorm.weight", ("load", "output_norm.weight"))
    return f


def seed_oss():
    """SeedOssForCausalLM."""
    f = Folder("seed_oss", "SeedOssForCausalLM", model_type="seed_oss", attention_bias=True, attention_out_bias=False)
    sizes(f, head_dim=32, rope_theta=1e7)
    f.ends()
    f.modules(NORMS_AFTER + ATTENTION + VALUES + MLP)
    return f


def glm4():
    """Glm4ForCausalLM."""
    f = Folder("glm4", "Glm4ForCausalLM", model_type="glm4", attention_bias=True, partial_rotary_factor=0.5)
    sizes(f, rope_theta=10000.0)
    f.ends()
    f.modules(NORMS + ATTENTION + VALUES + FUSED_MLP + [("post_self_attn_layernorm", "blk.{}.post_attention_norm"),
                                                        ("post_mlp_layernorm", "blk.{}.post_ffw_norm")])
    return f


def glm4moe():
    """Glm4MoeForCausalLM."""
    f = Folder("glm4moe", "Glm4MoeForCausalLM", model_type="glm4_moe", n_routed_experts=8, num_experts_per_tok=3,
               n_shared_experts=1, moe_intermediate_size=40, first_k_dense_replace=1, n_group=1, topk_group=1,
               norm_topk_prob=True, routed_scaling_factor=1.5, num_nextn_predict_layers=1, use_qk_norm=True)
    sizes(f, num_hidden_layers=3, head_dim=32, partial_rotary_factor=0.5, rope_theta=1e6, attention_bias=True)
    f.ends()
    f.modules(NORMS_AFTER + ATTENTION + HEAD_NORMS + VALUES + MLP +
              [("mlp.gate", "blk.{}.ffn_gate_inp"), ("mlp.shared_experts.gate_proj", "blk.{}.ffn_gate_shexp"),
               ("mlp.shared_experts.up_proj", "blk.{}.ffn_up_shexp"),
               ("mlp.shared_experts.down_proj", "blk.{}.ffn_down_shexp"), ("eh_proj", "blk.{}.nextn.eh_proj"),
               ("enorm", "blk.{}.nextn.enorm"), ("hnorm", "blk.{}.nextn.hnorm")])
    for i in range(1, f.layers):
        f.experts(i, 8, QWEN_EXPERTS, "blk.{}.ffn_{}_exps.weight")
        f.put(f.layer.format(i) + "mlp.gate.e_score_correction_bias", ("load", f"blk.{i}.exp_probs_b.bias"))
    return f


def minimax_m2():
    """MiniMaxM2ForCausalLM."""
    f = Folder("minimax_m2", "MiniMaxM2ForCausalLM", model_type="minimax_m2", num_local_experts=8, num_experts_per_tok=3,
               rotary_dim=16, scoring_func="sigmoid", use_qk_norm=True, qk_norm_type="per_layer")
    sizes(f, head_dim=32, rope_theta=5e6)
    f.ends()
    f.modules(NORMS + ATTENTION + HEAD_NORMS + VALUES + [("block_sparse_moe.gate", "blk.{}.ffn_gate_inp")])
    for i in range(f.layers):
        f.experts(i, 8, MIXTRAL_EXPERTS, "blk.{}.ffn_{}_exps.weight")
        f.put(f.layer.format(i) + "block_sparse_moe.e_score_correction_bias", ("load", f"blk.{i}.exp_probs_b.bias"))
    return f


def olmo(name, cls, **config):
    f = Folder(name, cls, **config)
    sizes(f, rope_theta=500000.0, attention_bias=False)
    f.ends()
    f.modules(ATTENTION + HEAD_NORMS + VALUES + MLP + [("post_attention_layernorm", "blk.{}.post_attention_norm"),
                                                       ("post_feedforward_layernorm", "blk.{}.post_ffw_norm")])
    return f


def olmo2():
    """Olmo2ForCausalLM."""
    return olmo("olmo2", "Olmo2ForCausalLM", model_type="olmo2")


def olmo3():
    """Olmo3ForCausalLM."""
    f = olmo("olmo3", "Olmo3ForCausalLM", model_type="olmo3", sliding_window=16, layer_types=rhythm(5, 4),
             rope_scaling={"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 32,
                           "attention_factor": 1.2079441541679836})
    f.extra = ["attention.sliding_window_pattern"]
    return f


def delta_folder(name, cls, root, **config):
    f = Folder(name, cls)
    n = f.layers - (1 if f.layers % 4 == 1 else 0)  # what predicts further tokens is elsewhere: mtp.*
    text = {"vocab_size": N_VOCAB, "hidden_size": N_EMBD, "num_hidden_layers": n, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 8192, "hidden_act": "silu",
            "rms_norm_eps": 1e-5, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
            "linear_num_key_heads": 2, "linear_num_value_heads": 4, "attn_output_gate": True,
            "layer_types": ["full_attention" if i % 4 == 3 else "linear_attention" for i in range(n)], **config}
    f.root, f.layer = root, root + "layers.{}."
    f.ends(MINUS_ONE)
    f.without = [t for t in f.index if t.startswith(f"blk.{n}.")]
    for tensor in f.without:
        del f.index[tensor]
    text["tie_word_embeddings"] = f.config.pop("tie_word_embeddings")
    f.modules(NORMS_AFTER + HEAD_NORMS, MINUS_ONE)
    f.modules(ATTENTION + VALUES)
    f.modules([("linear_attn.norm", "blk.{}.ssm_norm")])
    if n != f.layers:
        f.differ["block_count"] = n
        f.differ["nextn_predict_layers"] = None
        f.put("mtp.norm.weight", ("load", "output_norm.weight"))
    f.extra = ["attention.recurrent_layers"]
    return f, text, n


def by_k_heads(steps, first, length, cols):
    """Heads of the values: those that share a head of the keys become neighbours. 4 heads, 2 of the keys."""
    return steps + [("slice", 0, first, first + 4 * length, 1), ("reshape", [2, 2, length * cols]),
                    ("transpose", [1, 0, 2]), ("reshape", [4 * length, cols])]


def qwen35_delta(f, n):
    for i in range(n):
        b, t = f.layer.format(i) + "linear_attn.", f"blk.{i}."
        if not f.has(t + "ssm_a"):
            continue
        for name, tensor, cols, one in (("in_proj_qkv.weight", "attn_qkv.weight", N_EMBD, []),
                                        ("conv1d.weight", "ssm_conv1d.weight", 4, [("reshape", [128, 1, 4])])):
            load = [("load", t + tensor)]
            f.put(b + name, *load, ("slice", 0, 0, 64, 1), *by_k_heads(load, 64, 16, cols), ("concat", 2, 0), *one)
        for name, tensor, length in (("in_proj_z", "attn_gate", 16), ("in_proj_b", "ssm_beta", 1),
                                     ("in_proj_a", "ssm_alpha", 1)):
            f.put(f"{b}{name}.weight", *by_k_heads([("load", f"{t}{tensor}.weight")], 0, length, N_EMBD))
        f.put(b + "dt_bias", *by_k_heads([("load", t + "ssm_dt.bias")], 0, 1, 1), ("reshape", [4]))
        f.put(b + "A_log", *by_k_heads([("load", t + "ssm_a")], 0, 1, 1), ("reshape", [4]), ("log_of_minus",))
        f.put(b + "out_proj.weight", ("load", t + "ssm_out.weight"), ("reshape", [N_EMBD, 2, 2, 16]),
              ("transpose", [0, 2, 1, 3]), ("reshape", [N_EMBD, 64]))


def shared_expert(f):
    f.modules([("mlp.gate", "blk.{}.ffn_gate_inp"), ("mlp.shared_expert.gate_proj", "blk.{}.ffn_gate_shexp"),
               ("mlp.shared_expert.up_proj", "blk.{}.ffn_up_shexp"),
               ("mlp.shared_expert.down_proj", "blk.{}.ffn_down_shexp")])
    for i in range(f.layers):
        gate = f"blk.{i}.ffn_gate_inp_shexp.weight"
        if f.has(gate):
            f.put(f.layer.format(i) + "mlp.shared_expert_gate.weight", ("load", gate), ("reshape", [1, N_EMBD]))


QWEN35_ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e7, "partial_rotary_factor": 0.5,
                                   "mrope_interleaved": True, "mrope_section": [3, 3, 2]}}
SPARSE = dict(num_experts=8, num_experts_per_tok=3, moe_intermediate_size=40, shared_expert_intermediate_size=48)


def qwen35():
    """Qwen3_5ForConditionalGeneration."""
    f, text, n = delta_folder("qwen35", "Qwen3_5ForConditionalGeneration", "model.language_model.",
                              model_type="qwen3_5_text", intermediate_size=N_FF, **QWEN35_ROPE)
    f.config["text_config"] = text
    f.put("model.visual.pos_embed.weight", ("values", [1, 2], [1, 2]))
    f.modules(MLP)
    qwen35_delta(f, n)
    return f


def qwen35moe():
    """Qwen3_5MoeForConditionalGeneration: experts in one array each."""
    f, text, n = delta_folder("qwen35moe", "Qwen3_5MoeForConditionalGeneration", "model.language_model.",
                              model_type="qwen3_5_moe_text", **QWEN35_ROPE, **SPARSE)
    f.config["text_config"] = text
    f.differ["feed_forward_length"] = None  # no layer has such a block
    shared_expert(f)
    qwen35_delta(f, n)
    for i in range(n):
        b, t = f.layer.format(i) + "mlp.experts.", f"blk.{i}.ffn_"
        f.stacked_gate_up(b + "gate_up_proj", t + "gate_exps.weight", t + "up_exps.weight")
        f.put(b + "down_proj", ("load", t + "down_exps.weight"))
    return f


def qwen3next():
    """Qwen3NextForCausalLM."""
    f, config, n = delta_folder("qwen3next", "Qwen3NextForCausalLM", "model.", model_type="qwen3_next",
                                intermediate_size=N_FF, rope_theta=1e7, partial_rotary_factor=0.5, norm_topk_prob=True,
                                decoder_sparse_step=1, mlp_only_layers=[], **SPARSE)
    f.config.update(config)
    shared_expert(f)
    for i in range(n):
        f.experts(i, 8, QWEN_EXPERTS, "blk.{}.ffn_{}_exps.weight")
        b, t = f.layer.format(i) + "linear_attn.", f"blk.{i}."
        if not f.has(t + "ssm_a"):
            continue
        parts = []
        for tensor, first, length in (("attn_qkv", 0, 16), ("attn_qkv", 32, 16), ("attn_qkv", 64, 32), ("attn_gate", 0, 32)):
            parts += [("load", f"{t}{tensor}.weight"), ("slice", 0, first, first + 2 * length, 1),
                      ("reshape", [2, length, N_EMBD])]
        f.put(b + "in_proj_qkvz.weight", *parts, ("concat", 4, 1), ("reshape", [2 * 96, N_EMBD]))
        f.put(b + "in_proj_ba.weight", ("load", t + "ssm_ba.weight"))
        f.put(b + "conv1d.weight", ("load", t + "ssm_conv1d.weight"), ("reshape", [128, 1, 4]))
        f.put(b + "dt_bias", ("load", t + "ssm_dt.bias"))
        f.put(b + "A_log", ("load", t + "ssm_a"), ("log_of_minus",))
        f.put(b + "out_proj.weight", ("load", t + "ssm_out.weight"))
    return f


FOLDERS = [llama, mixtral, mistral3, qwen2, qwen3, qwen3moe, smollm3, phi3, phi3_long, gemma, gemma2, gemma3, gemma4,
           gemma4_small, gemma4_experts, granite, granitemoe, gpt_oss, deepseek2_lite, deepseek3, seed_oss, glm4, glm4moe,
           minimax_m2, olmo2, olmo3, qwen35, qwen35moe, qwen3next, bert, roberta, nomic_bert, jina_bert_v3, modern_bert,
           modern_bert_silu, gemma_embedding, gemma_embedding_dense, eurobert, llama_embed]


def main():
    os.makedirs(DATA, exist_ok=True)
    for function in FOLDERS:
        name = function.__name__
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        folder = function()
        description = {"golden": "bert" if name == "roberta" else name, **folder.describe()}
        with open(os.path.join(DATA, name + ".json"), "w", encoding="ascii") as file:
            head = {k: v for k, v in description.items() if k != "arrays"}
            file.write(json.dumps(head)[:-1] + ',\n"arrays": [\n' + goldens.rows(description["arrays"], " ") + "\n]}\n")


if __name__ == "__main__":
    main()
