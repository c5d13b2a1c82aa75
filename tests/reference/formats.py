"""The model of `llama/` in other files: shards with an index, bf16, f16, a PyTorch pickle, GGUF; and one GGUF with a
tensor of every quantised type. `python formats.py`, after `make.py llama`.

What holds the same numbers is to be compared with `llama/reference.safetensors`; the rounded ones have `logits.safetensors`
of their own, in float64 from the rounded weights. Never changes `llama/`.
"""

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers as hf
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch

from blocks import forward
from checkpoints import write_config
from unpack import unpack

HERE = Path(__file__).parent
SOURCE, TARGET = HERE / "llama", HERE / "formats"
CONFIG = json.loads((SOURCE / "config.json").read_text())


def place(name):
    folder = TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sharded():
    folder, tensors, halves = place("sharded"), load_file(SOURCE / "model.safetensors"), ({}, {})
    for name, value in tensors.items():
        halves["layers.1." in name or name == "model.norm.weight"][name] = value
    index = {"metadata": {"total_size": sum(value.nbytes for value in tensors.values())}, "weight_map": {}}
    for number, half in enumerate(halves, 1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file(half, folder / file, {"format": "pt"})
        index["weight_map"] |= {name: file for name in half}
    write_config(folder / "model.safetensors.index.json", index)
    shutil.copy(SOURCE / "config.json", folder)


def rounded(name, kind):
    """Weights in a narrower type, and the logits that they give."""
    folder = place(name)
    tensors = {key: torch.from_numpy(value).to(kind) for key, value in load_file(SOURCE / "model.safetensors").items()}
    save_torch(tensors, folder / "model.safetensors", {"format": "pt"})
    write_config(folder / "config.json", CONFIG | {"dtype": name})
    tokens = load_file(SOURCE / "reference.safetensors")["tokens"]
    logits = forward(*unpack(CONFIG, {key: value.double().numpy() for key, value in tensors.items()}), tokens)["logits"]
    save_file({"tokens": tokens, "logits": logits.astype(np.float32)}, folder / "logits.safetensors")


def pickled():
    """As `torch.save(model.state_dict())` writes it: the tied unembedding is there and shares the embedding's storage."""
    folder = place("pickled")
    model = hf.LlamaForCausalLM.from_pretrained(SOURCE)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    shutil.copy(SOURCE / "config.json", folder)


def in_pairs(matrix, heads):
    """Rows of q and k from half-split planes to adjacent ones, as llama.cpp stores them: row 2p + s was row s * (d_head / 2) + p."""
    return matrix.reshape(heads, 2, -1, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)


GGUF_NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
              "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
              "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}  # fmt: skip


def as_gguf():
    writer = gguf.GGUFWriter(place("gguf") / "llama.gguf", "llama")
    writer.add_context_length(CONFIG["max_position_embeddings"])
    writer.add_embedding_length(CONFIG["hidden_size"])
    writer.add_block_count(CONFIG["num_hidden_layers"])
    writer.add_feed_forward_length(CONFIG["intermediate_size"])
    writer.add_head_count(CONFIG["num_attention_heads"])
    writer.add_head_count_kv(CONFIG["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(CONFIG["rms_norm_eps"])
    writer.add_rope_freq_base(CONFIG["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(CONFIG["head_dim"])
    writer.add_vocab_size(CONFIG["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for name, value in load_file(SOURCE / "model.safetensors").items():
        if name in ("model.embed_tokens.weight", "model.norm.weight"):
            writer.add_tensor("token_embd.weight" if "embed" in name else "output_norm.weight", value)
            continue
        _, _, layer, *part, _ = name.split(".")
        ours = GGUF_NAMES[".".join(part)]
        heads = {"attn_q": CONFIG["num_attention_heads"], "attn_k": CONFIG["num_key_value_heads"]}.get(ours)
        writer.add_tensor(f"blk.{layer}.{ours}.weight", in_pairs(value, heads) if heads else value)
    finish(writer)


# Bytes of a block of 256 and where its half-precision scales stand.
K_QUANTS = {"Q2_K": (84, (80, 82)), "Q3_K": (110, (108,)), "Q4_K": (144, (0, 2)), "Q5_K": (176, (0, 2)), "Q6_K": (210, (208,))}


def quantised():
    """[3, 512] of each type: small blocks from random values, blocks of 256 from random bits with sensible scales."""
    writer, expected = gguf.GGUFWriter(place("gguf") / "quantised.gguf", "none"), {}
    rng = np.random.default_rng(7)
    for name in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", *K_QUANTS):
        kind = gguf.GGMLQuantizationType[name]
        if name in K_QUANTS:
            size, scales = K_QUANTS[name]
            packed = rng.integers(0, 256, (3, 2, size), dtype=np.uint8)
            for at in scales:
                packed[..., at : at + 2] = rng.uniform(-0.02, 0.02, (3, 2, 1)).astype(np.float16).view(np.uint8)
            packed = packed.reshape(3, -1)
        else:
            packed = gguf.quants.quantize(rng.standard_normal((3, 512)).astype(np.float32), kind)
        expected[name] = np.ascontiguousarray(gguf.quants.dequantize(packed, kind), np.float32)
        assert expected[name].shape == (3, 512) and np.isfinite(expected[name]).all()
        writer.add_tensor(name, packed, raw_dtype=kind)
    finish(writer)
    save_file(expected, TARGET / "gguf" / "quantised.safetensors")


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check():
    """`transformers` reads the shards and the pickle as the model of `llama/`."""
    tokens = torch.from_numpy(load_file(SOURCE / "reference.safetensors")["tokens"])
    model = lambda folder: hf.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float64)
    plain = model(SOURCE)(tokens).logits
    for name in ("sharded", "pickled"):
        assert torch.equal(model(TARGET / name)(tokens).logits, plain), name


if __name__ == "__main__":
    sharded()
    rounded("bfloat16", torch.bfloat16)
    rounded("float16", torch.float16)
    pickled()
    as_gguf()
    quantised()
    check()
