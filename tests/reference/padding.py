"""Left padding on the models of `gpt2/` and `llama/`: told positions come from the mask, and the real tokens' logits are
those of the run without padding. `python padding.py`, after `make.py gpt2 llama`.

Never asks what a model makes of the padding itself: logits there are stored as 0 and mean nothing.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

import against
import checkpoints
from blocks import forward
from unpack import unpack

HERE = Path(__file__).parent
PADS, PAD = 3, 0


def padded(name):
    folder = HERE / name
    config = json.loads((folder / "config.json").read_text())
    plain = load_file(folder / "reference.safetensors")
    longer = np.concatenate([plain["tokens"][1], np.array([7, 21, 40])])
    tokens = np.stack([np.concatenate([np.full(PADS, PAD), plain["tokens"][0]]), longer])
    mask = np.ones_like(tokens)
    mask[0, :PADS] = 0
    ids = np.maximum(mask.cumsum(1) - 1, 0)
    sites = forward(*unpack(config, load_file(folder / "model.safetensors")), tokens, ids, mask)
    logits = sites["logits"] * mask[:, :, None]
    apart = np.abs(logits[0, PADS:] - plain["logits"][0]).max()
    theirs = against.run(checkpoints.CASES[name][0], config, folder, tokens, ids, mask, None)["logits"]
    real = mask.astype(bool)
    same = against.difference(logits, theirs, real)
    assert apart < 1e-5 and same < against.TOLERANCE, (apart, same)
    (HERE / "padding").mkdir(exist_ok=True)
    stored = {"tokens": tokens, "mask": mask, "ids": ids, "logits": logits.astype(np.float32)}
    save_file(stored, HERE / "padding" / f"{name}.safetensors")
    print(f"{name}: {apart:.1e} from the run without padding, {same:.1e} from transformers")


if __name__ == "__main__":
    padded("gpt2")
    padded("llama")
