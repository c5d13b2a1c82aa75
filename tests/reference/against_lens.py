"""Holds the attention-only shortformers against TransformerLens on the same files: `python against_lens.py`.

TransformerLens' `hook_normalized` is after gain and shift (our `hook_out`) and its scores are after the mask; the rest has
the same meaning. Never writes a file.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformer_lens import HookedTransformer, HookedTransformerConfig

from checkpoints import SHORTFORMERS

HERE = Path(__file__).parent
FIELDS = ("n_layers", "d_model", "n_heads", "d_head", "n_ctx", "d_vocab", "attn_only", "normalization_type", "eps",
          "positional_embedding_type", "use_attn_scale")  # fmt: skip


def run(folder):
    config = json.loads((folder / "config.json").read_text())
    told = {field: config[field] for field in FIELDS}
    model = HookedTransformer(HookedTransformerConfig(**told, dtype=torch.float64, device="cpu"))
    state = {name: value.double() for name, value in load_file(folder / "model.safetensors").items()}
    left = model.load_state_dict(state, strict=False)
    assert not left.unexpected_keys and all(name.endswith(("mask", "IGNORE")) for name in left.missing_keys), left
    reference = load_file(folder / "reference.safetensors")
    with torch.no_grad():
        logits, sites = model.run_with_cache(reference["tokens"], prepend_bos=False)
    return reference, dict(sites) | {"logits": logits}


def compare(folder):
    reference, theirs = run(folder)
    differences = {}
    for site, ours in reference.items():
        if "ids" in site or site == "tokens" or site.startswith("shifted") or site.endswith("hook_normalized"):
            continue
        value = theirs[site.replace("hook_out", "hook_normalized")].double()
        if site.endswith("attn_scores"):
            ours, value = torch.tril(ours), torch.tril(value.nan_to_num(neginf=0.0))
        differences[site] = float((ours - value).abs().max() / value.abs().max())
    worst = max(differences, key=differences.get)
    assert differences[worst] < 1e-6, (worst, differences[worst])
    return f"{differences[worst]:.1e} at {worst}, {len(differences)} sites"


if __name__ == "__main__":
    for name in SHORTFORMERS:
        print(f"{name}: {compare(HERE / name)}")
