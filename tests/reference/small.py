"""A small GPT under every positional scheme, in NumPy and 64 bits: what `stdlib/models/small.exp` is held against.

usage: small.py FOLDER
       small.py --trained

Writes `model.safetensors` (random parameters in Hugging Face's GPT-2 layout, one file for all schemes) and, for each
scheme, `SCHEME.safetensors`: some activations under TransformerLens's names, computed in float64, stored as float32.
`tokens` and the told positions `ids` are in `model.safetensors` too. The forward pass is written position by position and
head by head, from the formulas, and shares no idea of how to be fast with what it judges.

With `--trained`, the same for the five models of `examples/models/`: `trained/SCHEME.safetensors` here, on windows of held-out
text, the second of which is told positions further on; and `reference.safetensors` beside `learned`, with every site.
"""
import json, math, sys
from pathlib import Path
import numpy as np
from safetensors.numpy import load_file, save_file

LAYERS, D, HEADS, MLP, VOCAB, CTX, BATCH, POS = 2, 32, 4, 48, 64, 24, 2, 8

# The sites that are stored of models with random parameters.
KEPT = ("hook_q", "hook_k", "hook_rot_q", "hook_rot_k", "hook_attn_scores", "hook_resid_mid", "hook_resid_post", "logits")

# What `small.settings` is told, by the name of the file.
SCHEMES = {
    "learned": dict(scheme="learned"),
    "sinusoidal_pairs": dict(scheme="sinusoidal", layout="pairs"),
    "sinusoidal_halves": dict(scheme="sinusoidal", layout="halves"),
    "rotary_halves": dict(scheme="rotary", layout="halves"),
    "rotary_pairs": dict(scheme="rotary", layout="pairs"),
    "rotary_partial": dict(scheme="rotary", layout="halves", turned=4),
    "rotary_scaled": dict(scheme="rotary", layout="halves", factor=4.0),
    "shortformer": dict(scheme="shortformer"),
    "shortformer_sinusoidal": dict(scheme="shortformer", table="sinusoidal", layout="halves"),
    "shortformer_post": dict(scheme="shortformer", norm="post"),
    "learned_post": dict(scheme="learned", norm="post"),
    "alibi": dict(scheme="alibi"),
    "none": dict(scheme="none"),
}
TRAINED = ("learned", "sinusoidal", "rotary", "shortformer", "learned_offset")


def parameters(rng):
    def normal(width, *shape):
        return (width * rng.standard_normal(shape)).astype(np.float32)
    p = {"wte.weight": normal(0.5, VOCAB, D), "wpe.weight": normal(0.5, CTX, D)}
    for l in range(LAYERS):
        for norm in ("ln_1", "ln_2"):
            p[f"h.{l}.{norm}.weight"] = 1 + normal(0.3, D)
            p[f"h.{l}.{norm}.bias"] = normal(0.3, D)
        shapes = {"attn.c_attn": (D, 3 * D), "attn.c_proj": (D, D), "mlp.c_fc": (D, MLP), "mlp.c_proj": (MLP, D)}
        for name, shape in shapes.items():
            p[f"h.{l}.{name}.weight"] = normal(0.3, *shape)
            p[f"h.{l}.{name}.bias"] = normal(0.3, shape[1])
    p["ln_f.weight"], p["ln_f.bias"] = 1 + normal(0.3, D), normal(0.3, D)
    return p


