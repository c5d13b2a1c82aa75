"""Independent NumPy computation of what `std.offset_pairs.checks` gives, in float64: objectives, patterns, the probe, quantiles of S_T.

Writes offset_checks.safetensors: inputs, and results as two numbers of 32 bits each.
"""
import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(5)
S, T, V, D, H, CTX = 96, 9, 128, 8, 2, 24
OFFSETS = np.array([0, 5, 10, 15])
PLACES = np.array([2, 5, 8])
RIDGES = [1e-4, 1e-3, 1e-2, 0.1, 1.0]

tokens = rng.integers(0, V, (S, T))
text = rng.normal(size=(V, D)).astype(np.float32)
place = (0.7 * rng.normal(size=(CTX, D))).astype(np.float32)
W_enc = rng.normal(size=(D, 5)).astype(np.float32)
W_dec = (0.4 * rng.normal(size=(5, D))).astype(np.float32)
b_dec = rng.normal(size=D).astype(np.float32)


def read(t, by):
    """Activations of one run: text, told position, and their product; the first token keeps told position 0."""
    ids = np.arange(T)[None] + by
    ids[:, 0] = 0
    ids = np.broadcast_to(ids, t.shape)
    x, p = text.astype(float)[t], place.astype(float)[ids]
    return x + p + 0.5 * x * p


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def pattern(q, k):
    """Causal attention of two heads, from joined queries and keys."""
    q, k = (z.reshape(S, T, H, D // H).transpose(0, 2, 1, 3) for z in (q, k))
    s = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D // H)
    return softmax(np.where(np.tril(np.ones((T, T), bool)), s, -np.inf))


def divergence(a, b):
    """KL(a || b) by head, mean over sequences and rows behind the first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(a > 0, a * (np.log(a) - np.log(b)), 0).sum(-1)
    return each[:, :, 1:].mean((0, 2))


def coded(x):
    return np.maximum((x - b_dec) @ W_enc.astype(float), 0)


def rebuilt(x):
    made = coded(x) @ W_dec.astype(float) + b_dec
    made[:, 0] = x[:, 0]
    return made


def probe():
    """Fisher's discriminants at each place: learned on one half of the texts, judged on the other, the ridge that names most."""
    half = S // 2
    right = np.zeros((len(RIDGES), len(PLACES)))
    for j, t in enumerate(PLACES):
        runs = np.stack([read(tokens, o)[:, t] for o in OFFSETS])
        learn, judge = runs[:, :half], runs[:, half:]
        mean = learn.mean(1)
        within = np.mean([np.cov(x.T, bias=True) for x in learn], axis=0)
        centre = mean.mean(0)
        total = np.trace(np.cov(learn.reshape(-1, D).T, bias=True)) / D
        # The mean variance of a latent: within classes, and the squares of class means about theirs over classes and latents.
        assert abs(total - (np.trace(within) / D + ((mean - centre) ** 2).mean())) < 1e-9
        for i, ridge in enumerate(RIDGES):
            W = np.linalg.solve(within + ridge * total * np.eye(D), (mean - centre).T)
            score = (judge - centre) @ W - 0.5 * ((mean - centre) * W.T).sum(1)
            right[i, j] = (score.argmax(-1) == np.arange(len(OFFSETS))[:, None]).mean()
    return right[right.mean(1).argmax()]


def shares_of(x):
    """S_T of each latent, every text under every offset."""
    behind = x[:, :, 1:]
    return behind.var(0).mean((0, 1)) / behind.reshape(-1, x.shape[-1]).var(0)


runs = np.stack([read(tokens, o) for o in OFFSETS])
others = (runs.sum(0) - runs) / (len(OFFSETS) - 1)
codes = coded(runs)
made = codes @ W_dec.astype(float) + b_dec
several = 2 * ((others - made) ** 2).sum(-1).mean()
apart = np.mean([((codes[i] - codes[j]) ** 2).sum(-1).mean() for i in range(4) for j in range(4) if i != j])
x, y = runs[0], runs[2]
a, b = pattern(0.5 * x, 0.5 * x), pattern(0.5 * y, 0.5 * y)
hat_a = pattern(rebuilt(0.5 * x), rebuilt(0.5 * x))
hat_b = pattern(rebuilt(0.5 * y), rebuilt(0.5 * y))
st = shares_of(codes)
found = {
    "several": np.array([several, several + 0.3 * apart]),
    "own": 0.5 * (divergence(a, hat_a) + divergence(b, hat_b)),
    "cross": 0.5 * (divergence(b, hat_a) + divergence(a, hat_b)),
    "ceiling": 0.5 * (divergence(b, a) + divergence(a, b)),
    "loss": np.array([(divergence(b, hat_a) + divergence(a, hat_b)).mean()]),
    "probe": probe(),
    "st": st,
    "tenths": np.quantile(st, [0.1, 0.5, 0.9]),
}
inputs = {"tokens": tokens.astype(np.int32), "text": text, "place": place, "W_enc": W_enc, "W_dec": W_dec, "b_dec": b_dec}
for name, value in found.items():
    high = value.astype(np.float32)
    inputs[name], inputs[f"{name}.low"] = high, (value - high).astype(np.float32)
save_file({k: np.ascontiguousarray(v) for k, v in inputs.items()}, "offset_checks.safetensors")
print({k: np.round(v, 6) for k, v in found.items()})
