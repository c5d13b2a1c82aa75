"""Losses when one head's z is replaced: by zero, by its mean over batch and positions, by its values on other prompts.
`python patching.py`, after `make.py gpt2 llama`; it also reads the trained model in `examples/models/learned/`.

All in float64; losses are mean next-token cross-entropies in nats over the batch. Only `patching.json` is written.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from blocks import forward
from checkpoints import seeded
from numerics import next_token_loss
from unpack import unpack

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"


def loss_with(plan, weights, tokens, layer, head, z):
    """The loss when the head's z is [.., d_head] of `z`, broadcast over batch and positions."""
    def edit(name, value):
        if name == f"blocks.{layer}.attn.hook_z":
            value = value.copy()
            value[:, :, head] = z
        return value

    plan.edit = edit
    loss = next_token_loss(forward(plan, weights, tokens)["logits"], tokens)
    plan.edit = lambda name, value: value
    return loss


def patched(plan, weights, tokens, other, layer, head):
    at = f"blocks.{layer}.attn.hook_z"
    clean = forward(plan, weights, tokens)
    z, foreign = clean[at][:, :, head], forward(plan, weights, other)[at][:, :, head]
    replace = lambda value: loss_with(plan, weights, tokens, layer, head, value)
    return {
        "layer": layer,
        "head": head,
        "clean": next_token_loss(clean["logits"], tokens),
        "zero": replace(0.0),
        "mean": replace(z.mean((0, 1))),
        "other_prompt": replace(foreign),
    }


def small(name):
    folder = HERE / name
    config = json.loads((folder / "config.json").read_text())
    plan, weights = unpack(config, load_file(folder / "model.safetensors"))
    tokens = load_file(folder / "reference.safetensors")["tokens"]
    other = seeded(name + " other prompt").integers(3, config["vocab_size"], tokens.shape, dtype=np.int64)
    places = [(0, 1), (1, 2)]
    found = [patched(plan, weights, tokens, other, *place) for place in places]
    return {"tokens": tokens.tolist(), "other_tokens": other.tolist(), "patches": found}


def trained():
    """On eight windows of held-out text: the start token and 63 tokens of an address."""
    folder = EXAMPLES / "models" / "learned"
    config = json.loads((folder / "config.json").read_text())
    plan, weights = unpack(config, load_file(folder / "model.safetensors"))
    stream = np.load(EXAMPLES / "data" / "sotu.tokens.npy").astype(np.int64)
    windows = np.array([np.concatenate([[0], stream[27 * 4096 + 256 * w:][:63]]) for w in range(8)])
    found = [patched(plan, weights, windows[:4], windows[4:], *place) for place in [(0, 0), (1, 2), (3, 1)]]
    return {"tokens": windows[:4].tolist(), "other_tokens": windows[4:].tolist(), "patches": found}


if __name__ == "__main__":
    results = {"gpt2": small("gpt2"), "llama": small("llama"), "learned": trained()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(result)}" for name, result in results.items())
    (HERE / "patching.json").write_text("{\n" + lines + "\n}\n")
    for name, result in results.items():
        print(name, result["patches"])
