"""stories260K, read by llama2.c's layout of its file, in float64: `python stories.py DATA`, the folder that holds
`stories260K.bin` and `tok512.bin`. Writes `real/stories260K.safetensors`.

The file: seven int32 (dim, hidden, layers, heads, key heads, vocabulary, context; a vocabulary below 0 would mean an
unembedding of its own), then f32 arrays one after the other, each for all layers, matrices [out, in]; last two tables of
rotary cosines and sines, which are not used.
"""

import struct
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import numerics as n
from blocks import Plan, forward

HERE = Path(__file__).parent
POSITIONS = np.array([0, 1, 15, 31, 46, 47])
GREEDY = 180


def read_model(path):
    data = path.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocabulary, context = struct.unpack("<7i", data[:28])
    assert vocabulary > 0, "an unembedding of its own"
    rest, width = np.frombuffer(data, "<f4", offset=28).astype(np.float64), dim // heads

    def take(*shape):
        nonlocal rest
        value, rest = rest[: np.prod(shape)].reshape(shape), rest[np.prod(shape) :]
        return value

    embed, norm1 = take(vocabulary, dim), take(layers, dim)
    q, k, v = take(layers, dim, dim), take(layers, kv_heads * width, dim), take(layers, kv_heads * width, dim)
    o, norm2 = take(layers, dim, dim), take(layers, dim)
    gate, down, up = take(layers, hidden, dim), take(layers, dim, hidden), take(layers, hidden, dim)
    final = take(dim)
    assert len(rest) == context * width, "two tables [context, width / 2] are left"
    blocks = []
    for l in range(layers):
        parts = {"Q": q, "K": k, "V": v, "O": o, "gate": gate, "in": up, "out": down}
        layer = {"W_" + name: part[l].T for name, part in parts.items()} | {"b_" + name: None for name in parts}
        blocks.append(layer | {"ln1": (norm1[l], None), "ln2": (norm2[l], None)})
    plan = Plan(heads, kv_heads, width**-0.5, 1e-5, "rms", activation="silu")
    plan.rotary = n.Rotary(n.frequencies(width), "pairs")
    return plan, {"embed": embed, "layers": blocks, "final": (final, None), "unembed": embed.T}


def read_pieces(path, vocabulary):
    data, at, pieces = path.read_bytes(), 4, []
    for _ in range(vocabulary):
        _, length = struct.unpack_from("<fi", data, at)
        pieces.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return pieces


def text_of(ids, pieces):
    """llama2.c's decoding: no space in front after the start token, `<0x..>` is a byte."""
    out = b""
    for before, token in zip(ids, ids[1:]):
        piece = pieces[token]
        if piece.startswith(b"<0x") and len(piece) == 6:
            piece = bytes([int(piece[3:5], 16)])
        out += piece[1:] if before == 1 and piece.startswith(b" ") else piece
    return out.decode()


def greedy(plan, weights, count):
    ids = [1]
    while len(ids) < count:
        logits = forward(plan, weights, np.array([ids]))["logits"][0, -1]
        ids.append(int(logits.argmax()))
    return ids


def agreement(text, told):
    """How many leading words of the text are those of the story as the data's README tells it, and how many it tells."""
    told = told[told.index("Once upon a time, there was") :]
    told = told.split("First ids:")[0].rstrip().removesuffix('".').replace("\\n", "\n").split()
    pairs = zip(text.split(), told)
    return next((n for n, (ours, theirs) in enumerate(pairs) if ours != theirs), len(told)), len(told)


def main(data):
    plan, weights = read_model(data / "stories260K.bin")
    ids = greedy(plan, weights, GREEDY)
    text = text_of(ids, read_pieces(data / "tok512.bin", 512))
    tokens = np.array([ids])
    sites = forward(plan, weights, tokens[:, :48])
    ends, stored = ("blocks.0.", f"blocks.{len(weights['layers']) - 1}.", "ln_final", "logits"), {}
    for site, value in sites.items():
        if site.endswith("hook_resid_pre") or site.startswith(ends):
            by_query = site.endswith(("attn_scores", "pattern"))
            value = value[:, :, POSITIONS] if by_query else value[:, POSITIONS]
            stored[site] = np.ascontiguousarray(value, np.float32)
    stored |= {"greedy": tokens, "tokens": np.ascontiguousarray(tokens[:, :48]), "positions": POSITIONS}
    save_file(stored, HERE / "real" / "stories260K.safetensors")
    (HERE / "real" / "stories260K.txt").write_text(text + "\n")
    print("%d of %d words are those of the data's README" % agreement(text, (data / "README.md").read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
