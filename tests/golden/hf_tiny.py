"""What the folders of hf_families.py are made with: class Folder collects arrays and files."""
import math

import numpy as np

import families
import goldens
from tiny_model import N_EMBD, N_FF, N_VOCAB


class Folder:
    """Collects the arrays of one model. `golden` is the GGUF's description."""

    def __init__(self, name, cls, **config):
        self.golden = families.describe(name)
        self.index = {t[0]: i for i, t in enumerate(self.golden["tensors"])}
        self.config = {"architectures": [cls], "_name_or_path": "golden", "vocab_size": N_VOCAB, "bos_token_id": 94,
                       "eos_token_id": 95, **config}
        self.arrays, self.files, self.folders = [], {}, {}
        self.replace, self.without, self.differ, self.extra = {}, [], {}, []
        self.root, self.layer = "model.", "model.layers.{}."

    def key(self, name):
        arch = self.golden["keys"][0][2]
        return next(v for k, _, v in self.golden["keys"] if k == f"{arch}.{name}")

    @property
    def layers(self):
        return self.key("block_count")

    def shape(self, tensor):
        """Slowest dimension first."""
        return self.golden["tensors"][self.index[tensor]][1][::-1]

    def values(self, tensor):
        i = self.index[tensor]
        _, extents, scale, offset = self.golden["tensors"][i]
        return goldens.weights(self.golden["seed"], i, extents, scale, offset)

    def has(self, tensor):
        return tensor in self.index

    def put(self, name, *steps):
        self.arrays.append([name, *map(list, steps)])

    def module(self, name, tensor, *steps):
        """Weight and bias, those that there are; the steps are the weight's."""
        if self.has(tensor + ".weight"):
            self.put(name + ".weight", ("load", tensor + ".weight"), *steps)
        if self.has(tensor + ".bias"):
            self.put(name + ".bias", ("load", tensor + ".bias"))

    def modules(self, pairs, *steps):
        """`pairs`: module, tensor. In layers where a tensor has a "{}"."""
        for name, tensor in pairs:
            if "{}" not in tensor:
                self.module(self.root + name, tensor, *steps)
                continue
            for i in range(self.layers):
                self.module(self.layer.format(i) + name, tensor.format(i), *steps)

    def ends(self, *steps):
        self.module(self.root + "embed_tokens", "token_embd")
        self.module(self.root + "norm", "output_norm", *steps)
        self.module("lm_head", "output")
        self.config["tie_word_embeddings"] = not self.has("output.weight")

    def unpair(self, name, tensor, heads):
        """Elements that are rotated together: neighbours in the GGUF, half a head apart in transformers."""
        for end in (".weight", ".bias"):
            if not self.has(tensor + end):
                continue
            rows, *cols = self.shape(tensor + end)
            self.put(name + end, ("load", tensor + end), ("reshape", [heads, rows // heads // 2, 2, *cols]),
                     ("transpose", [0, 2, 1] + ([3] if cols else [])), ("reshape", [rows, *cols]))

    def experts(self, i, n, names, tensor):
        """A module for each expert."""
        for gguf, hf in names.items():
            name = tensor.format(i, gguf)
            _, rows, cols = self.shape(name)
            for e in range(n):
                self.put(f"{hf.format(i, e)}.weight", ("load", name), ("slice", 0, e, e + 1, 1), ("reshape", [rows, cols]))

    def stacked_gate_up(self, name, gate, up):
        """Experts' gate and up in one array [experts, 2 * length, width], the gate first."""
        self.put(name, ("load", gate), ("load", up), ("concat", 2, 1))

    def describe(self):
        return {k: getattr(self, k) for k in "config files arrays folders replace without differ extra".split()}


def sizes(f, **more):
    """The fields that nearly all classes have."""
    g = f.key
    f.config.update(hidden_size=N_EMBD, intermediate_size=N_FF, num_hidden_layers=g("block_count"),
                    num_attention_heads=g("attention.head_count"), num_key_value_heads=g("attention.head_count_kv"),
                    max_position_embeddings=g("context_length"), hidden_act="silu", rms_norm_eps=1e-5)
    f.config.update(more)


ATTENTION = [("self_attn.q_proj", "blk.{}.attn_q"), ("self_attn.k_proj", "blk.{}.attn_k")]
VALUES = [("self_attn.v_proj", "blk.{}.attn_v"), ("self_attn.o_proj", "blk.{}.attn_output")]
MLP = [("mlp.gate_proj", "blk.{}.ffn_gate"), ("mlp.up_proj", "blk.{}.ffn_up"), ("mlp.down_proj", "blk.{}.ffn_down")]
FUSED_MLP = [("mlp.gate_up_proj", "blk.{}.ffn_up"), ("mlp.down_proj", "blk.{}.ffn_down")]
NORMS = [("input_layernorm", "blk.{}.attn_norm"), ("post_attention_layernorm", "blk.{}.ffn_norm")]
NORMS_AFTER = [("input_layernorm", "blk.{}.attn_norm"), ("post_attention_layernorm", "blk.{}.post_attention_norm")]
HEAD_NORMS = [("self_attn.q_norm", "blk.{}.attn_q_norm"), ("self_attn.k_norm", "blk.{}.attn_k_norm")]
GEMMA_NORMS = [("input_layernorm", "blk.{}.attn_norm"), ("post_attention_layernorm", "blk.{}.post_attention_norm"),
               ("pre_feedforward_layernorm", "blk.{}.ffn_norm"), ("post_feedforward_layernorm", "blk.{}.post_ffw_norm")]
QWEN_EXPERTS = {g: "model.layers.{}.mlp.experts.{}." + g + "_proj" for g in ("gate", "up", "down")}
MIXTRAL_EXPERTS = {g: "model.layers.{}.block_sparse_moe.experts.{}." + w
                   for g, w in (("gate", "w1"), ("up", "w3"), ("down", "w2"))}
MINUS_ONE = ("add", -1.0)


def unpaired_attention(f):
    for i in range(f.layers):
        for letter, heads in (("q", f.key("attention.head_count")), ("k", f.key("attention.head_count_kv"))):
            f.unpair(f.layer.format(i) + f"self_attn.{letter}_proj", f"blk.{i}.attn_{letter}", heads)
    f.modules(VALUES)


def sentence_pooling(f, mode):
    """Files of sentence-transformers."""
    f.files["modules.json"] = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                               {"idx": 1, "name": "1", "path": "1_Pooling",
                                "type": "sentence_transformers.models.Pooling"}]
    flags = {m: m == mode for m in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "lasttoken")}
    f.files["1_Pooling/config.json"] = {"word_embedding_dimension": N_EMBD,
                                        **{f"pooling_mode_{m}": v for m, v in flags.items()}}


