"""The small checkpoints: which configurations, and how their weights are drawn.

Each is made by its own `transformers` class and written by it, so that names, layouts and `config.json` are those of
real files. All parameters are drawn anew, gains and shifts too, so that a forgotten one shows. Never computes
activations.
"""

import copy
import json
import zlib

import numpy as np
import torch
import transformers as hf
from safetensors.numpy import load_file, save_file

LLAMA = dict(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)  # fmt: skip
GPT2 = dict(vocab_size=64, n_positions=48, n_embd=32, n_layer=2, n_head=4, n_inner=64, bos_token_id=0, eos_token_id=0)
NEOX = dict(vocab_size=64, hidden_size=32, num_hidden_layers=2, intermediate_size=64, max_position_embeddings=48)
T5 = dict(vocab_size=64, d_model=32, d_kv=6, d_ff=64, num_layers=2, num_heads=4, relative_attention_num_buckets=12,
          relative_attention_max_distance=14)  # fmt: skip


def rope(kind, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=10000.0, **more))


CASES = {
    "gpt2": (hf.GPT2LMHeadModel, hf.GPT2Config(**GPT2)),
    "llama": (hf.LlamaForCausalLM, hf.LlamaConfig(**LLAMA, tie_word_embeddings=True, **rope("default"))),
    "gpt_neox": (hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig(
        **NEOX, num_attention_heads=2, rope_parameters=dict(
            rope_type="default", rope_theta=10000, partial_rotary_factor=0.25))),
    "gpt_neox_serial": (hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig(
        **NEOX, num_attention_heads=4, use_parallel_residual=False, rope_parameters=dict(
            rope_type="default", rope_theta=5000, partial_rotary_factor=0.5))),
    "gptj": (hf.GPTJForCausalLM, hf.GPTJConfig(
        vocab_size=64, n_positions=48, n_embd=32, n_layer=2, n_head=2, rotary_dim=8, n_inner=64, bos_token_id=0,
        eos_token_id=0, tie_word_embeddings=False)),
    "gpt_neo": (hf.GPTNeoForCausalLM, hf.GPTNeoConfig(
        vocab_size=64, max_position_embeddings=48, hidden_size=32, num_layers=2, num_heads=4, intermediate_size=64,
        window_size=5, attention_types=[[["global", "local"], 1]], bos_token_id=0, eos_token_id=0)),
    "llama3": (hf.LlamaForCausalLM, hf.LlamaConfig(**LLAMA | dict(max_position_embeddings=256), tie_word_embeddings=False, **rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64))),
    "llama_linear": (hf.LlamaForCausalLM, hf.LlamaConfig(**LLAMA, tie_word_embeddings=True, **rope("linear", factor=4.0))),
    "qwen2": (hf.Qwen2ForCausalLM, hf.Qwen2Config(**LLAMA, tie_word_embeddings=True, **rope("default"))),
    "mistral": (hf.MistralForCausalLM, hf.MistralConfig(
        **LLAMA, sliding_window=6, head_dim=12, tie_word_embeddings=False, **rope("default"))),
    "bloom": (hf.BloomForCausalLM, hf.BloomConfig(vocab_size=64, hidden_size=24, n_layer=2, n_head=4)),
    "bloom_heads6": (hf.BloomForCausalLM, hf.BloomConfig(vocab_size=64, hidden_size=24, n_layer=2, n_head=6)),
    "t5": (hf.T5EncoderModel, hf.T5Config(**T5, feed_forward_proj="relu")),
    "t5_causal": (hf.T5EncoderModel, hf.T5Config(**T5, feed_forward_proj="gated-gelu")),
    "bert": (hf.BertModel, hf.BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=48)),
}  # fmt: skip


