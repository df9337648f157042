"""The tiny models of the golden tests: one of every architecture, with its real keys and tensor names, every optional
tensor, small dimensions and random weights. describe() gives them by name; goldens.py writes them down.

A description is what tests/data/golden/NAME.json holds: keys [name, type, value], tensors [name, extents in GGUF order
(the contiguous one first), scale, offset] and the tokens to run. Element i of tensor t is
  offset + scale * (u - 32768) / 32768,  u = the upper 16 bits of splitmix64(2^32 * (seed * 1024 + t) + i)
which float32 holds exactly, so that Python and C++ make the same file of it.
"""
import math

N_EMBD, N_FF, N_VOCAB, N_TOKENS = 64, 96, 96, 64


def power_of_two(x):
    return 2.0 ** round(math.log2(x))


class Model:
    def __init__(self, arch, seed, heads=4, heads_kv=2, k_dim=16, layers=2, n_ctx=256, n_train=8192, eps="layer_norm_rms_epsilon"):
        self.arch, self.seed, self.n_ctx = arch, seed, n_ctx
        self.heads, self.heads_kv, self.k_dim, self.layers = heads, heads_kv, k_dim, layers
        self.keys, self.tensors = [], []
        self.key("general.architecture", "str", arch, "")
        self.key("general.name", "str", "golden", "")
        self.key("context_length", "u32", n_train)
        self.key("embedding_length", "u32", N_EMBD)
        self.key("block_count", "u32", layers)
        self.key("feed_forward_length", "u32", N_FF)
        self.key("attention.head_count", "u32", heads)
        self.key("attention.head_count_kv", "u32", heads_kv)
        self.key("attention." + eps, "f32", 1e-5)

    def key(self, name, kind, value, prefix=None):
        self.keys.append([(self.arch + "." if prefix is None else prefix) + name, kind, value])

    def matrix(self, name, cols, *rows, gain=2.0):
        """Its product with a vector whose elements are about 1 has elements of about gain / sqrt(3)."""
        self.tensors.append([name, [cols, *rows], power_of_two(gain / math.sqrt(cols)), 0.0])

    def norm(self, name, length=N_EMBD):
        self.tensors.append([name, [length], 0.25, 1.0])

    def norm_with_bias(self, name):
        self.norm(name + ".weight")
        self.bias(name + ".bias", N_EMBD)

    def bias(self, name, *extents):
        self.tensors.append([name, list(extents), 0.5, 0.0])

    def factors(self, name, length, least=1.5, spread=0.5):
        self.tensors.append([name, [length], spread, least])

    def scales(self):
        """A number that multiplies the products of each matrix, or one for each expert."""
        for name, extents, _, _ in list(self.tensors):
            if len(extents) > 1 and name.startswith("blk.") and "gate_inp" not in name:
                self.tensors.append([name.replace(".weight", ".scale"), [extents[2] if len(extents) == 3 else 1], 0.25, 1.0])

    def ends(self, tied=False, gain=2.0):
        self.tensors.append(["token_embd.weight", [N_EMBD, N_VOCAB], 1.0, 0.0])
        self.norm("output_norm.weight")
        if not tied:
            self.matrix("output.weight", N_EMBD, N_VOCAB, gain=gain)

    def attention(self, layer, bias=(), head_norms=False, row_norms=False, fused=False, post_norm=False, norm=True):
        q, kv, b = self.heads * self.k_dim, self.heads_kv * self.k_dim, f"blk.{layer}."
        if norm:
            self.norm(b + "attn_norm.weight")
        if fused:
            self.matrix(b + "attn_qkv.weight", N_EMBD, q + 2 * kv, gain=3)
            if "qkv" in bias:
                self.bias(b + "attn_qkv.bias", q + 2 * kv)
        else:
            for name, rows in (("q", q), ("k", kv), ("v", kv)):
                self.matrix(f"{b}attn_{name}.weight", N_EMBD, rows, gain=3)
                if name in bias:
                    self.bias(f"{b}attn_{name}.bias", rows)
        self.matrix(b + "attn_output.weight", q, N_EMBD)
        if "output" in bias:
            self.bias(b + "attn_output.bias", N_EMBD)
        if head_norms:
            self.norm(b + "attn_q_norm.weight", self.k_dim)
            self.norm(b + "attn_k_norm.weight", self.k_dim)
        if row_norms:
            self.norm(b + "attn_q_norm.weight", q)
            self.norm(b + "attn_k_norm.weight", kv)
        if post_norm:
            self.norm(b + "post_attention_norm.weight")

    def ffn(self, layer, bias=False, fused=False, post_norm=False, norm="ffn_norm", gate=True, gain=2.0):
        b = f"blk.{layer}."
        if norm:
            self.norm(f"{b}{norm}.weight")
        if fused:
            self.matrix(b + "ffn_up.weight", N_EMBD, 2 * N_FF)
        else:
            if gate:
                self.matrix(b + "ffn_gate.weight", N_EMBD, N_FF)
            self.matrix(b + "ffn_up.weight", N_EMBD, N_FF)
        self.matrix(b + "ffn_down.weight", N_FF, N_EMBD, gain=gain)
        if bias:
            for name, rows in (("gate", N_FF), ("up", N_FF), ("down", N_EMBD))[0 if gate else 1:]:
                self.bias(f"{b}ffn_{name}.bias", rows)
        if post_norm:
            self.norm(b + "post_ffw_norm.weight")

    def experts(self, layer, n, n_ff, shared=0, bias=False, norm="ffn_norm"):
        b = f"blk.{layer}."
        self.norm(f"{b}{norm}.weight")
        self.matrix(b + "ffn_gate_inp.weight", N_EMBD, n)
        if bias:
            self.bias(b + "ffn_gate_inp.bias", n)
            for name, rows in (("gate", n_ff), ("up", n_ff), ("down", N_EMBD)):
                self.bias(f"{b}ffn_{name}_exps.bias", rows, n)
        self.matrix(b + "ffn_gate_exps.weight", N_EMBD, n_ff, n, gain=4)
        self.matrix(b + "ffn_up_exps.weight", N_EMBD, n_ff, n, gain=4)
        self.matrix(b + "ffn_down_exps.weight", n_ff, N_EMBD, n)
        if shared:
            self.matrix(b + "ffn_gate_shexp.weight", N_EMBD, shared)
            self.matrix(b + "ffn_up_shexp.weight", N_EMBD, shared)
            self.matrix(b + "ffn_down_shexp.weight", shared, N_EMBD)

    def heads_of_own_length(self):
        self.key("attention.key_length", "u32", self.k_dim)
        self.key("attention.value_length", "u32", self.k_dim)

    def rope(self, base=10000.0, dimensions=None):
        self.key("rope.freq_base", "f32", base)
        self.key("rope.dimension_count", "u32", dimensions or self.k_dim)

    def describe(self):
        self.key("vocab_size", "u32", N_VOCAB)
        texts = [chr(33 + i) for i in range(93)] + ['!"', "<s>", "</s>"]
        for name, kind, value in (("model", "str", "gpt2"), ("pre", "str", "qwen2"), ("tokens", "strs", texts),
                                  ("token_type", "i32s", [1] * 94 + [3, 3]), ("merges", "strs", ['! "']),
                                  ("bos_token_id", "u32", 94), ("eos_token_id", "u32", 95),
                                  ("add_bos_token", "bool", False)):
            self.key(name, kind, value, "tokenizer.ggml.")
        ids = [(i * i * 7 + i * 13 + self.seed) % 93 for i in range(N_TOKENS)]
        # The reference looks GELU up in a table of half-precision numbers.
        tolerance = 2e-3 if self.arch.startswith("gemma") or "bert" in self.arch else 2e-4
        return {"seed": self.seed, "n_ctx": self.n_ctx, "tolerance": tolerance, "tokens": ids, "keys": self.keys, "tensors": self.tensors}


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