def llama3_divisors(theta, dim, factor, low, high, original):
    """As transformers computes inverse frequencies for rope_type "llama3", divided by those without scaling."""
    inv = 1.0 / theta ** (np.arange(0, dim, 2, dtype=np.float64) / dim)
    wavelen = 2 * math.pi / inv
    scaled = np.where(wavelen > original / low, inv / factor, inv)
    smooth = (original / wavelen - low) / (high - low)
    between = ~(wavelen < original / high) & ~(wavelen > original / low)
    scaled = np.where(between, (1 - smooth) * inv / factor + smooth * inv, scaled)
    return [float(x) for x in (inv / scaled).astype(np.float32)]


LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 256}


def gemma_model(name, cls, norms, **config):
    f = Folder(name, cls)
    sizes(f, head_dim=32, hidden_activation="gelu_pytorch_tanh")
    f.config.update(config)
    f.root, f.layer = config.get("root", "model."), config.get("root", "model.") + "layers.{}."
    f.config.pop("root", None)
    del f.config["hidden_act"]
    f.ends(MINUS_ONE)
    f.modules(norms + (HEAD_NORMS if f.has("blk.0.attn_q_norm.weight") else []), MINUS_ONE)
    f.modules(ATTENTION + VALUES + MLP)
    return f


def rhythm(n, every):
    return ["full_attention" if (i + 1) % every == 0 else "sliding_attention" for i in range(n)]
