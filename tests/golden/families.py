"""The tiny models of the golden tests: one of every architecture, with its real keys and tensor names, every optional
tensor, small dimensions and random weights. describe() gives them by name; goldens.py writes them down.

A description is what tests/data/golden/NAME.json holds: keys [name, type, value], tensors [name, extents in GGUF order
(the contiguous one first), scale, offset] and the tokens to run. tiny_model.py says what the elements are.
"""
from families_encoders import (bert, eurobert, gemma_embedding, gemma_embedding_dense, jina_bert_v3, llama_embed, modern_bert,
                               modern_bert_silu, nomic_bert)
from families_gated import qwen35, qwen35moe, qwen3next
from families_gemma4 import gemma4, gemma4_experts, gemma4_small
from tiny_model import N_EMBD, N_FF, Model


def llama():
    m = Model("llama", 1)
    m.rope()
    m.ends()
    m.factors("rope_freqs.weight", m.k_dim // 2)
    for i in range(m.layers):
        m.attention(i, bias="q k v output".split())
        m.ffn(i, bias=True)
    return m


def llama_fused():
    """Queries, keys and values in one tensor, as newer converters can write them; output tied to the embeddings."""
    m = Model("llama", 2)
    m.rope(500000.0)
    m.key("rope.scaling.type", "str", "linear")
    m.key("rope.scaling.factor", "f32", 4.0)
    m.ends(tied=True)
    for i in range(m.layers):
        m.attention(i, fused=True, bias=["qkv"])
        m.ffn(i)
    return m


def mixtral():
    m = Model("llama", 3)
    m.rope(1e6)
    m.key("expert_count", "u32", 6)
    m.key("expert_used_count", "u32", 2)
    m.ends()
    for i in range(m.layers):
        m.attention(i)
        m.experts(i, 6, N_FF)
    return m


def llama_scaled():
    """Tensors in the manner of NVFP4, whose blocks' scales are relative to one number for the tensor. No biases in the
    feed-forward block: there the reference adds them before it multiplies, elsewhere after."""
    m = Model("llama", 16)
    m.rope()
    m.ends()
    for i in range(m.layers):
        m.attention(i, bias="q k v output".split())
        m.ffn(i)
    m.scales()
    return m


def mixtral_scaled():
    m = mixtral()
    m.seed = 17
    m.scales()
    return m


def mistral3():
    m = Model("mistral3", 4, k_dim=32)
    m.heads_of_own_length()
    m.rope(1e6)
    m.key("rope.scaling.type", "str", "yarn")
    m.key("rope.scaling.factor", "f32", 16.0)
    m.key("rope.scaling.original_context_length", "u32", 16)
    m.key("rope.scaling.yarn_beta_fast", "f32", 32.0)
    m.key("rope.scaling.yarn_beta_slow", "f32", 1.0)
    m.key("rope.scaling.yarn_log_multiplier", "f32", 1.0)
    m.key("attention.temperature_scale", "f32", 0.1)
    m.ends()
    for i in range(m.layers):
        m.attention(i)
        m.ffn(i)
    return m


def qwen2():
    m = Model("qwen2", 5)
    m.rope(1e6)
    m.ends()
    for i in range(m.layers):
        m.attention(i, bias="q k v".split())
        m.ffn(i)
    return m


def qwen3():
    m = Model("qwen3", 6, k_dim=32)
    m.heads_of_own_length()
    m.rope(1e6)
    m.ends(tied=True)
    for i in range(m.layers):
        m.attention(i, head_norms=True)
        m.ffn(i)
    return m


def qwen3moe():
    m = Model("qwen3moe", 7, k_dim=32)
    m.heads_of_own_length()
    m.rope(1e6)
    m.key("expert_count", "u32", 16)
    m.key("expert_used_count", "u32", 4)
    m.key("expert_feed_forward_length", "u32", 40)
    m.ends()
    for i in range(m.layers):
        m.attention(i, head_norms=True)
        m.experts(i, 16, 40)
    return m


def smollm3():
    m = Model("smollm3", 8, layers=5)
    m.rope(5e6)
    m.ends(tied=True)
    for i in range(m.layers):
        m.attention(i)
        m.ffn(i)
    return m


def phi3():
    """A context within the original length: the short factors."""
    m = Model("phi3", 9)
    m.rope(dimensions=12)
    m.key("rope.scaling.original_context_length", "u32", 4096)
    m.key("rope.scaling.attn_factor", "f32", 1.25)
    m.ends()
    m.factors("rope_factors_long.weight", 6, least=8, spread=4)
    m.factors("rope_factors_short.weight", 6)
    for i in range(m.layers):
        m.attention(i, fused=True)
        m.ffn(i, fused=True)
    return m


def phi3_long():
    """The same weights with a longer context than the original one: the long factors."""
    m = phi3()
    m.keys = [[k, t, 128 if k.endswith("original_context_length") else v] for k, t, v in m.keys]
    return m


def gemma():
    m = Model("gemma", 10, k_dim=32)
    m.heads_of_own_length()
    m.rope()
    m.ends(tied=True)
    for i in range(m.layers):
        m.attention(i)
        m.ffn(i)
    return m


def gemma2():
    m = Model("gemma2", 11, k_dim=32, layers=3)
    m.heads_of_own_length()
    m.key("attention.sliding_window", "u32", 16)
    m.key("attn_logit_softcapping", "f32", 2.0)
    m.key("final_logit_softcapping", "f32", 4.0)
    m.rope()
    m.ends(tied=True)
    for i in range(m.layers):
        m.attention(i, post_norm=True)
        m.ffn(i, post_norm=True)
    return m


def gemma3():
    m = Model("gemma3", 12, k_dim=32, layers=7)
    m.heads_of_own_length()
    m.key("attention.sliding_window", "u32", 16)
    m.rope(1e6)
    m.key("rope.freq_base_swa", "f32", 10000.0)
    m.key("rope.scaling.type", "str", "linear")
    m.key("rope.scaling.factor", "f32", 8.0)
    m.ends(tied=True)
    for i in range(m.layers):
        m.attention(i, head_norms=True, post_norm=True)
        m.ffn(i, post_norm=True)
    return m


def granite_keys(m):
    m.rope()
    m.key("embedding_scale", "f32", 2.5)
    m.key("residual_scale", "f32", 0.25)
    m.key("attention.scale", "f32", 0.125)
    m.key("logit_scale", "f32", 4.0)


def granite():
    m = Model("granite", 13)
    granite_keys(m)
    m.ends(tied=True)
    for i in range(m.layers):
        m.attention(i)
        m.ffn(i)
    return m


def granitemoe():
    m = Model("granitemoe", 14)
    granite_keys(m)
    m.key("expert_count", "u32", 8)
    m.key("expert_used_count", "u32", 3)
    m.key("expert_shared_feed_forward_length", "u32", 48)
    m.ends(tied=True)
    for i in range(m.layers):
        m.attention(i)
        m.experts(i, 8, N_FF, shared=48)
    return m


def gpt_oss():
    m = Model("gpt-oss", 15, k_dim=32, layers=3)
    m.heads_of_own_length()
    m.rope(150000.0)
    m.key("rope.scaling.type", "str", "yarn")
    m.key("rope.scaling.factor", "f32", 32.0)
    m.key("rope.scaling.original_context_length", "u32", 32)
    m.key("attention.sliding_window", "u32", 16)
    m.key("expert_count", "u32", 8)
    m.key("expert_used_count", "u32", 3)
    m.key("expert_feed_forward_length", "u32", 40)
    m.ends()
    for i in range(m.layers):
        m.attention(i, bias="q k v output".split())
        m.tensors.append([f"blk.{i}.attn_sinks.weight", [m.heads], 2.0, 1.0])
        m.experts(i, 8, 40, bias=True, norm="post_attention_norm")
    return m


def deepseek(seed, q_rank, layers=3):
    m = Model("deepseek2", seed, heads=4, heads_kv=1, layers=layers)
    rank, rot, plain, v = 32, 16, 24, 20
    m.key("attention.kv_lora_rank", "u32", rank)
    m.key("attention.key_length", "u32", rank + rot)
    m.key("attention.value_length", "u32", rank)
    m.key("attention.key_length_mla", "u32", plain + rot)
    m.key("attention.value_length_mla", "u32", v)
    m.rope(dimensions=rot)
    m.key("rope.scaling.type", "str", "yarn")
    m.key("rope.scaling.factor", "f32", 40.0)
    m.key("rope.scaling.original_context_length", "u32", 64)
    m.key("rope.scaling.yarn_log_multiplier", "f32", 0.0707)
    m.key("leading_dense_block_count", "u32", 1)
    m.key("expert_count", "u32", 8)
    m.key("expert_used_count", "u32", 3)
    m.key("expert_feed_forward_length", "u32", 40)
    m.key("expert_shared_count", "u32", 2)
    m.ends()
    for i in range(layers):
        b = f"blk.{i}."
        m.norm(b + "attn_norm.weight")
        if q_rank:
            m.matrix(b + "attn_q_a.weight", N_EMBD, q_rank)
            m.norm(b + "attn_q_a_norm.weight", q_rank)
            m.matrix(b + "attn_q_b.weight", q_rank, m.heads * (plain + rot))
        else:
            m.matrix(b + "attn_q.weight", N_EMBD, m.heads * (plain + rot))
        m.matrix(b + "attn_kv_a_mqa.weight", N_EMBD, rank + rot)
        m.norm(b + "attn_kv_a_norm.weight", rank)
        m.matrix(b + "attn_k_b.weight", plain, rank, m.heads)
        m.matrix(b + "attn_v_b.weight", rank, v, m.heads)
        m.matrix(b + "attn_output.weight", m.heads * v, N_EMBD)
        if i == 0:
            m.ffn(i)
        else:
            m.experts(i, 8, 40, shared=80)
            if q_rank:
                m.bias(f"{b}exp_probs_b.bias", 8)
    return m


def deepseek2_lite():
    """Queries in one step, softmax."""
    m = deepseek(16, 0, layers=26)  # by which the reference tells that there is no rank of queries
    m.key("expert_weights_scale", "f32", 1.0)
    return m


def deepseek3():
    """Queries in two steps, sigmoid, a bias of the choice, groups of experts."""
    m = deepseek(17, 48)
    m.key("attention.q_lora_rank", "u32", 48)
    m.key("expert_weights_scale", "f32", 2.5)
    m.key("expert_weights_norm", "bool", True)
    m.key("expert_gating_func", "u32", 2)
    m.key("expert_group_count", "u32", 4)
    m.key("expert_group_used_count", "u32", 2)
    return m


def deepseek2_old():
    """As files before April 2025 have it: keys and values of all heads in one tensor, and in the cache."""
    m = deepseek(27, 48)
    m.key("attention.q_lora_rank", "u32", 48)
    m.key("expert_weights_scale", "f32", 2.5)
    for key in m.keys:
        name = key[0].removeprefix("deepseek2.")
        key[2] = {"attention.head_count_kv": 4, "attention.key_length": 40, "attention.value_length": 20}.get(name, key[2])
    m.keys = [key for key in m.keys if not key[0].endswith("_mla")]
    tensors, m.tensors = m.tensors, []
    for tensor in tensors:
        if tensor[0].endswith("attn_k_b.weight"):
            m.matrix(tensor[0].replace("k_b", "kv_b"), 32, 4 * (24 + 20))
        elif not tensor[0].endswith("attn_v_b.weight"):
            m.tensors.append(tensor)
    return m


def seed_oss():
    m = Model("seed_oss", 18, k_dim=32)
    m.heads_of_own_length()
    m.rope(1e7)
    m.ends()
    for i in range(m.layers):
        m.attention(i, bias="q k v".split())
        m.ffn(i, norm="post_attention_norm")
    return m


def glm4():
    m = Model("glm4", 19)
    m.rope(dimensions=8)
    m.ends()
    for i in range(m.layers):
        m.attention(i, bias="q k v".split(), post_norm=True)
        m.ffn(i, fused=True, post_norm=True)
    return m


def glm4moe():
    """The last layer is one that predicts further tokens: it is not used."""
    m = Model("glm4moe", 20, k_dim=32, layers=4)
    m.heads_of_own_length()
    m.rope(1e6, dimensions=16)
    m.key("leading_dense_block_count", "u32", 1)
    m.key("nextn_predict_layers", "u32", 1)
    m.key("expert_count", "u32", 8)
    m.key("expert_used_count", "u32", 3)
    m.key("expert_shared_count", "u32", 1)
    m.key("expert_feed_forward_length", "u32", 40)
    m.key("expert_weights_scale", "f32", 1.5)
    m.key("expert_weights_norm", "bool", True)
    m.key("expert_gating_func", "u32", 2)
    m.ends()
    for i in range(m.layers):
        m.attention(i, bias="q k v".split(), head_norms=True)
        if i == 0:
            m.ffn(i, norm="post_attention_norm")
        else:
            m.experts(i, 8, 40, shared=40, norm="post_attention_norm")
            m.bias(f"blk.{i}.exp_probs_b.bias", 8)
    b = f"blk.{m.layers - 1}.nextn."
    m.matrix(b + "eh_proj.weight", 2 * N_EMBD, N_EMBD)
    m.norm(b + "enorm.weight")
    m.norm(b + "hnorm.weight")
    return m


def minimax_m2():
    m = Model("minimax-m2", 21, k_dim=32)
    m.heads_of_own_length()
    m.rope(5e6, dimensions=16)
    m.key("expert_count", "u32", 8)
    m.key("expert_used_count", "u32", 3)
    m.key("expert_feed_forward_length", "u32", N_FF)
    m.key("expert_gating_func", "u32", 2)
    m.ends()
    for i in range(m.layers):
        m.attention(i, row_norms=True)
        m.experts(i, 8, N_FF)
        m.bias(f"blk.{i}.exp_probs_b.bias", 8)
    return m


def olmo(seed, layers):
    m = Model("olmo2", seed, layers=layers)
    m.rope(500000.0)
    m.ends()
    for i in range(layers):
        m.attention(i, row_norms=True, post_norm=True, norm=False)
        m.ffn(i, post_norm=True, norm=None)
    return m


def olmo2():
    return olmo(22, 2)


def olmo3():
    """With a sliding window, and YaRN in the layers without one."""
    m = olmo(23, 5)
    m.key("attention.sliding_window", "u32", 16)
    m.key("rope.scaling.type", "str", "yarn")
    m.key("rope.scaling.factor", "f32", 8.0)
    m.key("rope.scaling.original_context_length", "u32", 32)
    return m


# Of these the reference's embeddings are kept: encoders, and language models with a causal and a sliding window.
EMBEDDING = [bert, nomic_bert, modern_bert, modern_bert_silu, gemma_embedding, gemma_embedding_dense, eurobert, llama_embed, jina_bert_v3, llama,
             gemma3]
# The tokens as texts: as many in the first, the second, ...
TEXTS = [37, 1, 26]

FAMILIES = [llama, llama_fused, llama_scaled, mixtral, mixtral_scaled, mistral3, qwen2, qwen3, qwen3moe, smollm3, phi3, phi3_long, gemma, gemma2, gemma3,
            granite, granitemoe, gpt_oss, deepseek2_lite, deepseek3, deepseek2_old,
            gemma4, gemma4_small, gemma4_experts, seed_oss, glm4, glm4moe, minimax_m2, olmo2, olmo3,
            qwen35, qwen35moe, qwen3next]


def describe(name):
    return next(f for f in FAMILIES + EMBEDDING if f.__name__ == name)().describe()
