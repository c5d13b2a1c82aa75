"""Makes the small checkpoints and their references: `python make.py [NAME ...]`, all without a name.

For each name a folder with `config.json`, `model.safetensors` and `reference.safetensors`: the activations of two
sequences, computed in float64 from the weights as they are stored (f32) and rounded once at the end. Nothing is
written unless `transformers` agrees on every site that it shows. README.md states the conventions.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

import against
import checkpoints
import numerics
from blocks import forward
from unpack import unpack

HERE = Path(__file__).parent
LENGTH = 16
# Variants of a block that has been recorded in full: their norms and MLPs are left out.
BRIEF = {"gpt_neox_serial", "llama3", "llama_linear", "qwen2", "mistral", "bloom_heads6", "t5_causal"}
NO_IDS = {"bloom", "t5"}


def inputs(name, config):
    """tokens, ids, keep, types of the main run, and the ids of the shifted one."""
    rng = checkpoints.seeded(name + " tokens")
    vocabulary = config.get("vocab_size") or config["d_vocab"]
    tokens = rng.integers(3, vocabulary, (2, LENGTH), dtype=np.int64)
    ids = np.tile(np.arange(LENGTH, dtype=np.int64), (2, 1))
    shifted = ids + 5
    shifted[1] = np.where(ids[1] == 0, 0, ids[1] + 9)  # the first token is kept at 0, as a sink
    keep, types = np.ones_like(tokens), None
    if config["model_type"] == "bert":
        keep[1, -5:] = 0
        tokens[1, -5:] = 0
        types = (ids >= 7).astype(np.int64)
    return tokens, ids, keep, types, shifted


def wanted(site, name):
    return name not in BRIEF or not any(part in site for part in (".ln1.", ".ln2.", "ln_final", ".mlp."))


def reference(name, folder):
    config = json.loads((folder / "config.json").read_text())
    plan, weights = unpack(config, load_file(folder / "model.safetensors"))
    tokens, ids, keep, types, shifted = inputs(name, config)
    sites = forward(plan, weights, tokens, ids, keep, types)
    out = {site: value for site, value in sites.items() if wanted(site, name)}
    report = "not in transformers"
    if name in checkpoints.CASES:
        theirs = against.run(checkpoints.CASES[name][0], config, folder, tokens, ids, keep, types)
        report = "%.1e at %s, %d sites" % against.compare(sites, theirs)
    if plan.bias == "alibi":
        slopes = numerics.alibi_slopes(plan.heads)[None, :, None, None]
        for l in range(len(weights["layers"])):
            at = f"blocks.{l}.attn.hook_attn_scores"
            out[at + "_relative"] = sites[at] - slopes * ids[:, None, :, None]
    if config["model_type"] not in NO_IDS:
        moved = forward(plan, weights, tokens, shifted, keep, types)["logits"]
        out["shifted.logits"] = moved
        if name in checkpoints.CASES:
            theirs = against.run(checkpoints.CASES[name][0], config, folder, tokens, shifted, keep, types)
            report += "; shifted %.1e" % against.compare({"logits": moved}, {"logits": theirs["logits"]})[0]
    stored = {site: np.ascontiguousarray(value, np.float32) for site, value in out.items()}
    stored |= {"tokens": tokens, "ids": ids}
    if "shifted.logits" in stored:
        stored["shifted.ids"] = shifted
    if types is not None:
        stored |= {"mask": keep, "types": types}
    save_file(stored, folder / "reference.safetensors")
    return report


def main(names):
    for name in names or [*checkpoints.CASES, *checkpoints.SHORTFORMERS, "gpt2_bare"]:
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        if name == "gpt2_bare":
            checkpoints.build_bare(HERE / "gpt2", folder)
            continue
        if name in checkpoints.SHORTFORMERS:
            checkpoints.build_shortformer(name, folder, checkpoints.SHORTFORMERS[name])
        else:
            checkpoints.build(name, folder)
        if name in checkpoints.OLDER:
            checkpoints.add_older_spelling(folder)
        print(f"{name}: {reference(name, folder)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
