"""Told position and scores of the trained model `learned`, found with transformers and NumPy in float64, by other ways than
the library's: least squares by dummy columns, products of pairs one by one, the factor of incomplete designs by enumeration.

    python told_position.py MODEL_FOLDER HELDOUT_TOKENS.npy told_position.safetensors

The file holds a sample of the model's activations in f32, from which every figure is found, and the figures.
"""

import itertools
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import GPT2LMHeadModel

LAYER = 2
SEQUENCES, LENGTH = 4, 20          # of the scores; the first position is left out of the figures
RUN_SEQUENCES, RUN_LENGTH, WIDTH = 8, 12, 12
OFFSETS = [0, 13, 40, 77, 120]
RUNS = 3


def rows_centred(m):
    """Each row less the mean of its first i + 1 entries; 0 after them."""
    out = np.zeros_like(m)
    for i in range(m.shape[-1]):
        out[..., i, : i + 1] = m[..., i, : i + 1] - m[..., i, : i + 1].mean(-1, keepdims=True)
    return out


def design(n):
    """Dummy columns of distances and rows for the pairs j <= i, and the pairs."""
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    x = np.zeros((len(pairs), 2 * n))
    for row, (i, j) in enumerate(pairs):
        x[row, i - j] = 1
        x[row, n + i] = 1
    return x, pairs


def fit(m):
    """Kernel of least squares with a constant for each row, levelled over pairs; what it explains of row-centred m."""
    n = len(m)
    x, pairs = design(n)
    y = np.array([m[i, j] for i, j in pairs])
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    kernel = beta[:n]
    weight = np.array([n - t for t in range(n)])
    kernel = kernel - (kernel * weight).sum() / weight.sum()
    by_kernel = np.zeros((n, n))
    for i, j in pairs:
        by_kernel[i, j] = kernel[i - j]
    return kernel, rows_centred(by_kernel)


def r2(m, by):
    c = rows_centred(m)
    return 1 - ((c - by) ** 2).sum() / (c**2).sum()


