"""The tiny models of Gemma 4; a part of families.py."""
import tiny_model


class Gemma4(tiny_model.Model):
    """Layers with a window have shorter heads than those without one, and more of keys and values."""

    # The reference looks GELU up in a table of half-precision numbers, which here would hide errors.
    LITTLE = {"least": 0.25, "spread": 0.0625}

    def __init__(self, seed, windowed, shared=0, per_layer=0, n_ff=None):
        super().__init__("gemma4", seed, k_dim=64, layers=len(windowed))
        self.windowed, self.shared, self.per_layer = windowed, shared, per_layer
        self.n_ff = n_ff or [tiny_model.N_FF] * self.layers
        arrays = {"feed_forward_length": self.n_ff, "attention.head_count_kv": [2 if w else 1 for w in windowed]}
        for key in self.keys:
            if (name := key[0].removeprefix("gemma4.")) in arrays:
                key[1:] = ["i32s", arrays[name]]
        self.heads_of_own_length()
        self.key("attention.key_length_swa", "u32", 32)
        self.key("attention.value_length_swa", "u32", 32)
        self.key("attention.sliding_window", "u32", 16)
        self.key("attention.sliding_window_pattern", "bools", windowed)
        self.key("attention.shared_kv_layers", "u32", shared)
        self.key("embedding_length_per_layer_input", "u32", per_layer)
        self.key("final_logit_softcapping", "f32", 16.0)
        self.rope(1e6)
        self.key("rope.dimension_count_swa", "u32", 32)
        self.key("rope.freq_base_swa", "f32", 10000.0)

    def body(self, layer):
        for i in range(self.layers):
            b = f"blk.{i}."
            q, kv = (128, 64) if self.windowed[i] else (256, 64)
            self.norm(b + "attn_norm.weight")
            self.matrix(b + "attn_q.weight", tiny_model.N_EMBD, q)
            self.factors(b + "attn_q_norm.weight", q // 4, **self.LITTLE)  # scores are not scaled
            if i < self.layers - self.shared:
                self.matrix(b + "attn_k.weight", tiny_model.N_EMBD, kv)
                self.norm(b + "attn_k_norm.weight", q // 4)
                if self.windowed[i] or self.per_layer:
                    self.matrix(b + "attn_v.weight", tiny_model.N_EMBD, kv)
            self.matrix(b + "attn_output.weight", q, tiny_model.N_EMBD)
            self.norm(b + "post_attention_norm.weight")
            layer(b, i)
            self.factors(b + "post_ffw_norm.weight", tiny_model.N_EMBD, **self.LITTLE)
            self.factors(b + "layer_output_scale.weight", 1, least=0.75, spread=0.25)

    def dense(self, b, i):
        self.norm(b + "ffn_norm.weight")
        self.matrix(b + "ffn_gate.weight", tiny_model.N_EMBD, self.n_ff[i])
        self.matrix(b + "ffn_up.weight", tiny_model.N_EMBD, self.n_ff[i])
        self.matrix(b + "ffn_down.weight", self.n_ff[i], tiny_model.N_EMBD)


def gemma4():
    """As with 31 billion parameters: in layers without a window the keys are the values too."""
    m = Gemma4(24, [True, True, False, True, True, False])
    m.ends(tied=True)
    m.factors("rope_freqs.weight", 32)
    m.body(m.dense)
    return m


def gemma4_small():
    """As with an effective 2 billion: embeddings for each layer, and the last layers use the keys and values of others."""
    m = Gemma4(25, [True, True, True, False, True, True, False], shared=3, per_layer=24, n_ff=[96] * 4 + [160] * 3)
    m.ends(tied=True)
    m.tensors.append(["per_layer_token_embd.weight", [24 * m.layers, tiny_model.N_VOCAB], 1.0, 0.0])
    m.matrix("per_layer_model_proj.weight", tiny_model.N_EMBD, 24 * m.layers)
    m.norm("per_layer_proj_norm.weight", 24)
    m.factors("rope_freqs.weight", 32)

    def layer(b, i):
        m.dense(b, i)
        m.matrix(b + "inp_gate.weight", tiny_model.N_EMBD, 24)
        m.matrix(b + "proj.weight", 24, tiny_model.N_EMBD)
        m.factors(b + "post_norm.weight", tiny_model.N_EMBD, **m.LITTLE)

    m.body(layer)
    return m


def gemma4_experts():
    """As with 26 billion, 4 of them active: a mixture of experts beside the feed-forward block."""
    m = Gemma4(26, [True, True, False, True, False])
    m.key("expert_count", "u32", 8)
    m.key("expert_used_count", "u32", 3)
    m.key("expert_feed_forward_length", "u32", 40)
    m.ends(tied=True)
    m.factors("rope_freqs.weight", 32)

    def layer(b, i):
        m.dense(b, i)
        m.matrix(b + "ffn_gate_inp.weight", tiny_model.N_EMBD, 8, gain=8)
        m.factors(b + "ffn_gate_inp.scale", tiny_model.N_EMBD)
        m.norm(b + "pre_ffw_norm_2.weight")
        m.norm(b + "post_ffw_norm_1.weight")
        m.norm(b + "post_ffw_norm_2.weight")
        m.matrix(b + "ffn_gate_up_exps.weight", tiny_model.N_EMBD, 80, 8, gain=4)
        m.matrix(b + "ffn_down_exps.weight", 40, tiny_model.N_EMBD, 8)
        m.tensors.append([b + "ffn_down_exps.scale", [8], 0.25, 1.0])

    m.body(layer)
    return m
