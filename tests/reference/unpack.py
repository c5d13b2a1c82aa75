"""From a checkpoint's tensors, under the names and layouts of its file, to the one layout of `blocks.py`.

One function for each architecture, read from its `config.json` as the files of Hugging Face have it. Every tensor
must be used: `Taken.finish` says which were not. Never computes an activation.
"""

import math

import numpy as np

import numerics as n
from blocks import Plan


class Taken:
    """The tensors of a file in float64, each to be taken once."""

    def __init__(self, tensors):
        self.tensors = {name: np.asarray(value, np.float64) for name, value in tensors.items()}

    def take(self, name):
        return self.tensors.pop(name)

    def linear(self, name, shift=True):
        """A PyTorch `Linear`, [out, in] in the file: (matrix [in, out], shift or None)."""
        return self.take(name + ".weight").T, self.take(name + ".bias") if shift else None

    def conv(self, name):
        """GPT-2's `Conv1D`, [in, out] in the file."""
        return self.take(name + ".weight"), self.take(name + ".bias")

    def norm(self, name, shift=True):
        return self.take(name + ".weight"), self.take(name + ".bias") if shift else None

    def finish(self, *ignored):
        left = [name for name in self.tensors if not name.endswith(ignored)] if ignored else list(self.tensors)
        assert not left, f"tensors that nothing used: {left}"


def named(**pairs):
    """W_Q=(matrix, shift) and so on, as `W_Q` and `b_Q`."""
    out = {}
    for name, (matrix, shift) in pairs.items():
        out["W_" + name], out["b_" + name] = matrix, shift
    return out


def gpt2(config, tensors):
    file = Taken({name.removeprefix("transformer."): value for name, value in tensors.items()})
    layers = []
    for l in range(config["n_layer"]):
        at = f"h.{l}."
        matrix, shift = file.conv(at + "attn.c_attn")
        q, k, v = zip(np.split(matrix, 3, 1), np.split(shift, 3))
        layer = named(Q=q, K=k, V=v, O=file.conv(at + "attn.c_proj"), out=file.conv(at + "mlp.c_proj"))
        layer |= named(**{"in": file.conv(at + "mlp.c_fc")})
        layers.append(layer | {"ln1": file.norm(at + "ln_1"), "ln2": file.norm(at + "ln_2")})
    embed = file.take("wte.weight")
    weights = {"embed": embed, "positions": file.take("wpe.weight"), "layers": layers}
    weights |= {"final": file.norm("ln_f"), "unembed": embed.T}
    file.finish(".attn.bias", ".attn.masked_bias")
    heads = config["n_head"]
    plan = Plan(heads, heads, (config["n_embd"] / heads) ** -0.5, config["layer_norm_epsilon"], positions="added")
    return plan, weights


def fused_by_head(file, name, heads):
    """A `query_key_value` whose rows are ordered (head, q/k/v, d_head)."""
    matrix, shift = file.linear(name)
    matrix = matrix.reshape(len(matrix), heads, 3, -1)
    shift = shift.reshape(heads, 3, -1)
    return [(matrix[:, :, part].reshape(len(matrix), -1), shift[:, part].ravel()) for part in range(3)]


def gpt_neox(config, tensors):
    file, heads, layers = Taken(tensors), config["num_attention_heads"], []
    for l in range(config["num_hidden_layers"]):
        at = f"gpt_neox.layers.{l}."
        q, k, v = fused_by_head(file, at + "attention.query_key_value", heads)
        layer = named(Q=q, K=k, V=v, O=file.linear(at + "attention.dense"))
        layer |= named(**{"in": file.linear(at + "mlp.dense_h_to_4h"), "out": file.linear(at + "mlp.dense_4h_to_h")})
        norms = {"ln1": file.norm(at + "input_layernorm"), "ln2": file.norm(at + "post_attention_layernorm")}
        layers.append(layer | norms)
    weights = {"embed": file.take("gpt_neox.embed_in.weight"), "layers": layers}
    weights |= {"final": file.norm("gpt_neox.final_layer_norm"), "unembed": file.take("embed_out.weight").T}
    file.finish()
    rope, width = config["rope_parameters"], config["hidden_size"] // heads
    turned = n.frequencies(int(width * rope["partial_rotary_factor"]), rope["rope_theta"])
    residual = "parallel" if config["use_parallel_residual"] else "serial"
    plan = Plan(heads, heads, width**-0.5, config["layer_norm_eps"], residual=residual)
    plan.activation, plan.rotary = config["hidden_act"], n.Rotary(turned)
    return plan, weights