def half_life(kernel):
    near = kernel[: len(kernel) // 2 + 1]
    paid = np.exp(near - near.max())
    paid /= paid.sum()
    upto = 0.0
    for t, share in enumerate(paid):
        if upto + share >= 0.5:
            return t + (0.5 - upto) / share
        upto += share


def of_scores(parts):
    """Figures of one head from its four parts, [sequence, query, key]."""
    whole = sum(parts)
    s = len(whole)
    x = np.array([rows_centred(m) for m in whole])
    c = np.array([rows_centred(m) for m in parts[0]])
    px = np.array([fit(m)[1] for m in x])
    pc = np.array([fit(m)[1] for m in c])
    apart = list(itertools.permutations(range(s), 2))
    between = lambda a, b: np.mean([(a[p] * b[q]).sum() for p, q in apart])
    v = np.mean([(m**2).sum() for m in x])
    xc, cc = np.mean((x * c).sum((1, 2))), np.mean((c * c).sum((1, 2)))
    tau, pair = between(px, px), between(x, x)
    content = xc**2 / cc
    together = tau + (xc - between(px, pc)) ** 2 / (cc - between(pc, pc))
    kernel, _ = fit(x.mean(0))
    place = parts[3].mean(0)
    halves = len(kernel) // 2
    first, second = x.mean(0)[:halves, :halves], x.mean(0)[halves : 2 * halves, halves : 2 * halves]
    by_first = fit(first)[1]
    return {
        "by_pair": pair / v, "by_tau": tau / v, "relative": tau / pair, "by_content": content / v,
        "tau_after_content": (together - content) / v, "content_after_tau": (together - tau) / v,
        "part": np.array([(x * np.array([rows_centred(m) for m in p])).sum() / (x * x).sum() for p in parts]),
        "place_relative": r2(place, fit(place)[1]), "kernel": kernel, "half_life": half_life(kernel),
        "r2_of_first": r2(whole[0], fit(whole[0])[1]),
        "fitted": r2(first, by_first), "carried": r2(second, by_first), "ceiling": r2(second, fit(second)[1]),
        "variance": v / (len(kernel) * (len(kernel) + 1) / 2),
    }


def of_runs(x, which, offsets):
    """S_1, S_T of every coordinate of x [run, sequence, position, d], and of the vector."""
    runs, sequences, places, _ = x.shape
    total = np.mean([(x[p] - x[q]) ** 2 / 2 for p, q in itertools.combinations(range(runs), 2)], axis=(0, 1, 2))
    total *= (offsets - 1) / offsets
    # A run's distance from the mean of its sequence, where each offset stands for a different unknown: what of the
    # offset's own distance from the mean of all is left, the partners being drawn from the others.
    k = np.mean([1 - 1 / runs - sum(1 for o in others) / runs * (-1 / (offsets - 1))
                 for others in itertools.combinations(range(1, offsets), runs - 1)])
    d = x - x.mean(0)
    first = np.zeros(x.shape[-1])
    for o in range(offsets):
        members = [(r, s) for s in range(sequences) for r in range(runs) if which[s, r] == o]
        products = [d[a] * d[b] for a, b in itertools.permutations(members, 2)]
        first += np.mean(products, axis=(0, 1)) / offsets
    first /= k**2
    whole = x.var((0, 1, 2))
    return {
        "s1": first / whole, "st": total / whole,
        "vector": np.array([first.sum() / whole.sum(), total.sum() / whole.sum()]),
    }


def layer_norm_part(part, scale, gain):
    return (part - part.mean(-1, keepdims=True)) / scale * gain


def parts_of(model, tokens):
    """The four parts of the scores of layer LAYER, [4, sequence, head, query, key], and the scores themselves."""
    with torch.no_grad():
        hidden = model(tokens, output_hidden_states=True).hidden_states[LAYER].numpy()
    block = model.transformer.h[LAYER]
    heads = model.config.n_head
    width = hidden.shape[-1]
    place = hidden.mean(0)
    place = place - place[1:].mean(0)
    scale = np.sqrt(hidden.var(-1, keepdims=True) + model.config.layer_norm_epsilon)
    gain, bias = block.ln_1.weight.detach().numpy(), block.ln_1.bias.detach().numpy()
    weight, shift = block.attn.c_attn.weight.detach().numpy(), block.attn.c_attn.bias.detach().numpy()
    split = lambda y: y.reshape(*y.shape[:-1], heads, -1)
    qk = [split(((layer_norm_part(hidden, scale, gain) + bias) @ weight + shift)[..., i * width : (i + 1) * width]) for i in (0, 1)]
    by_place = [split((layer_norm_part(place, scale, gain) @ weight)[..., i * width : (i + 1) * width]) for i in (0, 1)]
    product = lambda q, k: np.einsum("sihd,sjhd->shij", q, k) / np.sqrt(q.shape[-1])
    rest = [a - b for a, b in zip(qk, by_place)]
    return np.stack([product(rest[0], rest[1]), product(rest[0], by_place[1]), product(by_place[0], rest[1]), product(*by_place)]), product(*qk)


def main():
    folder, tokens_file, out = sys.argv[1:]
    model = GPT2LMHeadModel.from_pretrained(folder).double().eval()
    tokens = np.load(tokens_file).astype(np.int64)

    few = torch.from_numpy(tokens[:: len(tokens) // SEQUENCES][:SEQUENCES, :LENGTH].copy())
    parts, scores = parts_of(model, few)
    assert np.abs(parts.sum(0) - scores).max() < 1e-12
    stored = {"tokens": few.numpy(), "parts": parts.astype(np.float32)}
    sample = stored["parts"].astype(np.float64)[..., 1:, 1:]
    figures = [of_scores(sample[:, :, head]) for head in range(sample.shape[2])]
    for name in figures[0]:
        stored[name] = np.stack([f[name] for f in figures])

    more = torch.from_numpy(tokens[5 :: len(tokens) // RUN_SEQUENCES][:RUN_SEQUENCES, :RUN_LENGTH].copy())
    # Another start for each sequence, so that every offset is told to some five.
    which = np.array([[(s + r * (1 + s % 4)) % len(OFFSETS) for r in range(RUNS)] for s in range(RUN_SEQUENCES)])
    runs = []
    for r in range(RUNS):
        ids = torch.arange(RUN_LENGTH)[None] + torch.tensor(OFFSETS)[which[:, r]][:, None]
        ids[:, 0] = 0
        with torch.no_grad():
            runs.append(model(more, position_ids=ids, output_hidden_states=True).hidden_states[LAYER].numpy())
    x = np.stack(runs)
    stored |= {"run_tokens": more.numpy(), "which": which, "offsets": np.array(OFFSETS), "runs": x[:, :, 1:, :WIDTH].astype(np.float32)}
    stored |= of_runs(stored["runs"].astype(np.float64), which, len(OFFSETS))
    # The same of every coordinate, which the library measures by running the model.
    stored["measured"] = of_runs(x[:, :, 1:].astype(np.float64), which, len(OFFSETS))["vector"]

    save_file({k: np.ascontiguousarray(v if v.dtype != np.float64 else v.astype(np.float32)) for k, v in stored.items()}, out)
    for name, value in stored.items():
        print(name, value.shape, value.ravel()[:4])


main()
