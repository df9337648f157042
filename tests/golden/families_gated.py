"""The tiny models with gated delta nets; a part of families.py."""
from tiny_model import N_EMBD, Model


def next_token_layer(m, layer):
    """What a layer that predicts further tokens has beside those of a layer that attends."""
    b = f"blk.{layer}.nextn."
    m.matrix(b + "eh_proj.weight", 2 * N_EMBD, N_EMBD)
    m.norm(b + "enorm.weight")
    m.norm(b + "hnorm.weight")


def gated_layers(m, feed_forward, joined=False):
    """Every fourth layer attends, and so does the last if it predicts further tokens, which is not used."""
    predicts = m.layers % 4 == 1
    k_heads, v_heads, dim, taps = 2, 4, 16, 4
    m.heads_of_own_length()
    m.rope(1e7, dimensions=16)
    m.key("full_attention_interval", "u32", 4)
    if predicts:
        m.key("rope.dimension_sections", "i32s", [3, 3, 2, 0])
        m.key("nextn_predict_layers", "u32", 1)
    for name, number in (("conv_kernel", taps), ("state_size", dim), ("group_count", k_heads),
                         ("time_step_rank", v_heads), ("inner_size", v_heads * dim)):
        m.key("ssm." + name, "u32", number)
    m.ends()
    for i in range(m.layers):
        m.norm(f"blk.{i}.attn_norm.weight")
        if i % 4 == 3 or predicts and i == m.layers - 1:
            m.gated_attention(i)
        else:
            m.delta_net(i, k_heads, v_heads, dim, taps, joined)
        feed_forward(i)
    if predicts:
        next_token_layer(m, m.layers - 1)
    return m


def qwen35():
    m = Model("qwen35", 40, k_dim=32, layers=5)
    return gated_layers(m, lambda i: m.ffn(i, norm="post_attention_norm"))


def gated_experts(m, joined=False):
    m.key("expert_count", "u32", 8)
    m.key("expert_used_count", "u32", 3)
    m.key("expert_feed_forward_length", "u32", 40)
    m.key("expert_shared_feed_forward_length", "u32", 48)

    def feed_forward(i):
        m.experts(i, 8, 40, norm="post_attention_norm")
        m.shared_expert(i, 48)
    return gated_layers(m, feed_forward, joined)


def qwen35moe():
    return gated_experts(Model("qwen35moe", 41, k_dim=32, layers=5))


def qwen3next():
    """The last layer is a gated delta net, so that not every sequence of layers ends with one that attends."""
    return gated_experts(Model("qwen3next", 42, k_dim=32, layers=6), joined=True)
