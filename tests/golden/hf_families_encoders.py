"""The folders of encoders; a part of hf_families.py."""
from hf_tiny import *
from tiny_model import N_EMBD, N_FF


def bert():
    """BertModel."""
    f = Folder("bert", "BertModel", model_type="bert", hidden_size=N_EMBD, intermediate_size=N_FF, num_hidden_layers=2,
               num_attention_heads=4, max_position_embeddings=40, hidden_act="gelu", layer_norm_eps=1e-5,
               type_vocab_size=2, position_embedding_type="absolute")
    f.root, f.layer = "", "encoder.layer.{}."
    f.modules([("embeddings.word_embeddings", "token_embd"), ("embeddings.token_type_embeddings", "token_types"),
               ("embeddings.position_embeddings", "position_embd"), ("embeddings.LayerNorm", "token_embd_norm"),
               ("attention.self.query", "blk.{}.attn_q"), ("attention.self.key", "blk.{}.attn_k"),
               ("attention.self.value", "blk.{}.attn_v"), ("attention.output.dense", "blk.{}.attn_output"),
               ("attention.output.LayerNorm", "blk.{}.attn_output_norm"), ("intermediate.dense", "blk.{}.ffn_up"),
               ("output.dense", "blk.{}.ffn_down"), ("output.LayerNorm", "blk.{}.layer_output_norm")])
    f.put("pooler.dense.bias", ("load", "output_norm.bias" if f.has("output_norm.bias") else "token_embd_norm.bias"))
    sentence_pooling(f, "cls_token")
    return f


def roberta():
    """XLMRobertaModel: places are counted from behind the number of the padding token on."""
    f = bert()
    f.config.update(architectures=["XLMRobertaModel"], model_type="xlm-roberta", pad_token_id=1, max_position_embeddings=42)
    for array in f.arrays:
        if array[0] == "embeddings.position_embeddings.weight":
            array[1:] = [["values", [2, N_EMBD], [9.0] * 2 * N_EMBD], ["load", "position_embd.weight"], ["concat", 2, 0]]
        array[0] = "roberta." + array[0]
    f.extra = ["tokenizer.ggml.padding_token_id"]
    return f


def nomic_bert():
    """NomicBertModel, of the code that comes with nomic-embed-text-v1.5."""
    f = Folder("nomic_bert", "NomicBertModel", model_type="nomic_bert", n_embd=N_EMBD, n_inner=N_FF, n_layer=2, n_head=4,
               n_positions=8192, layer_norm_epsilon=1e-5, rotary_emb_base=1000, rotary_emb_fraction=1.0,
               activation_function="swiglu", type_vocab_size=2, prenorm=False, rotary_scaling_factor=None)
    f.root, f.layer = "", "encoder.layers.{}."
    f.modules([("embeddings.word_embeddings", "token_embd"), ("embeddings.token_type_embeddings", "token_types"),
               ("emb_ln", "token_embd_norm"), ("attn.Wqkv", "blk.{}.attn_qkv"), ("attn.out_proj", "blk.{}.attn_output"),
               ("norm1", "blk.{}.attn_output_norm"), ("mlp.fc11", "blk.{}.ffn_up"), ("mlp.fc12", "blk.{}.ffn_gate"),
               ("mlp.fc2", "blk.{}.ffn_down"), ("norm2", "blk.{}.layer_output_norm")])
    sentence_pooling(f, "mean_tokens")
    return f


def jina_bert_v3():
    """XLMRobertaModel of the code that comes with jina-embeddings-v3, whose matrices have adapters beside them."""
    f = Folder("jina_bert_v3", "XLMRobertaModel", model_type="xlm-roberta", hidden_size=N_EMBD, intermediate_size=N_FF,
               num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=8194, pad_token_id=1,
               hidden_act="gelu", layer_norm_eps=1e-5, type_vocab_size=2, position_embedding_type="rotary",
               rotary_emb_base=20000.0)
    f.root, f.layer = "roberta.", "roberta.encoder.layers.{}."
    f.modules([("embeddings.word_embeddings", "token_embd"), ("embeddings.token_type_embeddings", "token_types"),
               ("emb_ln", "token_embd_norm"), ("mixer.Wqkv", "blk.{}.attn_qkv"), ("mixer.out_proj", "blk.{}.attn_output"),
               ("norm1", "blk.{}.attn_output_norm"), ("mlp.fc1", "blk.{}.ffn_up"), ("mlp.fc2", "blk.{}.ffn_down"),
               ("norm2", "blk.{}.layer_output_norm")])
    for array in f.arrays:
        if array[0].endswith("mixer.Wqkv.weight"):
            array[0] = array[0].replace("weight", "parametrizations.weight.original")
    f.put("roberta.encoder.layers.0.mixer.Wqkv.parametrizations.weight.0.lora_A", ("values", [1, 1], [1.0]))
    sentence_pooling(f, "mean_tokens")
    f.extra = ["tokenizer.ggml.padding_token_id"]
    return f


