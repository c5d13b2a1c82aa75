"""What a model loses when a dictionary's reconstruction stands in place of an activation: cross-entropies and divergences of the trained
model in `examples/models/learned/` with the input of layer 2 rebuilt, set to zero, and set to a mean. `python in_model.py`.

All in float64. Cross-entropies are over positions that have a next token, divergences over all. The dictionary is random, TopK with k = 8.
Only `in_model.safetensors` (tokens and dictionary) and `in_model.json` are written.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from blocks import forward
from checkpoints import seeded
from numerics import next_token_loss
from unpack import unpack

HERE = Path(__file__).parent
MODEL = HERE.parents[1] / "examples/models/learned"
SITE = "blocks.2.hook_resid_pre"
K = 8


def dictionary(width, features):
    draw = seeded("in_model")
    rows = draw.standard_normal((features, width))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    bias = (0.1 * draw.standard_normal(width)).astype(np.float32)
    return {"W_enc": np.ascontiguousarray(rows.T), "b_enc": np.full(features, 0.05, np.float32), "W_dec": rows, "b_dec": bias}


def rebuilt(x, p):
    p = {name: value.astype(np.float64) for name, value in p.items()}
    z = (x - p["b_dec"]) @ p["W_enc"] + p["b_enc"]
    smallest = -np.sort(-z, axis=-1)[..., K - 1 : K]
    return np.where(z >= smallest, np.maximum(z, 0), 0) @ p["W_dec"] + p["b_dec"]


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def divergence(clean, changed):
    p, q = log_softmax(clean), log_softmax(changed)
    return float((np.exp(p) * (p - q)).sum(-1).mean())


def main():
    config = json.loads((MODEL / "config.json").read_text())
    plan, weights = unpack(config, load_file(MODEL / "model.safetensors"))
    tokens = seeded("in_model tokens").integers(1, config["vocab_size"], (5, 24), dtype=np.int64)
    tokens[:, 0] = 0
    p = dictionary(config["n_embd"], 64)
    seen = forward(plan, weights, tokens)
    average = seen[SITE].mean((0, 1))

    def with_site(change):
        plan.edit = lambda name, value: change(value) if name == SITE else value
        logits = forward(plan, weights, tokens)["logits"]
        plan.edit = lambda name, value: value
        return logits

    changed = {
        "spliced": with_site(lambda x: rebuilt(x, p)),
        "zero": with_site(lambda x: 0.0 * x),
        "mean": with_site(lambda x: 0.0 * x + average),
    }
    found = {"ce": next_token_loss(seen["logits"], tokens)}
    for name, logits in changed.items():
        found[f"ce_{name}"] = next_token_loss(logits, tokens)
        found[f"kl_{name}"] = divergence(seen["logits"], logits)
    found["recovered"] = (found["ce_zero"] - found["ce_spliced"]) / (found["ce_zero"] - found["ce"])
    found["recovered_mean"] = (found["ce_mean"] - found["ce_spliced"]) / (found["ce_mean"] - found["ce"])
    save_file({"tokens": tokens, **p}, HERE / "in_model.safetensors")
    (HERE / "in_model.json").write_text(json.dumps({name: float(value) for name, value in found.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