def modern_bert():
    """A window of an odd number of tokens: half of it, rounded down, to each side."""
    m = encoder("modern-bert", 26, 2, heads_kv=4, layers=5)
    m.rope(160000.0)
    m.key("rope.freq_base_swa", "f32", 10000.0)
    m.key("attention.sliding_window", "u32", 13)
    m.norm("token_embd_norm.weight")
    m.norm("output_norm.weight")
    for i in range(m.layers):
        m.attention(i, fused=True, norm=i > 0)
        m.ffn(i, fused=True, gain=SMALL_GAIN)
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


from families_gemma4 import gemma4, gemma4_experts, gemma4_small  # needs what is above


# Of these the reference's embeddings are kept: encoders, and language models with a causal and a sliding window.
EMBEDDING = [bert, nomic_bert, modern_bert, gemma_embedding, gemma_embedding_dense, llama, gemma3]
# The tokens as texts: as many in the first, the second, ...
TEXTS = [37, 1, 26]

FAMILIES = [llama, llama_fused, llama_scaled, mixtral, mixtral_scaled, mistral3, qwen2, qwen3, qwen3moe, smollm3, phi3, phi3_long, gemma, gemma2, gemma3,
            granite, granitemoe, gpt_oss, deepseek2_lite, deepseek3, deepseek2_old,
            gemma4, gemma4_small, gemma4_experts, seed_oss, glm4, glm4moe, minimax_m2, olmo2, olmo3]


def describe(name):
    return next(f for f in FAMILIES + EMBEDDING if f.__name__ == name)().describe()