def sinusoid(a, layout, width):
    row = np.zeros(width)
    for k in range(width // 2):
        if layout == "pairs":
            angle = a * 10000.0 ** (-2 * k / width)
            row[2 * k], row[2 * k + 1] = math.sin(angle), math.cos(angle)
        else:
            angle = a * 10000.0 ** (-k / (width / 2 - 1))
            row[k], row[width // 2 + k] = math.sin(angle), math.cos(angle)
    return row


def rotated(x, a, layout, turned, factor):
    out = x.copy()
    for p in range(turned // 2):
        i, j = (2 * p, 2 * p + 1) if layout == "pairs" else (p, p + turned // 2)
        angle = a / factor * 10000.0 ** (-2 * p / turned)
        out[i] = x[i] * math.cos(angle) - x[j] * math.sin(angle)
        out[j] = x[i] * math.sin(angle) + x[j] * math.cos(angle)
    return out


def norm(x, p, name):
    centred = x - x.mean()
    return centred / math.sqrt((centred * centred).mean() + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def gelu_new(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def attention(p, l, values, told, how, ids, seen):
    """Of one sequence: rows `values` for values, `told` for queries and keys."""
    W, b = p[f"h.{l}.attn.c_attn.weight"], p[f"h.{l}.attn.c_attn.bias"]
    POS, D = values.shape
    WIDTH = D // HEADS
    q, k = told @ W[:, :D] + b[:D], told @ W[:, D:2 * D] + b[D:2 * D]
    v = values @ W[:, 2 * D:] + b[2 * D:]
    q, k, v = (t.reshape(POS, HEADS, WIDTH) for t in (q, k, v))
    seen("attn.hook_q", q), seen("attn.hook_k", k), seen("attn.hook_v", v)
    if how["scheme"] == "rotary":
        arguments = how.get("layout"), how.get("turned", WIDTH), how.get("factor", 1.0)
        q, k = (np.array([[rotated(t[i, h], ids[i], *arguments) for h in range(HEADS)] for i in range(POS)]) for t in (q, k))
        seen("attn.hook_rot_q", q), seen("attn.hook_rot_k", k)
    scores, pattern, z = np.zeros((HEADS, POS, POS)), np.zeros((HEADS, POS, POS)), np.zeros((POS, HEADS, WIDTH))
    for h in range(HEADS):
        for i in range(POS):
            for j in range(POS):
                scores[h, i, j] = q[i, h] @ k[j, h] / math.sqrt(WIDTH)
                if how["scheme"] == "alibi":
                    scores[h, i, j] -= 2.0 ** (-8 * (h + 1) / HEADS) * (ids[i] - ids[j])
            raised = np.exp(scores[h, i, :i + 1] - scores[h, i, :i + 1].max())
            pattern[h, i, :i + 1] = raised / raised.sum()
            z[i, h] = pattern[h, i] @ v[:, h]
    seen("attn.hook_attn_scores", scores), seen("attn.hook_pattern", pattern), seen("attn.hook_z", z)
    return z.reshape(POS, D) @ p[f"h.{l}.attn.c_proj.weight"] + p[f"h.{l}.attn.c_proj.bias"]


def forward(p, how, tokens, ids, seen):
    table = how.get("table", "learned") if how["scheme"] == "shortformer" else how["scheme"]
    layers = sum(name.endswith(".ln_1.bias") for name in p)
    place = np.zeros((len(tokens), p["wte.weight"].shape[1]))
    if table == "learned":
        place = p["wpe.weight"][ids]
    elif table == "sinusoidal":
        place = np.array([sinusoid(a, how["layout"], place.shape[1]) for a in ids])
    x = how.get("scale", 1.0) * p["wte.weight"][tokens]
    short, post = how["scheme"] == "shortformer", how.get("norm") == "post"
    if not short:
        x = x + place
    each = lambda x, name: np.array([norm(row, p, name) for row in x])
    for l in range(layers):
        at = lambda name, value: seen(f"blocks.{l}.{name}", value)
        at("hook_resid_pre", x)
        h = x if post else each(x, f"h.{l}.ln_1")
        x = x + attention(p, l, h, h + place if short else h, how, ids, at)
        at("hook_resid_mid", x)
        if post:
            x = each(x, f"h.{l}.ln_1")
        h = x if post else each(x, f"h.{l}.ln_2")
        up = h @ p[f"h.{l}.mlp.c_fc.weight"] + p[f"h.{l}.mlp.c_fc.bias"]
        at("mlp.hook_pre", up)
        x = x + gelu_new(up) @ p[f"h.{l}.mlp.c_proj.weight"] + p[f"h.{l}.mlp.c_proj.bias"]
        at("hook_resid_post", x)
        if post:
            x = each(x, f"h.{l}.ln_2")
    if not post:
        x = each(x, "ln_f")
    seen("logits", x @ p["wte.weight"].T)


def activations(p, how, tokens, ids):
    """All sites under their names, sequence after sequence, in 32 bits."""
    found = {}
    for row, told in zip(tokens, ids):
        forward(p, how, row, told, lambda name, value: found.setdefault(name, []).append(value))
    return {name: np.array(rows).astype(np.float32) for name, rows in found.items()}


def only(found, *names):
    return {name: value for name, value in found.items() if name.split(".")[-1] in names}


def random_models(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(4)
    stored = parameters(rng)
    p = {name: value.astype(np.float64) for name, value in stored.items()}
    tokens = rng.integers(0, VOCAB, (BATCH, POS))
    # The second sequence is told positions further on; its sink keeps 0.
    ids = np.array([np.arange(POS), np.concatenate([[0], 11 + np.arange(POS - 1)])])
    save_file({**stored, "tokens": tokens, "ids": ids}, folder / "model.safetensors")
    for name, how in SCHEMES.items():
        save_file(only(activations(p, how, tokens, ids), *KEPT), folder / f"{name}.safetensors")


def trained_models():
    here, data = Path(__file__).parent, Path(__file__).parents[2] / "examples"
    stream = np.load(data / "data" / "sotu.tokens.npy").astype(np.int64)
    held_out = 7 * 4096
    (here / "trained").mkdir(exist_ok=True)
    windows = np.array([np.concatenate([[0], stream[held_out + 256 * w:][:255]]) for w in range(2)])
    for name in TRAINED:
        folder = data / "models" / name
        config = json.loads((folder / "config.json").read_text())
        how = dict(scheme=config["position_scheme"], layout=config["position_layout"], scale=config.get("embedding_scale", 1.0))
        p = {key: value.astype(np.float64) for key, value in load_file(folder / "model.safetensors").items()}
        ids = np.array([np.arange(16), np.concatenate([[0], 100 + np.arange(15)])])
        tokens = windows[:, :16].copy()
        told = dict(tokens=tokens, ids=ids)
        found = activations(p, how, tokens, ids)
        save_file({**told, **only(found, "hook_q", "hook_k", "hook_resid_post", "logits")}, here / "trained" / f"{name}.safetensors")
        if name == "learned":
            found = activations(p, how, windows[:1, :64], [np.arange(64)])
            save_file({"tokens": windows[:1, :64].copy(), **found}, folder / "reference.safetensors")


if __name__ == "__main__":
    trained_models() if sys.argv[1] == "--trained" else random_models(Path(sys.argv[1]))
