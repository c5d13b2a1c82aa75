"""Kernels of distance on what decoders leave of scores, and the loss with them in all patterns, in NumPy from their formulas.

Writes `alternate.safetensors`: inputs, and what `alternate.exp` compares. Least squares by numpy.linalg.lstsq on the whole design matrix.
"""
import numpy as np
from safetensors.numpy import save_file

r = np.random.default_rng(8)
S, T, D, H, W, A, B, R = 20, 8, 5, 2, 3, 3, 2, 4
n = {k: r.normal(size=s).astype(np.float32) for k, s in {
    "u": (S, T, D), "q": (S, T, H, W), "k": (S, T, H, W), "scores": (S, H, T, T), "q.W_enc": (D, A), "q.b_in": (D,), "q.b_enc": (A,), "q.W_dec": (A, H, W),
    "q.b_dec": (H, W), "k.W_enc": (D, B), "k.b_in": (D,), "k.b_enc": (B,), "k.W_dec": (B, H, W), "k.b_dec": (H, W)}.items()}
x = {k: v.astype(np.float64) for k, v in n.items()}
code = lambda s: np.maximum((x["u"] - x[s + ".b_in"]) @ x[s + ".W_enc"] + x[s + ".b_enc"], 0)
f, g = code("q"), code("k")
q_hat = np.einsum("sta,ahw->sthw", f, x["q.W_dec"]) + x["q.b_dec"]
k_hat = np.einsum("sta,ahw->sthw", g, x["k.W_dec"]) + x["k.b_dec"]
dot = lambda q, k: np.einsum("sihw,sjhw->shij", q, k) / np.sqrt(W)
g1 = np.concatenate([g, np.ones((S, T, 1))], 2)
low = np.tril(np.ones((T, T), bool))
bucket = np.minimum(np.maximum(np.arange(T)[:, None] - np.arange(T)[None, :], 0), R - 1)
phi = np.eye(R)[bucket]
both = np.einsum("sia,sjb->sabij", f, g1).reshape(S, A * (B + 1), T, T)
single = np.broadcast_to(g1.transpose(0, 2, 1)[:, :, None, :], (S, B + 1, T, T))
base = np.concatenate([both, single, np.ones((S, 1, T, T))], 1)
full = np.concatenate([both, single, np.einsum("scij,ijr->scrij", base, phi).reshape(S, -1, T, T)], 1)


def centred(y, first):
    """Rows less their means over the keys first..i."""
    m = low.copy()
    m[:first] = False
    m[:, :first] = False
    mean = (y * m).sum(-1, keepdims=True) / np.maximum(m.sum(-1), 1)[:, None]
    return np.where(m, y - mean, 0)


left = x["scores"] - dot(q_hat, k_hat)
made = dot(q_hat, k_hat)
Z = centred(full, 1).transpose(0, 2, 3, 1).reshape(-1, full.shape[1])
for h in range(H):
    theta = np.linalg.lstsq(Z, centred(left[:, h], 1).reshape(-1), rcond=1e-12)[0]
    made[:, h] += np.einsum("scij,c->sij", full, theta)


def log_pattern(s):
    s = np.where(low, s, -np.inf)
    return s - np.log(np.exp(s - s.max(-1, keepdims=True)).sum(-1, keepdims=True)) - s.max(-1, keepdims=True)


def kl(a, b):
    return np.where(low, np.exp(a) * np.where(low, a - b, 0), 0).sum() / (S * H * T)


with np.errstate(invalid="ignore"):
    more, true = made - dot(q_hat, k_hat), log_pattern(x["scores"])
    to = lambda s: kl(true, log_pattern(s + more))
    roots = lambda c, d: (np.sqrt(c * np.sqrt((d ** 2).sum((1, 2))) + 1e-7) - np.sqrt(1e-7)).sum() / (S * T)
    loss = 3 * to(dot(q_hat, k_hat)) + to(dot(x["q"], k_hat)) + to(dot(q_hat, x["k"])) + 0.1 * (roots(f, x["q.W_dec"]) + roots(g, x["k.W_dec"]))
out = dict(n)
answer = {"made": centred(made, 0), "loss": np.array([loss])}
for k, v in answer.items():
    high = v.astype(np.float32)
    out[k], out[k + ".low"] = high, (v - high).astype(np.float32)
save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, "alternate.safetensors")
print(loss)
