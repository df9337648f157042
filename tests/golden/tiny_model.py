"""What the tiny models of the golden tests are made with: class Model collects keys and tensors, families*.py say which.

Element i of tensor t is
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

    def shared_expert(self, layer, n_ff):
        """Weighted by a score of its own."""
        b = f"blk.{layer}."
        self.tensors.append([b + "ffn_gate_inp_shexp.weight", [N_EMBD], 0.5, 0.0])
        self.matrix(b + "ffn_gate_shexp.weight", N_EMBD, n_ff)
        self.matrix(b + "ffn_up_shexp.weight", N_EMBD, n_ff)
        self.matrix(b + "ffn_down_shexp.weight", n_ff, N_EMBD)

    def gated_attention(self, layer):
        q, kv, b = self.heads * self.k_dim, self.heads_kv * self.k_dim, f"blk.{layer}."
        for name, rows in (("q", 2 * q), ("k", kv), ("v", kv)):
            self.matrix(f"{b}attn_{name}.weight", N_EMBD, rows, gain=3)
        self.matrix(b + "attn_output.weight", q, N_EMBD)
        self.norm(b + "attn_q_norm.weight", self.k_dim)
        self.norm(b + "attn_k_norm.weight", self.k_dim)

    def delta_net(self, layer, k_heads, v_heads, dim, taps, joined=False):
        b, qkv, v = f"blk.{layer}.", (2 * k_heads + v_heads) * dim, v_heads * dim
        self.matrix(b + "attn_qkv.weight", N_EMBD, qkv, gain=3)
        self.matrix(b + "attn_gate.weight", N_EMBD, v)
        self.tensors.append([b + "ssm_conv1d.weight", [taps, qkv], 0.5, 0.25])
        self.tensors.append([b + "ssm_dt.bias", [v_heads], 1.0, -1.0])
        self.tensors.append([b + "ssm_a", [v_heads], 0.5, -0.75])
        if joined:
            self.matrix(b + "ssm_ba.weight", N_EMBD, 2 * v_heads)
        else:
            self.matrix(b + "ssm_beta.weight", N_EMBD, v_heads)
            self.matrix(b + "ssm_alpha.weight", N_EMBD, v_heads)
        self.norm(b + "ssm_norm.weight", dim)
        self.matrix(b + "ssm_out.weight", v, N_EMBD)

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
        silu = self.arch in ("nomic-bert", "eurobert") or any(value == "silu" for _, _, value in self.keys)
        gelu = self.arch.startswith("gemma") or ("bert" in self.arch and not silu)
        tolerance = 2e-3 if gelu else 2e-4
        return {"seed": self.seed, "n_ctx": self.n_ctx, "tolerance": tolerance, "tokens": ids, "keys": self.keys, "tensors": self.tensors}