def modern_bert(name="modern_bert", act="gelu"):
    """ModernBertModel."""
    f = Folder(name, "ModernBertModel", model_type="modernbert", hidden_size=N_EMBD, intermediate_size=N_FF,
               num_hidden_layers=5, num_attention_heads=4, max_position_embeddings=8192, hidden_activation=act,
               norm_eps=1e-5, global_rope_theta=160000.0, local_rope_theta=10000.0, local_attention=13,
               global_attn_every_n_layers=3)
    f.root, f.layer = "", "layers.{}."
    f.modules([("embeddings.tok_embeddings", "token_embd"), ("embeddings.norm", "token_embd_norm"),
               ("attn_norm", "blk.{}.attn_norm"), ("attn.Wqkv", "blk.{}.attn_qkv"), ("attn.Wo", "blk.{}.attn_output"),
               ("mlp_norm", "blk.{}.ffn_norm"), ("mlp.Wi", "blk.{}.ffn_up"), ("mlp.Wo", "blk.{}.ffn_down"),
               ("final_norm", "output_norm")])
    sentence_pooling(f, "cls_token")
    f.extra = ["attention.sliding_window_pattern"] + (["hidden_activation"] if act == "gelu" else [])
    return f


def modern_bert_silu():
    return modern_bert("modern_bert_silu", "silu")


def gemma_embedding(name="gemma_embedding"):
    """Gemma3TextModel, EmbeddingGemma's."""
    f = gemma_model(name, "Gemma3TextModel", GEMMA_NORMS, root="", model_type="gemma3_text", rope_theta=1e6,
                    rope_local_base_freq=10000.0, sliding_window=16, query_pre_attn_scalar=32,
                    use_bidirectional_attention=True, layer_types=rhythm(7, 6), _sliding_window_pattern=6,
                    rope_scaling=None, attn_logit_softcapping=None)
    sentence_pooling(f, "mean_tokens")
    f.extra = ["attention.sliding_window_pattern"]
    return f


def gemma_embedding_dense():
    f = gemma_embedding("gemma_embedding_dense")
    for i, (cols, rows) in ((2, (N_EMBD, 160)), (3, (160, N_EMBD))):
        f.files["modules.json"].append({"idx": i, "name": str(i), "path": f"{i}_Dense",
                                        "type": "sentence_transformers.models.Dense"})
        f.files[f"{i}_Dense/config.json"] = {"in_features": cols, "out_features": rows, "bias": False,
                                             "activation_function": "torch.nn.modules.linear.Identity"}
        f.folders[f"{i}_Dense"] = [["linear.weight", ["load", f"dense_{i}.weight"]]]
    return f


def eurobert():
    """EuroBertModel."""
    f = Folder("eurobert", "EuroBertModel", model_type="eurobert")
    sizes(f, rope_theta=250000.0)
    f.root, f.layer = "", "layers.{}."
    f.ends()
    f.modules(NORMS + ATTENTION + VALUES + MLP)
    sentence_pooling(f, "mean_tokens")
    return f


def llama_embed():
    """LlamaBidirectionalModel, of the code that comes with llama-embed-nemotron-8b."""
    f = Folder("llama_embed", "LlamaBidirectionalModel", model_type="llama_bidirec", pooling="avg")
    sizes(f, rope_theta=500000.0, rope_scaling=LLAMA3)
    f.replace["rope_freqs.weight"] = llama3_divisors(500000.0, 16, 8.0, 1.0, 4.0, 256)
    f.root, f.layer = "", "layers.{}."
    f.ends()
    f.modules(NORMS + MLP)
    unpaired_attention(f)
    return f
