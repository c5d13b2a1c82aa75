"""A mask over pairs of query and key features in NumPy, 64 bits: what pair_mask.exp compares std.qk.mask with.

    python pair_mask.py        writes pair_mask.safetensors

The sums over pairs are written out as they stand in the formula, with einsum over both features at once; the gradient is that of the formula
by hand: dKL/ds = (A_masked - A) / rows, ds_ij/dm_ab = f_a(i) g_b(j) <d_a, e_b> / sqrt(dhead).
"""

import numpy as np
from safetensors.numpy import save_file

S, T, D, A, B, H, DH = 5, 7, 6, 8, 6, 3, 4
rng = np.random.default_rng(5)


def rounded(*shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


inputs = {
    "u_q": rounded(S, T, D), "u_k": rounded(S, T, D), "q": rounded(S, T, H, DH), "k": rounded(S, T, H, DH),
    "query.b_in": rounded(D, scale=0.2), "query.W_enc": rounded(D, A, scale=0.5), "query.b_enc": rounded(A, scale=0.2),
    "query.W_dec": rounded(A, H, DH), "query.b_dec": rounded(H, DH),
    "key.b_in": rounded(D, scale=0.2), "key.W_enc": rounded(D, B, scale=0.5), "key.b_enc": rounded(B, scale=0.2),
    "key.W_dec": rounded(B, H, DH), "key.b_dec": rounded(H, DH),
}
mask = rng.uniform(0.05, 1.0, (H, A, B)).astype(np.float32)
mask[rng.uniform(size=mask.shape) < 0.35] = 0.0
mask[1, 2] = 0.0
mask[2, :, 3] = 0.0
mask[0, 0, :] = 1.0
inputs["m"] = mask
x = {name: value.astype(np.float64) for name, value in inputs.items()}
penalty = 0.01


def code(u, side):
    z = (u - x[side + ".b_in"]) @ x[side + ".W_enc"] + x[side + ".b_enc"]
    return np.maximum(z, 0.0)


def log_softmax(s):
    s = np.where(np.tril(np.ones((T, T), bool)), s, -np.inf)
    high = s.max(-1, keepdims=True)
    return s - high - np.log(np.exp(s - high).sum(-1, keepdims=True))


f, g = code(x["u_q"], "query"), code(x["u_k"], "key")
W = np.einsum("ahd,bhd->hab", x["query.W_dec"], x["key.W_dec"])
by_bias = np.einsum("hd,bhd->hb", x["query.b_dec"], x["key.W_dec"])
root = np.sqrt(DH)


def masked(m):
    pairs = np.einsum("nia,njb,hab->nhij", f, g, m * W)
    return (pairs + np.einsum("njb,hb->nhj", g, by_bias)[:, :, None, :]) / root


truth = log_softmax(np.einsum("nihd,njhd->nhij", x["q"], x["k"]) / root)
here = np.tril(np.ones((T, T), bool))


def judged(m):
    b = log_softmax(masked(m))
    a_, b_ = np.exp(truth), np.exp(b)
    gap = np.where(here, a_ * (np.where(here, truth, 0.0) - np.where(here, b, 0.0)), 0.0)
    kl = gap.sum((0, 2, 3)) / (S * T)
    largest = np.abs(a_ - b_).max(-1).mean((0, 2))
    agree = (truth.argmax(-1) == b.argmax(-1)).mean((0, 2))
    return kl, largest, agree


def loss(m):
    return judged(m)[0].mean() + penalty * (np.sqrt(m + 1e-7) - np.sqrt(1e-7)).sum() / H


def gradient(m):
    ds = (np.exp(log_softmax(masked(m))) - np.exp(truth)) / (S * T * H)
    return np.einsum("nhij,nia,njb->hab", ds, f, g) * W / root + penalty / H / (2 * np.sqrt(m + 1e-7))


m = x["m"]
kl, largest, agree = judged(m)
open_kl, open_largest, open_agree = judged(np.ones_like(m))
none_kl, none_largest, none_agree = judged(np.zeros_like(m))
size = np.abs(W) * np.outer(np.sqrt((f**2).mean((0, 1))), np.sqrt((g**2).mean((0, 1)))) / root
flat = size.reshape(H, A * B)
best = np.argsort(-flat, axis=1, kind="stable")[:, :10]
listed = np.zeros((H, A * B))
for h in range(H):
    listed[h, best[h]] = np.arange(1, 11) / 10
list_kl, _, list_agree = judged(listed.reshape(H, A, B))
results = {
    "kl": kl, "largest": largest, "agree": agree, "open_kl": open_kl, "open_agree": open_agree, "none_kl": none_kl, "none_agree": none_agree,
    "loss": np.array([loss(m)]), "gradient": gradient(m), "pattern": np.exp(log_softmax(masked(m))),
    "zero": (m == 0).mean((1, 2)), "below_half": (m < 0.5).mean((1, 2)), "below_nine": (m < 0.9).mean((1, 2)),
    "empty_rows": (m == 0).all(2).mean(1), "empty_columns": (m == 0).all(1).mean(1),
    "list_query": (best // B).astype(np.float64), "list_key": (best % B).astype(np.float64), "list_size": np.take_along_axis(flat, best, 1),
    "list_kl": list_kl, "list_agree": list_agree,
}
stored = dict(inputs)
for name, value in results.items():
    high = value.astype(np.float32)
    stored["out." + name] = high
    stored["out." + name + ".low"] = (value - high).astype(np.float32)
save_file({name: np.ascontiguousarray(value) for name, value in stored.items()}, "pair_mask.safetensors")
print({name: np.round(value, 6).tolist() for name, value in results.items() if value.size <= 3})