def gptj(config, tensors):
    file, heads, layers = Taken(tensors), config["n_head"], []
    for l in range(config["n_layer"]):
        at = f"transformer.h.{l}."
        part = lambda name: file.linear(at + "attn." + name, False)
        layer = named(Q=part("q_proj"), K=part("k_proj"), V=part("v_proj"), O=part("out_proj"))
        layer |= named(**{"in": file.linear(at + "mlp.fc_in"), "out": file.linear(at + "mlp.fc_out")})
        layers.append(layer | {"ln1": file.norm(at + "ln_1")})
    unembed, shift = file.linear("lm_head")
    weights = {"embed": file.take("transformer.wte.weight"), "layers": layers, "final": file.norm("transformer.ln_f")}
    weights |= {"unembed": unembed, "unembed_shift": shift}
    file.finish()
    plan = Plan(heads, heads, (config["n_embd"] / heads) ** -0.5, config["layer_norm_epsilon"], residual="shared")
    plan.rotary = n.Rotary(n.frequencies(config["rotary_dim"]), "pairs")
    return plan, weights


def gpt_neo(config, tensors):
    file, heads, layers = Taken(tensors), config["num_heads"], []
    for l in range(config["num_layers"]):
        at = f"transformer.h.{l}."
        part = lambda name: file.linear(at + "attn.attention." + name, name == "out_proj")
        layer = named(Q=part("q_proj"), K=part("k_proj"), V=part("v_proj"), O=part("out_proj"))
        layer |= named(**{"in": file.linear(at + "mlp.c_fc"), "out": file.linear(at + "mlp.c_proj")})
        layers.append(layer | {"ln1": file.norm(at + "ln_1"), "ln2": file.norm(at + "ln_2")})
    embed = file.take("transformer.wte.weight")
    weights = {"embed": embed, "positions": file.take("transformer.wpe.weight"), "layers": layers}
    weights |= {"final": file.norm("transformer.ln_f"), "unembed": embed.T}
    file.finish()
    plan = Plan(heads, heads, 1.0, config["layer_norm_epsilon"], positions="added")
    plan.windows = tuple(config["window_size"] if kind == "local" else None for kind in config["attention_layers"])
    return plan, weights


def bloom(config, tensors):
    file = Taken({name.removeprefix("transformer."): value for name, value in tensors.items()})
    heads, layers = config["n_head"], []
    for l in range(config["n_layer"]):
        at = f"h.{l}."
        q, k, v = fused_by_head(file, at + "self_attention.query_key_value", heads)
        layer = named(Q=q, K=k, V=v, O=file.linear(at + "self_attention.dense"))
        layer |= named(**{"in": file.linear(at + "mlp.dense_h_to_4h"), "out": file.linear(at + "mlp.dense_4h_to_h")})
        norms = {"ln1": file.norm(at + "input_layernorm"), "ln2": file.norm(at + "post_attention_layernorm")}
        layers.append(layer | norms)
    embed = file.take("word_embeddings.weight")
    weights = {"embed": embed, "embed_norm": file.norm("word_embeddings_layernorm"), "layers": layers}
    weights |= {"final": file.norm("ln_f"), "unembed": embed.T}
    file.finish()
    plan = Plan(heads, heads, (config["hidden_size"] / heads) ** -0.5, config["layer_norm_epsilon"], bias="alibi")
    return plan, weights


def llama_frequencies(config, width):
    rope = config["rope_parameters"]
    plain = n.frequencies(width, rope["rope_theta"])
    if rope["rope_type"] == "linear":
        return plain / rope["factor"]
    if rope["rope_type"] == "llama3":
        bounds = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
        return n.llama3_frequencies(plain, rope["factor"], *bounds)
    assert rope["rope_type"] == "default", rope
    return plain


def llama(config, tensors):
    """Llama, Qwen2 (q, k and v with a bias) and Mistral (a window)."""
    file, heads, layers = Taken(tensors), config["num_attention_heads"], []
    shifted = config["model_type"] == "qwen2"
    for l in range(config["num_hidden_layers"]):
        at = f"model.layers.{l}."
        part = lambda name, shift=False: file.linear(at + "self_attn." + name, shift)
        layer = named(Q=part("q_proj", shifted), K=part("k_proj", shifted), V=part("v_proj", shifted), O=part("o_proj"))
        mlp = {"gate": "gate_proj", "in": "up_proj", "out": "down_proj"}
        layer |= named(**{ours: file.linear(at + "mlp." + theirs, False) for ours, theirs in mlp.items()})
        norms = {"ln1": "input_layernorm", "ln2": "post_attention_layernorm"}
        layers.append(layer | {ours: file.norm(at + theirs, False) for ours, theirs in norms.items()})
    embed = file.take("model.embed_tokens.weight")
    unembed = embed if config["tie_word_embeddings"] else file.take("lm_head.weight")
    weights = {"embed": embed, "layers": layers, "final": file.norm("model.norm", False), "unembed": unembed.T}
    file.finish()
    width = config.get("head_dim") or config["hidden_size"] // heads
    plan = Plan(heads, config["num_key_value_heads"], width**-0.5, config["rms_norm_eps"], "rms")
    plan.activation, plan.rotary = "silu", n.Rotary(llama_frequencies(config, width))
    if config.get("sliding_window") and config.get("use_sliding_window", True):
        plan.windows = (config["sliding_window"],) * len(layers)
    return plan, weights


