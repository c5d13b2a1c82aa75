"""Means by position, G1, G2, LEACE, transport and the mean basis of a small sample of real activations, in NumPy.
`python removal.py`, with the trained model in `examples/models/learned/` and the text in `examples/data/` two folders up.

The activations are the inputs of layer 2 of that model for 64 windows of 16 held-out tokens, rounded to f32 and stored with the
results, in their first 24 coordinates, so that both programs start from the same numbers. Everything after that is in float64, by
LAPACK, and rounded to f32 once. LEACE is computed twice: from the covariances by the closed form of arXiv
2306.03819, and as least squares, the least change of x that has no covariance with z, by solving the constrained problem directly. Only `removal.safetensors` is written.
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).parent
EXAMPLES = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "examples"
S, T, D, LAYER = 64, 16, 24, 2


def layernorm(x, gain, bias):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * gain + bias


def activations():
    """resid_pre of layer LAYER, float64."""
    w = {k: v.astype(np.float64) for k, v in load_file(EXAMPLES / "models/learned/model.safetensors").items()}
    stream = np.load(EXAMPLES / "data/sotu.tokens.npy")
    starts = [i for i in range(0, len(stream) - T, 64) if (i // 4096) % 20 == 7][:S]
    tokens = np.stack([np.concatenate([[0], stream[i:i + T - 1]]) for i in starts])
    x = w["wte.weight"][tokens] + w["wpe.weight"][:T]
    for layer in range(LAYER):
        p = f"h.{layer}."
        h = layernorm(x, w[p + "ln_1.weight"], w[p + "ln_1.bias"])
        qkv = h @ w[p + "attn.c_attn.weight"] + w[p + "attn.c_attn.bias"]
        q, k, v = (part.reshape(S, T, 4, 32).transpose(0, 2, 1, 3) for part in np.split(qkv, 3, -1))
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(32.0)
        scores = np.where(np.tril(np.ones((T, T), bool)), scores, -np.inf)
        pattern = np.exp(scores - scores.max(-1, keepdims=True))
        pattern /= pattern.sum(-1, keepdims=True)
        z = (pattern @ v).transpose(0, 2, 1, 3).reshape(S, T, 128)
        x = x + z @ w[p + "attn.c_proj.weight"] + w[p + "attn.c_proj.bias"]
        h = layernorm(x, w[p + "ln_2.weight"], w[p + "ln_2.bias"]) @ w[p + "mlp.c_fc.weight"] + w[p + "mlp.c_fc.bias"]
        h = 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
        x = x + h @ w[p + "mlp.c_proj.weight"] + w[p + "mlp.c_proj.bias"]
    return x


def power(a, p):
    """A power of a symmetric matrix without negative eigenvalues; pseudo-inverse for p < 0."""
    values, vectors = np.linalg.eigh(a)
    used = values > values[-1] * len(values) * 2.0**-52
    raised = np.where(used, np.where(used, values, 1.0) ** p, 0.0)
    return (vectors * raised) @ vectors.T


def shrunk(s, n):
    """Bodnar, Gupta and Parolya 2014, towards the multiple of the unit matrix with the same trace."""
    d = len(s)
    target = np.eye(d) * np.trace(s) / d
    norm2 = (target**2).sum()
    kept = 1 - np.trace(s) ** 2 * norm2 / n / ((s**2).sum() * norm2 - np.trace(s @ target) ** 2)
    kept = max(kept, 0.0)
    return kept * s + (1 - kept) * target


def leace(x, z, tolerance, covariance):
    """What LEACE leaves of the rows of x, from its closed form."""
    mu = x.mean(0)
    cross = (x - mu).T @ z / len(x)
    white = power(covariance, -0.5)
    u, s, _ = np.linalg.svd(white @ cross, full_matrices=False)
    u = u[:, s > tolerance]
    taken = power(covariance, 0.5) @ u @ u.T @ white
    return x - (x - mu) @ taken.T, s


def leace_by_least_squares(x, z):
    """The affine map that changes x least, in the mean of squares, among those whose result has no covariance with z: row by row of P,
    minimise (p - e_i) S (p - e_i) subject to p C = 0, by its Lagrange conditions."""
    mu = x.mean(0)
    s = (x - mu).T @ (x - mu) / len(x)
    c = (x - mu).T @ z / len(x)
    d, k = c.shape
    system = np.block([[s, c], [c.T, np.zeros((k, k))]])
    p = np.linalg.solve(system, np.vstack([s, np.zeros((k, d))]))[:d].T
    return mu + (x - mu) @ p.T


def barycentre(ks, weights):
    s = np.tensordot(weights, ks, 1)
    for _ in range(200):
        root, inverse = power(s, 0.5), power(s, -0.5)
        t = inverse @ sum(w * power(root @ k @ root, 0.5) for w, k in zip(weights, ks)) @ inverse
        new = t @ s @ t
        if np.linalg.norm(new - s) < 1e-14 * np.linalg.norm(s):
            return new
        s = new
    return s


def main():
    x = activations()[..., :D].astype(np.float32)
    out = {"x": x}
    x = x.astype(np.float64)
    rows = x.reshape(-1, D)
    mu = rows.mean(0)
    pos = x.mean(0) - mu
    total = (rows - mu).T @ (rows - mu) / len(rows)
    out |= {"mu": mu, "pos": pos, "total": total}

    some = lambda y: y.reshape(S, T, D)[:6]
    out["g1"] = some(x - pos)
    u = np.linalg.svd(pos)[2][:5]
    out["g2"] = some(x - (x - mu) @ u.T @ u)

    z = np.cos(np.pi * np.outer(np.arange(T) + 0.5, np.arange(1, 5)) / T)
    z = z / np.sqrt((z * z).mean(0))
    per_token = np.tile(z, (S, 1))
    exact, s = leace(rows, per_token, 0.0, total)
    least = leace_by_least_squares(rows, per_token)
    assert np.abs(exact - least).max() < 1e-9
    usual, s_usual = leace(rows, per_token, 0.17, shrunk(total, len(rows)))
    out |= {"g3": some(exact), "g3_least": some(least), "g3_strength": s, "g3_usual": some(usual), "g3_usual_strength": s_usual}

    group = np.arange(T) // 4
    left = x - x.mean(0)
    ks = np.stack([np.einsum("std,ste->de", left[:, group == g], left[:, group == g]) / (S * 4) for g in range(4)])
    centre = barycentre(ks, np.full(4, 0.25))
    maps = np.stack([power(k, -0.5) @ power(power(k, 0.5) @ centre @ power(k, 0.5), 0.5) @ power(k, -0.5) for k in ks])
    out["g4"] = some(mu + np.einsum("std,tde->ste", left, maps[group]))
    out["centre"] = centre

    sigma = np.linalg.svd(pos, compute_uv=False)
    stacked = np.concatenate([pos] * S)
    spectral = np.linalg.norm(stacked, 2) / np.linalg.norm(rows - mu, 2)
    lengths = np.linalg.norm(stacked) / np.linalg.norm(rows - mu)
    context = x.mean(1) - mu
    place = np.arange(T) / (T - 1.0)
    first, second = x[:S // 2].reshape(-1, D), x[S // 2:].reshape(-1, D)
    y = np.tile(place, S // 2)
    within = first - first.mean(0)
    cov = within.T @ within / len(first)
    w = np.linalg.solve(cov + 1e-3 * np.trace(cov) / D * np.eye(D), within.T @ (y - y.mean()) / len(first))
    guess = y.mean() + (second - first.mean(0)) @ w
    r2 = 1 - ((y - guess) ** 2).mean() / y.var()
    entropy = np.exp(-(sigma / sigma.sum() * np.log(sigma / sigma.sum(), where=sigma > 0, out=np.zeros_like(sigma))).sum())
    out["context"] = context
    out["singular"] = sigma
    out["numbers"] = np.array([
        (sigma**2).sum() / sigma[0] ** 2, (sigma[2:] ** 2).sum() / sigma[2] ** 2, sigma[:3].sum() / sigma.sum(),
        (sigma[:3] ** 2).sum() / (sigma**2).sum(), spectral, lengths, r2, entropy,
    ])
    save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in out.items()}, HERE / "removal.safetensors")
    print({k: v.shape for k, v in out.items()})


main()
