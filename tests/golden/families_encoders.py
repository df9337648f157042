"""The tiny models that make embeddings; a part of families.py."""
from tiny_model import N_EMBD, N_VOCAB, Model

# The reference looks GELU up in a table of half-precision numbers: what comes of it shall not hide errors.
SMALL_GAIN = 0.25


def encoder(arch, seed, pooling, eps="layer_norm_epsilon", **sizes):
    m = Model(arch, seed, eps=eps, **sizes)
    m.key("attention.causal", "bool", False)
    m.key("pooling_type", "u32", pooling)
    m.tensors.append(["token_embd.weight", [N_EMBD, N_VOCAB], 1.0, 0.0])
    return m


def typed(m):
    m.key("tokenizer.ggml.token_type_count", "u32", 2, "")
    m.bias("token_types.weight", N_EMBD, 2)
    m.norm_with_bias("token_embd_norm")


def bert():
    m = encoder("bert", 24, 2, heads_kv=4, n_train=40)
    typed(m)
    m.bias("position_embd.weight", N_EMBD, 40)
    for i in range(m.layers):
        m.attention(i, bias="q k v output".split(), norm=False)
        m.norm_with_bias(f"blk.{i}.attn_output_norm")
        m.ffn(i, bias=True, norm=None, gate=False, gain=SMALL_GAIN)
        m.norm_with_bias(f"blk.{i}.layer_output_norm")
    return m


def nomic_bert():
    m = encoder("nomic-bert", 25, 1, heads_kv=4)
    m.rope(1000.0)
    typed(m)
    for i in range(m.layers):
        m.attention(i, fused=True, bias=["qkv", "output"], norm=False)
        m.norm_with_bias(f"blk.{i}.attn_output_norm")
        m.ffn(i, norm=None)
        m.norm_with_bias(f"blk.{i}.layer_output_norm")
    return m


def modern_bert(seed=26, gain=SMALL_GAIN):
    """A window of an odd number of tokens: half of it, rounded down, to each side."""
    m = encoder("modern-bert", seed, 2, heads_kv=4, layers=5)
    m.rope(160000.0)
    m.key("rope.freq_base_swa", "f32", 10000.0)
    m.key("attention.sliding_window", "u32", 13)
    m.norm("token_embd_norm.weight")
    m.norm("output_norm.weight")
    for i in range(m.layers):
        m.attention(i, fused=True, norm=i > 0)
        m.ffn(i, fused=True, gain=gain)
    return m


def modern_bert_silu():
    m = modern_bert(29, gain=2.0)
    m.key("hidden_activation", "str", "silu")
    return m


def gemma_embedding():
    m = encoder("gemma-embedding", 27, 1, k_dim=32, layers=7, eps="layer_norm_rms_epsilon")
    m.heads_of_own_length()
    m.key("attention.sliding_window", "u32", 16)
    m.rope(1e6)
    m.key("rope.freq_base_swa", "f32", 10000.0)
    m.norm("output_norm.weight")
    for i in range(m.layers):
        m.attention(i, head_norms=True, post_norm=True)
        m.ffn(i, post_norm=True)
    return m


def gemma_embedding_dense():
    """With the projections behind the pooling."""
    m = gemma_embedding()
    m.seed = 28
    for name, cols, rows in (("dense_2", N_EMBD, 160), ("dense_3", 160, N_EMBD)):
        m.key(name + "_feat_in", "u32", cols)
        m.key(name + "_feat_out", "u32", rows)
        m.matrix(name + ".weight", cols, rows)
    return m


def eurobert():
    m = encoder("eurobert", 30, 1, eps="layer_norm_rms_epsilon")
    m.rope(250000.0)
    m.norm("output_norm.weight")
    for i in range(m.layers):
        m.attention(i)
        m.ffn(i)
    return m


def llama_embed():
    m = encoder("llama-embed", 31, 1, eps="layer_norm_rms_epsilon")
    m.rope(500000.0)
    m.norm("output_norm.weight")
    m.factors("rope_freqs.weight", m.k_dim // 2)
    for i in range(m.layers):
        m.attention(i)
        m.ffn(i)
    return m


def jina_bert_v3():
    m = encoder("jina-bert-v3", 32, 1, heads_kv=4)
    m.rope(20000.0)
    typed(m)
    for i in range(m.layers):
        m.attention(i, fused=True, bias=["qkv", "output"], norm=False)
        m.norm_with_bias(f"blk.{i}.attn_output_norm")
        m.ffn(i, bias=True, norm=None, gate=False, gain=SMALL_GAIN)
        m.norm_with_bias(f"blk.{i}.layer_output_norm")
    return m