def seeded(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


def draw(name, shape, rng):
    """Values for one parameter, by what its name says that it is."""
    words = name.lower()
    if len(shape) == 1:
        is_gain = words.endswith("weight") or words.endswith(".w")
        return (1.0 if is_gain else 0.0) + 0.25 * rng.standard_normal(shape)
    if any(word in words for word in ("embed", "wte", "wpe", "shared", "relative_attention_bias")):
        return 0.8 * rng.standard_normal(shape)
    return 1.3 * rng.standard_normal(shape) / np.sqrt(min(shape))


def build(name, folder):
    """Writes `config.json` and `model.safetensors` (f32) into the folder, which exists."""
    kind, config = CASES[name]
    rng, model = seeded(name), kind(config)
    with torch.no_grad():
        for parameter, value in model.named_parameters():
            value.copy_(torch.from_numpy(draw(parameter, tuple(value.shape), rng)))
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name == "t5_causal":
        # The stack alone, read as a causal one: no cross attention, buckets for the past only.
        written = json.loads((folder / "config.json").read_text())
        written |= {"is_decoder": True, "is_encoder_decoder": False, "tie_word_embeddings": False}
        write_config(folder / "config.json", written)


def write_config(path, config):
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def older_spelling(config):
    """The same `config.json` as `transformers` 4 writes it."""
    old = {key: value for key, value in config.items() if key not in ("dtype", "rope_parameters")}
    old |= {"torch_dtype": config["dtype"], "transformers_version": "4.46.0"}
    if "rope_parameters" not in config:
        return old
    rope = dict(config["rope_parameters"])
    base, kind, part = rope.pop("rope_theta"), rope.pop("rope_type"), rope.pop("partial_rotary_factor", None)
    name = "type" if kind == "linear" else "rope_type"  # both spellings are found in version 4
    old["rope_scaling"] = None if kind == "default" else {name: kind, **rope}
    old |= {"rope_theta": base} if part is None else {"rotary_emb_base": base, "rotary_pct": part}
    read = hf.CONFIG_MAPPING[config["model_type"]].from_dict(copy.deepcopy(old))
    for key, value in config["rope_parameters"].items():
        assert read.rope_parameters[key] == value, read
    return old


def add_older_spelling(folder):
    config = json.loads((folder / "config.json").read_text())
    write_config(folder / "config.transformers4.json", older_spelling(config))


def build_bare(source, folder):
    """The model of `source` as the first GPT-2 files have it: no prefix, and the causal masks among the tensors."""
    context = GPT2["n_positions"]
    tensors = {name.removeprefix("transformer."): value for name, value in load_file(source / "model.safetensors").items()}
    for l in range(GPT2["n_layer"]):
        tensors[f"h.{l}.attn.bias"] = np.tril(np.ones((1, 1, context, context), np.float32))
        tensors[f"h.{l}.attn.masked_bias"] = np.array(-1e4, np.float32)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = older_spelling(json.loads((source / "config.json").read_text()))
    write_config(folder / "config.json", config | {"n_ctx": context})


def build_shortformer(name, folder, with_norm):
    """An attention-only model in TransformerLens' names and layouts."""
    layers, width, heads, per_head, context, vocabulary = 2, 32, 4, 8, 48, 64
    shapes = {"embed.W_E": (vocabulary, width), "pos_embed.W_pos": (context, width)}
    for l in range(layers):
        at = f"blocks.{l}."
        shapes |= {f"{at}attn.W_{x}": (heads, width, per_head) for x in "QKV"}
        shapes |= {f"{at}attn.b_{x}": (heads, per_head) for x in "QKV"}
        shapes |= {f"{at}attn.W_O": (heads, per_head, width), f"{at}attn.b_O": (width,)}
        if with_norm:
            shapes |= {f"{at}ln1.w": (width,), f"{at}ln1.b": (width,)}
    if with_norm:
        shapes |= {"ln_final.w": (width,), "ln_final.b": (width,)}
    shapes |= {"unembed.W_U": (width, vocabulary), "unembed.b_U": (vocabulary,)}
    rng, scale = seeded(name), {".W_": 1.3 / np.sqrt(width), ".b_": 0.25}
    tensors = {}
    for tensor, shape in shapes.items():
        if tensor in ("embed.W_E", "pos_embed.W_pos"):
            value = 0.8 * rng.standard_normal(shape)
        elif tensor.endswith((".w", ".b")):
            value = draw(tensor, shape, rng)
        else:
            value = scale[".b_" if ".b_" in tensor else ".W_"] * rng.standard_normal(shape)
        tensors[tensor] = value.astype(np.float32)
    save_file(tensors, folder / "model.safetensors")
    config = dict(model_type="hooked_transformer", attn_only=True, n_layers=layers, d_model=width, n_heads=heads,
                  d_head=per_head, n_ctx=context, d_vocab=vocabulary, normalization_type="LN" if with_norm else None,
                  eps=1e-5, positional_embedding_type="shortformer", use_attn_scale=True)  # fmt: skip
    write_config(folder / "config.json", config)


SHORTFORMERS = {"shortformer": False, "shortformer_norm": True}
OLDER = {"llama", "llama3", "llama_linear", "gpt_neox"}