def t5(config, tensors):
    """The encoder stack of T5, and the same stack made causal (`is_decoder`), without cross attention."""
    file, heads, layers = Taken(tensors), config["num_heads"], []
    for l in range(config["num_layers"]):
        attend, feed = f"encoder.block.{l}.layer.0.", f"encoder.block.{l}.layer.1."
        part = lambda name: file.linear(attend + "SelfAttention." + name, False)
        layer = named(Q=part("q"), K=part("k"), V=part("v"), O=part("o"))
        mlp = {"gate": "wi_0", "in": "wi_1"} if config["is_gated_act"] else {"in": "wi"}
        mlp |= {"out": "wo"}
        layer |= named(**{ours: file.linear(feed + "DenseReluDense." + theirs, False) for ours, theirs in mlp.items()})
        layers.append(layer | {"ln1": file.norm(attend + "layer_norm", False), "ln2": file.norm(feed + "layer_norm", False)})
    weights = {"embed": file.take("shared.weight"), "layers": layers}
    weights["relative"] = file.take("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight")
    weights["final"] = file.norm("encoder.final_layer_norm", False)
    file.finish()
    plan = Plan(heads, heads, 1.0, config["layer_norm_epsilon"], "rms", bias="t5")
    plan.furthest, plan.causal = config["relative_attention_max_distance"], config["is_decoder"]
    plan.activation = config["dense_act_fn"]
    return plan, weights


def bert(config, tensors):
    file, heads, layers = Taken(tensors), config["num_attention_heads"], []
    for l in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{l}."
        part = lambda name: file.linear(at + "attention.self." + name)
        layer = named(Q=part("query"), K=part("key"), V=part("value"), O=file.linear(at + "attention.output.dense"))
        layer |= named(**{"in": file.linear(at + "intermediate.dense"), "out": file.linear(at + "output.dense")})
        norms = {"ln1": file.norm(at + "attention.output.LayerNorm"), "ln2": file.norm(at + "output.LayerNorm")}
        layers.append(layer | norms)
    at = "embeddings."
    weights = {"embed": file.take(at + "word_embeddings.weight"), "embed_norm": file.norm(at + "LayerNorm")}
    weights |= {"positions": file.take(at + "position_embeddings.weight"), "layers": layers}
    weights |= {"types": file.take(at + "token_type_embeddings.weight")}
    file.finish("pooler.dense.weight", "pooler.dense.bias", "position_ids")
    plan = Plan(heads, heads, math.sqrt(heads / config["hidden_size"]), config["layer_norm_eps"], residual="post")
    plan.activation, plan.causal = config["hidden_act"], False
    return plan, weights


def hooked(config, tensors):
    """TransformerLens' own names, of attention-only shortformers: positions go into queries and keys alone."""
    file, layers = Taken(tensors), []
    flat = lambda name: np.concatenate(list(file.take(name)), -1)
    for l in range(config["n_layers"]):
        at = f"blocks.{l}."
        layer = {f"W_{x}": flat(f"{at}attn.W_{x}") for x in "QKV"}
        layer |= {f"b_{x}": file.take(f"{at}attn.b_{x}").ravel() for x in "QKV"}
        out = file.take(at + "attn.W_O")
        layer |= {"W_O": out.reshape(-1, out.shape[-1]), "b_O": file.take(at + "attn.b_O")}
        if config["normalization_type"]:
            layer["ln1"] = file.take(at + "ln1.w"), file.take(at + "ln1.b")
        layers.append(layer)
    weights = {"embed": file.take("embed.W_E"), "positions": file.take("pos_embed.W_pos"), "layers": layers}
    if config["normalization_type"]:
        weights["final"] = file.take("ln_final.w"), file.take("ln_final.b")
    weights |= {"unembed": file.take("unembed.W_U"), "unembed_shift": file.take("unembed.b_U")}
    file.finish()
    heads = config["n_heads"]
    plan = Plan(heads, heads, config["d_head"] ** -0.5, config["eps"], "layer", positions="query_key")
    plan.norm = "layer" if config["normalization_type"] else None
    return plan, weights


UNPACK = {
    "gpt2": gpt2, "gpt_neox": gpt_neox, "gptj": gptj, "gpt_neo": gpt_neo, "bloom": bloom, "llama": llama,
    "qwen2": llama, "mistral": llama, "t5": t5, "bert": bert, "hooked_transformer": hooked,
}  # fmt: skip


def unpack(config, tensors):
    return UNPACK[config["model_type"]](config, tensors)
